"""Judges when a server that shows an alert no longer can be believed: not after a restart, nor while it settles."""

from __future__ import annotations

from msgspec import Struct

from services.alerts.observed import AlertmanagerSeen, PrometheusSeen

YOUNG = 120.0
"""Seconds after a start during which alerts may be missing: twice the time in which a Prometheus sends them again."""


class PeerView(Struct, frozen=True, gc=False):
    """One server at one moment. `poll` counts its answers; `credible` says whether what it does not show has ended."""

    name: str
    poll: int
    credible: bool
    is_alertmanager: bool
    young: bool = False


class Trust:
    """Remembers since when each server runs, as it says and as this console's clock saw it."""

    def __init__(self, young: float = YOUNG) -> None:
        self._young = young
        self._started: dict[str, float] = {}
        self._young_until: dict[str, float] = {}

    def alertmanager(self, seen: AlertmanagerSeen, now: float) -> PeerView:
        """Return how far an Alertmanager can be believed.

        One whose status cannot be read may have restarted: then an empty list is not believed.
        """
        status = seen.status
        young = self._is_young(seen.name, status.started_at if status is not None else 0.0, now)
        doubtful = not seen.alerts if status is None else status.state == "settling"
        return PeerView(seen.name, seen.poll, not young and not doubtful, is_alertmanager=True, young=young)

    def prometheus(self, seen: PrometheusSeen, now: float) -> PeerView:
        """Return how far a Prometheus can be believed: not before it has evaluated its rules once."""
        young = self._is_young(seen.name, seen.started_at, now)
        unevaluated = any(rule.health == "unknown" and not rule.evaluated_at for rule in seen.rules)
        return PeerView(seen.name, seen.poll, not young and not unevaluated, is_alertmanager=False, young=young)

    def gone(self, name: str, poll: int, *, is_alertmanager: bool) -> PeerView:
        """Return the view of a server that did not answer: nothing about it is believed."""
        return PeerView(name, poll, credible=False, is_alertmanager=is_alertmanager)

    def _is_young(self, name: str, started_at: float, now: float) -> bool:
        """Measure youth with this console's clock from the answer that first showed the new start.

        On first contact the two clocks have to be compared; whatever the difference, it lasts two minutes at most.
        """
        before = self._started.get(name)
        if started_at and (before is None or abs(started_at - before) > 1.0):
            uptime = max(0.0, now - started_at) if before is None else 0.0
            self._young_until[name] = now + max(0.0, self._young - uptime)
            self._started[name] = started_at
        return now < self._young_until.get(name, 0.0)
