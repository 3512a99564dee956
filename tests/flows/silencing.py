"""A console on the recorded scene whose Alertmanagers hold what it shows, and take silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from msgspec import structs

from cache.live import LiveState
from screenshots import scene
from screenshots.scene_alerts import alerts, silences, whole
from services.alerts.alertmanagers import HeldAlert
from services.alerts.hands import AlertingHands
from services.clock import ManualClock
from services.config_policy import Policy
from services.model.alert import Alert, AlertState
from services.ports import Replace
from tests.unit.actions.silencer import Silencer
from tests.unit.actions.stage import StageLocks, StageTrail, World
from tui.acting import Acting
from tui.trail import LedgerTrail

AT_ALERTMANAGERS = (AlertState.FIRING, AlertState.SILENCED, AlertState.INHIBITED)


class Room:
    """A console on the recorded scene whose Alertmanagers hold what it shows."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.clock = ManualClock(scene.NOW)
        self.live = whole(None)
        rows = [one for one in alerts().values() if one.state in AT_ALERTMANAGERS]
        self.server = Silencer(*(_held(one) for one in rows), clock=self.clock, snapshot=self.live.snapshot())
        self.server.silences = {name: structs.replace(one) for name, one in silences().items()}
        trail = cast(LedgerTrail, StageTrail(World()))
        hands = AlertingHands(self.server, lambda: None)
        hands.find, hands.send = self.server.find, self.server.send  # type: ignore[method-assign]
        self.acting = Acting(
            hands, trail, StageLocks(World()), policy or Policy(), watched=self.live.snapshot, cluster=lambda: "c"
        )
        self.acting._event = lambda *_: None  # type: ignore[assignment, method-assign]

    def poll(self) -> None:
        """Let live state learn what the Alertmanagers hold by now."""
        rows: dict[str, Alert] = dict(alerts())
        for one in self.server.look()[0].alerts:
            if one.silenced_by:
                rows[one.key] = structs.replace(rows[one.key], state=AlertState.SILENCED, silenced_by=one.silenced_by)
        publish(self.live, rows)
        self.live.apply("scene", Replace("silences", dict(self.server.silences)))
        self.live.publish()


def publish(live: LiveState, rows: Mapping[str, Alert]) -> None:
    live.apply("scene", Replace("alerts", rows))
    live.publish()


def _held(one: Alert) -> HeldAlert:
    return HeldAlert(one.key, one.labels, told=True, receivers=("oncall",))
