"""What is watched, joined into what is shown: by any road, the same picture; and each happening told once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cache.live import LiveState
from services.clock import ManualClock
from services.kubernetes.derivation import AGAIN, Derivation
from services.kubernetes.history import diff_templates, revisions
from services.kubernetes.last_words import telling
from services.model.cluster import Job, KubeEvent
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import EventKind
from services.model.workload import Rollout
from services.ports import Delta, Replace
from tests.unit.kubernetes.estate_of import NOW, crashing, node, pod, replicaset, rolling, workload

ALL = ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "pods", "nodes", "jobs.batch")


class Joined:
    """A derivation over live state, with the tables of one small shop."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.live = LiveState(self.clock)
        self.derivation = Derivation(self.live, self.clock)
        self.live.add_hook(self.derivation.flush)

    def list_all(self, **tables: dict[str, Any]) -> None:
        for table in ALL:
            self.derivation.apply("k", Replace(table, tables.get(table.partition(".")[0], {})))

    def put(self, table: str, *objects: Any) -> None:
        self.derivation.apply("k", Delta(table, {one.ref.key: one for one in objects}))

    def drop(self, table: str, *keys: str) -> None:
        self.derivation.apply("k", Delta(table, {}, keys))

    @property
    def rollouts(self) -> dict[str, Rollout]:
        return dict(self.live.publish().tables.get("rollouts", {}))

    @property
    def cart(self) -> Rollout:
        return self.rollouts["Deployment/shop/cart"]

    @property
    def symptoms(self) -> dict[str, str]:
        return {key: one.text for key, one in self.live.publish().tables.get("symptoms", {}).items()}

    @property
    def told(self) -> list[tuple[EventKind, str]]:
        return [(event.kind, event.text) for event in self.live.publish().events]


@pytest.fixture
def shop() -> Joined:
    joined = Joined()
    joined.list_all(
        deployments={"shop/cart": workload()},
        replicasets={one.ref.key: one for one in (replicaset(1, created_at=NOW - 9000), replicaset(2))},
        pods={one.ref.key: one for one in (pod("a"), pod("b"), pod("c"))},
        nodes={"node-1": node()},
    )
    return joined


def test_a_healthy_list_is_no_news_but_for_its_roll_outs(shop: Joined) -> None:
    assert shop.cart.severity is Severity.OK
    assert shop.symptoms == {}
    revisions = ["rev 1  v1", "rev 2  v1→v2", "rev 2 complete"]
    assert sorted(shop.told) == [(EventKind.ROLLOUT, text) for text in revisions]


def test_a_crash_reaches_its_workload_through_the_replicaset(shop: Joined) -> None:
    shop.put("deployments.apps", workload(ready=0, available=0, conditions=rolling()))
    shop.put("pods", crashing("a"), crashing("b"), crashing("c"))
    assert (shop.cart.severity, shop.cart.what) == (Severity.CRIT, "CrashLoop exit 1, x7")
    assert (EventKind.UNHEALTHY, "CrashLoop exit 1, x7") in shop.told


def test_recovery_is_told_and_remembered(shop: Joined) -> None:
    shop.put("deployments.apps", workload(ready=0, available=0))
    assert shop.cart.severity is Severity.CRIT
    shop.put("deployments.apps", workload(resource_version="9"))
    assert shop.cart.severity is Severity.OK
    assert shop.cart.recovered_at == NOW
    assert shop.told[0] == (EventKind.RECOVERED, "recovered")


def test_three_changes_of_health_are_flapping(shop: Joined) -> None:
    for turn in range(2):
        shop.put("deployments.apps", workload(ready=0, available=0, resource_version=f"{turn}a"))
        shop.live.publish()
        shop.put("deployments.apps", workload(resource_version=f"{turn}b"))
        shop.live.publish()
    assert shop.cart.flapping
    assert len(shop.cart.changes) == 4


def test_what_is_deleted_goes(shop: Joined) -> None:
    shop.drop("deployments.apps", "shop/cart")
    assert shop.rollouts == {}


def test_rows_of_a_cache_that_are_no_more_go_with_the_first_whole_picture() -> None:
    joined = Joined()
    old = workload(name="gone")
    joined.live.apply("cache", Replace("rollouts", {"Deployment/shop/gone": Rollout(old, Severity.OK, "", True)}))
    assert "Deployment/shop/gone" in joined.rollouts
    joined.list_all(deployments={"shop/cart": workload()})
    assert list(joined.rollouts) == ["Deployment/shop/cart"]


