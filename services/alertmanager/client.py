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


STATUS_EVERY = 4
"""Polls between two looks at the status of a server that holds at least what it held before."""


class AlertmanagerClient:
    """One Alertmanager behind a getter, API v2."""

    def __init__(self, getter: Getter) -> None:
        self._getter = getter
        self._status: GivenStatus | None = None
        self._unasked = 0
        self._held: frozenset[str] | None = None

    async def poll(self) -> Polled:
        """Return its alerts, then its silences and status. Raises Problem where the alerts cannot be had.

        From 0.32 on, one silence of several matcher sets makes the whole list of silences fail: that costs no alert.
        The status, which tells of a restart, is asked for whenever less is held than before, or nothing.
        """
        held, self._held = self._held, None
        alerts = decode_alerts(await self._getter.get("/api/v2/alerts"))
        self._held = frozenset(alert.fingerprint for alert in alerts.items)
        settled = self._status is not None and self._status.state != "settling"
        kept = held is not None and bool(self._held) and held <= self._held
        asks = not (settled and kept) or self._unasked >= STATUS_EVERY - 1
        silences, status = await asyncio.gather(
            self._getter.get("/api/v2/silences"),
            self._getter.get("/api/v2/status") if asks else _nothing(),
            return_exceptions=True,
        )
        if asks:
            self._status = _status(status)
        self._unasked = 0 if asks else self._unasked + 1
        known, why = _silences(silences)
        return Polled(alerts, known, self._status, why)


async def _nothing() -> bytes:
    return b""


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
