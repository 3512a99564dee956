"""A folder of state, and a store that writes into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cache.state.store import StateStore
from services.clock import ManualClock
from tests.unit.cache.estate import ALICE, QUICK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "quarterdeck"


@pytest.fixture
def store(folder: Path) -> Iterator[StateStore]:
    store = StateStore(folder, ManualClock(), QUICK)
    store.start()
    store.attend(ALICE)
    assert store.flush()
    yield store
    assert store.close()