def test_a_kind_that_is_refused_does_not_keep_the_picture_from_being_whole() -> None:
    joined = Joined()
    joined.live.apply("cache", Replace("rollouts", {"x": Rollout(workload(name="x"), Severity.OK, "", True)}))
    for table in ("deployments.apps", "statefulsets.apps"):
        joined.derivation.apply("k", Replace(table, {}))
    joined.derivation.status(SourceStatus("kubernetes/daemonsets.apps", SourceState.FORBIDDEN))
    joined.live.nudge()
    assert joined.rollouts == {}


def test_symptoms_of_the_cluster(shop: Joined) -> None:
    shop.put("nodes", node("node-2", "NotReady", severity=Severity.CRIT), node("node-3", pressure=("DiskPressure",)))
    job = Job(Ref("c", "batch", "Job", "shop", "export", "u"), "Failed", Severity.WARN, NOW - 60, finished_at=NOW - 30)
    shop.put("jobs.batch", job)
    shop.put("pods", pod("z", owner="", unschedulable="0/3 nodes", created_at=NOW - 60))
    assert shop.symptoms == {
        "nodes-not-ready": "1 node not ready: node-2",
        "nodes-pressed": "1 node under pressure: node-3",
        "jobs-failed": "1 job failed: shop/export",
        "pods-unschedulable": "1 pod without a node: shop/cart-z",
    }


async def test_a_burst_of_warnings_ends_by_time_alone(shop: Joined) -> None:
    about = Ref("c", "", "Pod", "shop", "a", "u")
    for index in range(20):
        ref = Ref("c", "", "Event", "shop", f"e{index}", f"u{index}")
        shop.put("events", KubeEvent(ref, about, "Warning", "BackOff", "words", NOW - index))
    shop.live.publish()
    assert "20 warnings" in shop.symptoms["warnings"]
    assert 0 < shop.derivation.next_due() - NOW <= 300
    await shop.clock.advance(310)
    shop.derivation.flush(shop.clock.now())
    shop.live.publish()
    assert "warnings" not in shop.symptoms


def test_two_consoles_give_a_happening_one_id() -> None:
    ids = []
    for _ in range(2):
        joined = Joined()
        joined.list_all(deployments={"shop/cart": workload()}, replicasets={"shop/cart-2": replicaset(2)})
        joined.put("deployments.apps", workload(ready=0, available=0, changed_at=NOW - 5))
        ids.append({event.id for event in joined.live.publish().events})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 3


def test_last_words_are_asked_for_once_a_restart(shop: Joined) -> None:
    shop.put("deployments.apps", workload(ready=0, available=0, conditions=rolling()))
    shop.put("pods", crashing("a"))
    shop.live.publish()
    (asked,) = shop.derivation.speechless()
    shop.derivation.heard(asked, "no such column: vat")
    shop.derivation.flush(NOW)
    shop.live.publish()
    assert shop.cart.last_words == "no such column: vat"
    assert shop.derivation.speechless() == []


PODS = st.builds(
    lambda name, kind, owner: (
        pod(name, owner) if kind == "ok" else structs.replace(crashing(name), owner=pod(name, owner).owner)
    ),
    st.sampled_from("abcd"),
    st.sampled_from(["ok", "crash"]),
    st.sampled_from(["uid-cart-1", "uid-cart-2", "uid-other"]),
)
SETS = st.builds(replicaset, st.sampled_from([1, 2, 3]), desired=st.integers(0, 3))
WORKLOADS = st.builds(
    workload,
    ready=st.integers(0, 3),
    available=st.integers(0, 3),
    paused=st.booleans(),
    name=st.sampled_from(["cart", "x"]),
)
STEP = st.one_of(
    st.tuples(st.just("put"), st.just("pods"), PODS),
    st.tuples(st.just("put"), st.just("replicasets.apps"), SETS),
    st.tuples(st.just("put"), st.just("deployments.apps"), WORKLOADS),
    st.tuples(st.just("drop"), st.sampled_from(["pods", "replicasets.apps", "deployments.apps"]), st.integers(0, 5)),
    st.tuples(st.just("relist"), st.sampled_from(["pods", "replicasets.apps", "deployments.apps"]), st.none()),
    st.tuples(st.just("flush"), st.none(), st.none()),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(STEP, max_size=30))
