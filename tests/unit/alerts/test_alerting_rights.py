"""What greys the keys of alerts: nothing where an Alertmanager is reached directly, else the right to go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from services.actions.registry import BY_ID
from services.alerts.alertmanagers import Alertmanagers
from services.alerts.hands import SERVICES, AlertingHands
from services.model.action import Right, Target
from services.model.ref import ALERTS, DEPLOYMENTS, Ref
from services.ports import AccessAnswer
from services.sanitize import safe_text
from tests.unit.actions.stage import StageHands, World
from tui.acting import Acting

ALERT = Target(Ref("c", "", "Alert", "", "Down", "f-1"), ALERTS)


@dataclass
class Ways:
    """Alertmanagers, as far as the way to them goes."""

    services: tuple[str, ...]


class Narrow(StageHands):
    """A user who may go through Services in some namespaces only, and is asked nothing in vain."""

    def __init__(self, *namespaces: str, reason: str = "") -> None:
        super().__init__(World())
        self.namespaces, self.reason = namespaces, reason
        self.asked: list[Right] = []

    async def can(self, right: Right) -> AccessAnswer:
        self.asked.append(right)
        return AccessAnswer(right.namespace in self.namespaces, safe_text(self.reason))


def hands(cluster: Narrow, ways: Ways | None) -> AlertingHands:
    return AlertingHands(cluster, lambda: cast("Alertmanagers | None", ways))


@pytest.mark.parametrize(
    ("services", "allowed", "reason", "asked"),
    [
        (None, True, "", []),
        ((), True, "", []),
        (("observe/alertmanager:9093",), True, "", ["observe"]),
        (("closed/alertmanager:9093",), False, "the way is services/proxy in closed: no role allows it", ["closed"]),
        (("closed/a:9093", "closed/b:9093"), False, "the way is services/proxy in closed: no role", ["closed"]),
        (("closed/a:9093", "observe/b:9093"), True, "", ["closed", "observe"]),
        (("closed/a:1", "shut/b:1"), False, "the way is services/proxy in closed, shut: no role", ["closed", "shut"]),
    ],
)
async def test_the_way_to_an_alertmanager_decides(
    services: tuple[str, ...] | None, allowed: bool, reason: str, asked: list[str]
) -> None:
    cluster = Narrow("observe", reason="no role allows it")
    right = BY_ID["silence"].right(ALERT)
    found = await hands(cluster, Ways(services) if services is not None else None).can(right)
    assert found.allowed is allowed
    if not allowed:
        assert found.reason.startswith(reason)
    assert [(one.verb, one.resource, one.namespace, one.subresource) for one in cluster.asked] == [
        ("create", SERVICES, namespace, "proxy") for namespace in asked
    ]


async def test_ending_a_silence_asks_for_its_own_verb_and_workloads_for_themselves() -> None:
    cluster = Narrow()
    through = hands(cluster, Ways(("closed/alertmanager:9093",)))
    assert not (await through.can(BY_ID["expire"].right(ALERT))).allowed
    assert not (await through.can(Right("patch", DEPLOYMENTS, "shop"))).allowed
    assert [(one.verb, one.resource) for one in cluster.asked] == [("delete", SERVICES), ("patch", DEPLOYMENTS)]


async def test_every_key_of_an_alert_is_grey_with_that_reason() -> None:
    cluster = Narrow(reason="no role allows it")
    acting = Acting.__new__(Acting)
    acting._hands = hands(cluster, Ways(("closed/alertmanager:9093",)))
    found = await acting.forbidden(ALERT)
    assert found.keys() == {"ack", "silence", "extend", "expire"}
    assert all("services/proxy in closed" in reason for reason in found.values())


async def test_a_part_of_an_object_is_named_with_it() -> None:
    acting = Acting.__new__(Acting)
    acting._hands = hands(Narrow(), None)
    found = await acting.forbidden(Target(Ref("c", "apps", "Deployment", "shop", "cart", "u"), DEPLOYMENTS))
    assert found["shell"] == "you may not create pods/exec"
    assert found["scale"] == "you may not patch deployments/scale"
    assert found["restart"] == "you may not patch deployments"
