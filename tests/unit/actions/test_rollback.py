"""A way back is planned on its grounds, which are said, and is over when the revision runs and its alerts are quiet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec import json, structs

from services.actions.rollback import ALERT_PATIENCE, Rollback
from services.actions.spec import Document, Refused
from services.clock import ManualClock
from services.errors import Problem
from services.model.action import Ended, Outcome, Plan, Progress, Target, Write
from services.model.alert import Alert, AlertState, Entity
from services.model.ref import DEPLOYMENTS, PODS, REPLICASETS, Ref, Resource
from services.model.severity import Severity
from services.model.workload import Healthy
from services.ports import Snapshot
from services.sanitize import safe_text
from tests.unit.actions.stage import StageHands, World
from tests.unit.kubernetes.test_undo import UID, deployment, held

WEB = Target(Ref("c", "apps", "Deployment", "shop", "web", UID), DEPLOYMENTS)
HELD = [held(1, "web:1"), held(2, "web:2"), held(3, "web:3", ready=2)]
SLOW, NEAR = ("Slow", "shop", "web"), ("Slow", "shop", "other")


def fires(name: str, namespace: str, workload: str) -> Alert:
    entity = Entity("c", namespace, workload)
    return Alert(f"{name}/{workload}", "f", name, Severity.CRIT, AlertState.FIRING, (), entity=entity)


class Rushed(ManualClock):
    """A clock whose waits are over at once."""

    async def sleep(self, seconds: float) -> None:
        self._elapsed += seconds


class Web(StageHands):
    """Has a Deployment that runs at once what it is given, its ReplicaSets, and `quiet_after` seconds of an alert."""

    def __init__(self, quiet_after: float = 0.0, marks: Mapping[int, Healthy] | None = None, **spec: Any) -> None:
        super().__init__(World())
        self.clock = Rushed()
        self.marks = marks or {}
        self.quiet_after = quiet_after
        self.workload = deployment("web:3", 3, replicas=2, **spec)
        self.workload["metadata"] |= {"namespace": "shop", "resourceVersion": "7", "generation": 3}
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
        self.workload["status"] = {"observedGeneration": 3, **counts}

    def snapshot(self) -> Snapshot:
        quiet = self.clock.monotonic() >= self.quiet_after
        rows = [fires(*NEAR), *([] if quiet else [fires(*SLOW)])]
        return Snapshot(0, {"alerts": {one.key: one for one in rows}}, {})

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        return self.marks

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        if resource == REPLICASETS:
            return next(one for one in HELD if one["metadata"]["name"] == name)
        if resource != DEPLOYMENTS:
            raise Problem(safe_text("not there"), 404)
        return self.workload

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        return HELD if resource == REPLICASETS else [{"metadata": {}}] * 2 if resource == PODS else ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        after = with_template(self.workload, write)
        if not dry_run:
            self.workload = after
        return after


def with_template(workload: Document, write: Write) -> Document:
    """Return a workload with the template that a rollback's JSON Patch puts into it."""
    template = json.decode(write.body)[0]["value"]
    return {**workload, "spec": {**workload["spec"], "template": template}}


async def planned(hands: Web, **given: str) -> Plan:
    return await Rollback().plan(WEB, given, hands)


@pytest.mark.parametrize(
    ("marks", "to", "number", "words", "inferred"),
    [
        ({}, "", "2", "inferred", True),
        ({1: Healthy(10.0, 20.0)}, "", "1", "the last one observed healthy", False),
        ({1: Healthy(10.0, 20.0), 2: Healthy(5.0, 9.0)}, "", "1", "the last one observed healthy", False),
        ({1: Healthy(10.0, 20.0)}, "2", "2", "as asked for", False),
    ],
)
async def test_the_grounds_on_which_a_revision_was_chosen_are_said(
    marks: Mapping[int, Healthy], to: str, number: str, words: str, inferred: bool
) -> None:
    plan = await planned(Web(marks=marks), **({"to": to} if to else {}))
    assert plan.parameters == {"to": number}
    said = {one.label: one for one in plan.facts}
    assert words in said["to"].text
    assert ("inferred" in said) is inferred
    assert plan.undo is not None
    assert plan.undo.parameters == {"to": "3"}


@pytest.mark.parametrize(("to", "why"), [("0", "is no revision"), ("x", "is no revision"), ("9", "unable to find")])
async def test_what_is_no_revision_is_refused(to: str, why: str) -> None:
    with pytest.raises((Refused, Problem), match=why):
        await planned(Web(), to=to)


async def back(hands: Web) -> tuple[Plan, Ended, list[str]]:
    plan, told = await planned(hands), list[str]()

    async def note(progress: Progress) -> None:
        told.append(progress.text)

    await Rollback().execute(plan, hands, note)
    return plan, await Rollback().verify(plan, hands, note), told


async def test_it_is_verified_when_its_own_alerts_have_cleared() -> None:
    plan, ended, told = await back(Web(quiet_after=30.0))
    assert plan.expects == "until rev 2 is available and Slow clears"
    assert (ended.outcome, ended.at >= 30.0) == (Outcome.OK, True)
    assert ended.text == "shop/web runs what revision 2 was; its alerts have cleared"
    assert "available; waiting for Slow to clear" in told


async def test_an_alert_that_goes_on_is_said_and_does_not_make_it_a_failure() -> None:
    _, ended, _ = await back(Web(quiet_after=1e9))
    assert ended.outcome is Outcome.OK
    assert ended.text.endswith(f"Slow still fires after {ALERT_PATIENCE:.0f} s")


async def test_of_a_workload_without_alerts_nothing_is_waited_for() -> None:
    plan, ended, _ = await back(Web())
    assert plan.expects == "until rev 2 is available"
    assert ended.text == "shop/web runs what revision 2 was"


async def test_a_change_that_is_not_there_has_failed() -> None:
    hands = Web()
    plan = await planned(hands)

    async def note(_progress: Progress) -> None:
        return

    assert (await Rollback().verify(plan, hands, note)).outcome is Outcome.FAILED
    gone = structs.replace(plan, target=structs.replace(WEB, ref=structs.replace(WEB.ref, uid="other")))
    assert (await Rollback().verify(gone, hands, note)).outcome is Outcome.FAILED
