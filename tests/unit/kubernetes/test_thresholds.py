"""Each threshold of `[rollouts]` turns what it says it turns, from the start and while the console runs."""

from __future__ import annotations

from msgspec import structs

from services.config_schema import RolloutSettings
from services.kubernetes.diagnosis import diagnose
from services.model.cluster import KubeEvent
from services.model.ref import Ref
from services.model.severity import Severity
from tests.unit.kubernetes.estate_of import NOW, pod, rolling, workload
from tests.unit.kubernetes.test_derivation import Joined

NOWHERE = "0/12 nodes are available: 12 Insufficient cpu."


def shop() -> Joined:
    joined = Joined()
    joined.list_all(deployments={"shop/cart": workload()})
    joined.live.publish()
    return joined


def test_restarts() -> None:
    restarted = [pod(restarts=4, last_restart_at=NOW - 30)]
    for least, severity in ((4, Severity.WARN), (5, Severity.OK)):
        row = diagnose(workload(), [], restarted, NOW, settings=RolloutSettings(restarts=least))
        assert row.severity is severity, least


def test_a_pod_may_wait_for_a_node_as_long_as_the_settings_say_and_its_row_says_why_at_once() -> None:
    waiting = [pod(status="Pending", severity=Severity.NOTICE, ready=0, unschedulable=NOWHERE, created_at=NOW - 45)]
    young = workload(desired=8, ready=7, updated=2, available=7, conditions=rolling())
    new = workload(desired=1, ready=0, updated=1, available=0, conditions=rolling())
    for patience, one, severity in (
        (30, young, Severity.WARN),
        (60, young, Severity.NOTICE),
        (30, new, Severity.CRIT),
        (60, new, Severity.NOTICE),
    ):
        row = diagnose(one, [], waiting, NOW, settings=RolloutSettings(pending_seconds=patience))
        assert (row.severity, row.what) == (severity, "unschedulable: 0/12 nodes, cpu"), (patience, one.ready)


async def test_a_row_gets_worse_when_the_wait_is_over_though_nothing_is_heard() -> None:
    joined = shop()
    young = workload(desired=8, ready=7, updated=2, available=7, conditions=rolling(), resource_version="2")
    joined.put("deployments.apps", young)
    joined.put("pods", pod(owner="uid-cart", status="Pending", ready=0, unschedulable=NOWHERE, created_at=NOW))
    assert joined.cart.severity is Severity.NOTICE
    assert joined.derivation.next_due() == NOW + 30
    await joined.clock.advance(31)
    joined.live.nudge()
    assert joined.cart.severity is Severity.WARN


def test_flapping() -> None:
    joined = shop()
    joined.derivation.use(RolloutSettings(flapping_changes=5))
    for turn in range(2):
        joined.put("deployments.apps", workload(ready=0, available=0, resource_version=f"{turn}a"))
        joined.live.publish()
        joined.put("deployments.apps", workload(resource_version=f"{turn}b"))
        joined.live.publish()
    assert not joined.cart.flapping
    joined.derivation.use(RolloutSettings(flapping_changes=4))
    joined.live.nudge()
    assert joined.cart.flapping


async def test_flapping_ends_as_soon_as_the_settings_say() -> None:
    joined = shop()
    joined.derivation.use(RolloutSettings(flapping_changes=2, flapping_seconds=60))
    for version, ready in (("1", 0), ("2", 3)):
        joined.put("deployments.apps", workload(ready=ready, available=ready, resource_version=version))
        joined.live.publish()
    assert joined.cart.flapping
    await joined.clock.advance(61)
    joined.live.nudge()
    assert not joined.cart.flapping


def test_a_burst_and_a_wait_as_symptoms() -> None:
    joined = shop()
    about = Ref("c", "", "Pod", "shop", "a", "u")
    for index in range(5):
        ref = Ref("c", "", "Event", "shop", f"e{index}", f"u{index}")
        joined.put("events", KubeEvent(ref, about, "Warning", "BackOff", "words", NOW - index))
    joined.put("pods", pod("z", owner="", unschedulable=NOWHERE, created_at=NOW - 60))
    assert set(joined.symptoms) == {"pods-unschedulable"}
    joined.derivation.use(structs.replace(RolloutSettings(), warning_burst=5, pending_seconds=90))
    joined.live.nudge()
    assert set(joined.symptoms) == {"warnings"}
