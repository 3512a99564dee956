from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rehearsal_client import Client

from services.rehearsal.clock import ManualClock
from services.rehearsal.server import Options, Rehearsal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def calm(clock: ManualClock) -> AsyncIterator[Rehearsal]:
    async with Rehearsal(Options(past=0, size="tiny"), clock) as estate:
        yield estate


@pytest.fixture
async def troubled(clock: ManualClock) -> AsyncIterator[Rehearsal]:
    async with Rehearsal(Options("bad-deploy"), clock) as estate:
        yield estate


@pytest.fixture
async def client(calm: Rehearsal) -> AsyncIterator[Client]:
    made = Client(calm)
    yield made
    await made.http.aclose()
