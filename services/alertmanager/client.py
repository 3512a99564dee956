"""Asks one Alertmanager for all that a console shows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from services.alertmanager.decode import Given, GivenStatus, decode_alerts, decode_silences, decode_status
from services.errors import Problem


class Getter(Protocol):
    """The way to one HTTP source: prefix, credentials, deadline and the like are its own business."""

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> bytes:
        """Return the body of a 2xx answer to GET `path`. Raises Problem for anything else."""
        ...


class Polled(Struct, frozen=True):
    """What one Alertmanager answered. `status` is None, or `silences_error` filled, where only that was refused."""

    alerts: Given
    silences: Given
    status: GivenStatus | None
    silences_error: str = ""


class AlertmanagerClient:
    """One Alertmanager behind a getter, API v2."""

    def __init__(self, getter: Getter) -> None:
        self._getter = getter

    async def poll(self) -> Polled:
        """Return its alerts, then its silences and status. Raises Problem where the alerts cannot be had.

        From 0.32 on, one silence of several matcher sets makes the whole list of silences fail: that costs no alert.
        """
        alerts = decode_alerts(await self._getter.get("/api/v2/alerts"))
        silences, status = await asyncio.gather(
            self._getter.get("/api/v2/silences"),
            self._getter.get("/api/v2/status"),
            return_exceptions=True,
        )
        known, why = _silences(silences)
        return Polled(alerts, known, _status(status), why)


def _body(answer: bytes | BaseException) -> bytes:
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _status(answer: bytes | BaseException) -> GivenStatus | None:
    try:
        return decode_status(_body(answer))
    except Problem:
        return None


def _silences(answer: bytes | BaseException) -> tuple[Given, str]:
    try:
        return decode_silences(_body(answer)), ""
    except Problem as problem:
        return Given([]), f"silences cannot be shown: {problem.sentence}"
