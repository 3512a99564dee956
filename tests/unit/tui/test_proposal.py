"""The severity that an incident begins with: what hurts, what has been done about it, and where."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec import structs

from screenshots import scene, scene_alerts
from services.model.alert import Alert
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.ports import Snapshot
from services.sanitize import safe_text
from tui.incidents import links_of
from tui.presenters.proposal import Proposal, proposed_severity

PICTURE = scene.live().snapshot()
ALERTS = {alert.name: alert for alert in scene_alerts.alerts().values()}
CART = ALERTS["CartDown"]
ROW = PICTURE.tables["rollouts"]["Deployment/shop/cart"]
DONE = Event("done", scene.NOW - 60, scene.NOW, EventKind.ACTION, ROW.ref, "roll back: rev 16 is up", Severity.OK)


def seen(severity: Severity, *events: Event) -> Snapshot:
    rows = {**PICTURE.tables["rollouts"], "Deployment/shop/cart": structs.replace(ROW, severity=severity)}
    return structs.replace(PICTURE, tables={**PICTURE.tables, "rollouts": rows}, events=events)


def proposed(subject: object, snapshot: Snapshot = PICTURE, environment: str = "PROD") -> Proposal:
    return proposed_severity(subject, links_of(subject, snapshot.tables["rollouts"]), snapshot, environment)


@pytest.mark.parametrize(
    ("subject", "severity"),
    [(CART, "P1"), (ROW, "P1"), (ALERTS["CheckoutLatency"], "P2"), (SimpleNamespace(), "P2"), (None, "P2")],
)
def test_what_hurts_begins_as_what_it_says(subject: object, severity: str) -> None:
    assert proposed(subject) == Proposal(severity)  # type: ignore[arg-type] # compares as its value


@pytest.mark.parametrize(
    ("row", "events", "severity"),
    [
        (Severity.OK, (DONE,), "P2"),
        (Severity.OK, (), "P1"),
        (Severity.CRIT, (DONE,), "P1"),
        (Severity.WARN, (DONE,), "P1"),
        (Severity.OK, (structs.replace(DONE, severity=Severity.WARN),), "P1"),
        (Severity.OK, (structs.replace(DONE, at=CART.onset - 1),), "P1"),
        (Severity.OK, (structs.replace(DONE, ref=scene.ref("Deployment", "shop", "search")),), "P1"),
    ],
)
def test_only_a_verified_change_after_the_onset_that_left_it_healthy_is_a_way_around(
    row: Severity, events: tuple[Event, ...], severity: str
) -> None:
    found = proposed(CART, seen(row, *events))
    assert found.severity.value == severity
    assert ("roll back: rev 16 is up" in found.because) == (severity == "P2")


def test_what_is_over_is_p2_and_says_since_when() -> None:
    over: Alert = structs.replace(CART, ended_at=scene.NOW - 30)
    assert proposed(over) == Proposal(proposed(over).severity, "P2 is proposed: it was over at 03:13")


@pytest.mark.parametrize(
    ("environment", "severity"), [("PROD", "P1"), ("PROD?", "P1"), ("", "P1"), ("prod-eu", "P1"), ("staging", "P2")]
)
def test_a_cluster_that_is_known_not_to_be_prod_begins_one_lower(environment: str, severity: str) -> None:
    found = proposed(CART, environment=safe_text(environment))
    assert found.severity.value == severity
    assert bool(found.because) == (severity == "P2")