def test_any_road_leads_to_the_same_picture(steps: list[tuple[str, Any, Any]]) -> None:
    joined = Joined()
    joined.list_all()
    tables: dict[str, dict[str, Any]] = {"pods": {}, "replicasets.apps": {}, "deployments.apps": {}}
    for kind, table, what in steps:
        if kind == "put":
            tables[table][what.ref.key] = what
            joined.put(table, what)
        elif kind == "drop" and what < len(tables[table]):
            key = sorted(tables[table])[what]
            del tables[table][key]
            joined.drop(table, key)
        elif kind == "relist":
            joined.derivation.apply("k", Replace(table, dict(tables[table])))
        elif kind == "flush":
            joined.live.publish()
    fresh = Joined()
    fresh.list_all(**{table.partition(".")[0]: rows for table, rows in tables.items()})
    assert facts(joined.rollouts) == facts(fresh.rollouts)


def facts(rows: dict[str, Rollout]) -> dict[str, Any]:
    """Leave out what is a matter of history: when health changed."""
    return {key: structs.replace(row, changes=(), flapping=False, recovered_at=0.0) for key, row in rows.items()}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["starting", "ERROR no such column: vat"], "ERROR no such column: vat"),
        (["Traceback (most recent call last):", '  File "a.py", line 1', "KeyError: 'vat'"], "KeyError: 'vat'"),
        (["Exception in thread main", "    at a.b(C.java:1)", "    at c.d(E.java:2)"], "Exception in thread main"),
        (["one", "two", ""], "two"),
        ([], ""),
    ],
)
def test_the_telling_line_of_a_log(lines: list[str], words: str) -> None:
    assert telling(lines) == words


DEPLOYMENT = (
    b'{"metadata":{"uid":"u","annotations":{"deployment.kubernetes.io/revision":"3"},"managedFields":'
    b'[{"manager":"ci","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:spec":{"f:template":{}}}}]}}'
)


def replicaset_json(name: str, revision: int, image: str, owner: str = "u", history: str = "") -> str:
    return (
        f'{{"metadata":{{"name":"{name}","uid":"{name}","creationTimestamp":"2026-01-01T00:00:00Z",'
        f'"annotations":{{"deployment.kubernetes.io/revision":"{revision}",'
        f'"deployment.kubernetes.io/revision-history":"{history}"}},'
        f'"ownerReferences":[{{"controller":true,"uid":"{owner}"}}]}},'
        f'"spec":{{"replicas":1,"template":{{"metadata":{{"labels":{{"pod-template-hash":"{name}","app":"a"}}}},'
        f'"spec":{{"containers":[{{"name":"app","image":"{image}","env":[{{"name":"DB_PASSWORD","value":"{name}"}}]}}]}}}}}}}}'
    )


def test_history_newest_first_own_replicasets_only() -> None:
    items = ",".join(
        [
            replicaset_json("one", 3, "app:v1", history="1"),
            replicaset_json("two", 2, "app:v2"),
            replicaset_json("other", 9, "app:v9", owner="somebody"),
        ]
    )
    found = revisions(DEPLOYMENT, f'{{"items":[{items}]}}'.encode(), "Deployment")
    assert [(one.number, one.images, one.current, one.was) for one in found] == [
        (3, ("app:v1",), True, "1"),
        (2, ("app:v2",), False, ""),
    ]
    assert found[0].who == "ci"
    changes = diff_templates(found[1].template, found[0].template)
    assert [change.path for change in changes] == [
        "spec.containers[app].env[DB_PASSWORD].value",
        "spec.containers[app].image",
    ]
    assert "one" not in changes[0].new
    assert "two" not in changes[0].old
    assert changes[0].old != changes[0].new
    assert (changes[1].old, changes[1].new) == ("app:v2", "app:v1")


async def test_trouble_is_looked_at_again_however_often_other_things_are_said(shop: Joined) -> None:
    shop.put("deployments.apps", workload(ready=0, available=0, conditions=rolling()))
    shop.put("pods", crashing("a"), crashing("b"), crashing("c"))
    due = {shop.derivation.next_due() for _ in range(2) if shop.cart}
    for _ in range(20):
        await shop.clock.advance(2)
        shop.live.status(SourceStatus("prometheus/main", SourceState.LIVE, last_ok=shop.clock.now()))
        shop.live.publish()
        due.add(shop.derivation.next_due())
    assert due == {NOW + AGAIN}
    await shop.clock.advance(20)
    shop.live.publish()
    assert shop.derivation.next_due() == NOW + 2 * AGAIN
