"""What was changed of late is gathered from the timeline and the ReplicaSets, each change once, with how it went."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from services.insight.changes import changes_of, context_of
from services.insight.correlation import Trouble, suspects
from services.model.alert import Alert, AlertState, Entity
from services.model.change import ChangeKind
from services.model.cluster import Namespace
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Condition, Owner, Pod, ReplicaSetInfo, Rollout, Workload
from services.ports import Snapshot

NOW = 1_800_000_000.0
CART = Ref("c1", "apps", "Deployment", "shop", "cart", "u-cart")


def event(kind: EventKind, at: float, text: str, ref: Ref = CART, **payload: str) -> Event:
    return Event(f"{kind}-{at}-{text}", at, at, kind, ref, text, payload=payload)


def replicaset(revision: int, at: float, **fields: Any) -> ReplicaSetInfo:
    ref = Ref("c1", "apps", "ReplicaSet", "shop", f"cart-h{revision}", f"u-{revision}")
    made = ReplicaSetInfo(
        ref,
        Owner("Deployment", "cart", "u-cart"),
        revision,
        "",
        3,
        3,
        0,
        ("cart:v2",),
        at,
        template_hash=f"h{revision}",
    )
    return structs.replace(made, **fields)


def rollout(
    severity: Severity = Severity.OK, done: bool = True, conditions: tuple[Condition, ...] = (), **fields: Any
) -> Rollout:
    workload = Workload(
        CART, 1, 1, 3, 3, 3, 3, 3, 3, NOW - 9e6, conditions=conditions, changed_by="ci", changed_at=NOW - 299
    )
    return Rollout(workload, severity, "", done, revision=17, **fields)


def snapshot(
    *events: Event, rows: tuple[Rollout, ...] = (), sets: tuple[ReplicaSetInfo, ...] = (), **tables: Any
) -> Snapshot:
    known = {
        "rollouts": {f"Deployment/{row.ref.key}": row for row in rows},
        "replicasets.apps": {one.ref.key: one for one in sets},
    }
    return Snapshot(1, {**known, **tables}, {}, tuple(sorted(events, key=lambda one: -one.at)))


def progressing(status: str, reason: str, at: float) -> tuple[Condition, ...]:
    return (Condition("Progressing", status, reason, "", at, at),)


BEGAN = event(EventKind.ROLLOUT, NOW - 300, "rev 17  v2.0.0→v2.0.1")


@pytest.mark.parametrize(
    ("extra", "row", "end", "healthy"),
    [
        ([], None, 0.0, None),
        ([event(EventKind.ROLLOUT, NOW - 200, "rev 17 complete")], None, NOW - 200, True),
        ([event(EventKind.UNHEALTHY, NOW - 280, "CrashLoop")], None, 0.0, False),
        ([], rollout(Severity.NOTICE, done=False), 0.0, None),
        ([], rollout(Severity.CRIT, done=False), 0.0, False),
        (
            [],
            rollout(Severity.CRIT, done=False, conditions=progressing("False", "ProgressDeadlineExceeded", NOW - 90)),
            NOW - 90,
            False,
        ),
        ([], rollout(conditions=progressing("True", "NewReplicaSetAvailable", NOW - 150)), NOW - 150, None),
        ([event(EventKind.ROLLOUT, NOW - 100, "rev 18  v2.0.1→v2.0.0")], rollout(Severity.CRIT), NOW - 100, None),
    ],
)
def test_a_rollout_lasts_until_it_is_complete_stalled_or_followed(
    extra: list[Event], row: Rollout | None, end: float, healthy: bool | None
) -> None:
    rows = (row,) if row is not None else ()
    change = changes_of(snapshot(BEGAN, *extra, rows=rows, sets=(replicaset(17, NOW - 300),)), NOW)[-1]
    assert (change.start, change.end, change.healthy) == (NOW - 300, end, healthy)
    assert (change.revision, change.template_hash, change.text) == (17, "h17", "rev 17  v2.0.0→v2.0.1")
    assert change.ref == CART
    assert change.actor == ("ci" if row is not None and len(extra) == 0 else "")


def test_the_one_that_was_rolled_back_keeps_its_trouble() -> None:
    bad = event(EventKind.UNHEALTHY, NOW - 280, "CrashLoop")
    back = event(EventKind.ROLLOUT, NOW - 100, "rev 18 (was 16)  v2.0.1→v2.0.0")
    done = event(EventKind.ROLLOUT, NOW - 80, "rev 18 complete")
    latest, former = changes_of(snapshot(BEGAN, bad, back, done, rows=(rollout(),)), NOW)
    assert (former.revision, former.healthy, former.end) == (17, False, NOW - 100)
    assert (latest.revision, latest.healthy, latest.end) == (18, True, NOW - 80)


def test_a_replicaset_that_the_timeline_does_not_tell_of_is_a_rollout_too() -> None:
    sets = (replicaset(16, NOW - 900), replicaset(17, NOW - 300), replicaset(12, NOW - 9e5))
    changes = changes_of(snapshot(BEGAN, sets=sets), NOW)
    assert [(one.revision, one.start, one.end) for one in changes] == [(17, NOW - 300, 0.0), (16, NOW - 900, NOW - 300)]
    assert len({one.id for one in changes}) == 2


def test_one_that_was_chosen_again_is_not_as_old_as_its_replicaset() -> None:
    again = replicaset(18, NOW - 900, revision_history="16")
    assert changes_of(snapshot(sets=(again,)), NOW) == ()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (EventKind.SCALE, ChangeKind.SCALE),
        (EventKind.CONFIG, ChangeKind.CONFIG),
        (EventKind.NODE, ChangeKind.NODE),
        (EventKind.ACTION, ChangeKind.ACTION),
        (EventKind.WARNING, None),
        (EventKind.NOTE, None),
        (EventKind.ALERT, None),
        (EventKind.RECOVERED, None),
    ],
)
def test_what_is_done_at_once_begins_and_ends_at_once(kind: EventKind, change: ChangeKind | None) -> None:
    found = changes_of(snapshot(event(kind, NOW - 60, "x", actor="ops")), NOW)
    assert [(one.kind, one.start, one.end, one.actor) for one in found] == (
        [(change, NOW - 60, NOW - 60, "ops")] if change else []
    )


def test_what_is_older_than_a_day_and_an_hour_is_left_out() -> None:
    assert changes_of(snapshot(event(EventKind.SCALE, NOW - 90_001, "x")), NOW) == ()
    assert len(changes_of(snapshot(event(EventKind.SCALE, NOW - 89_999, "x")), NOW)) == 1


def test_a_snapshot_alone_is_enough_to_name_the_suspect() -> None:
    pod = Pod(
        Ref("c1", "", "Pod", "shop", "cart-x"), "CrashLoopBackOff", Severity.CRIT, 0, 1, 7, NOW - 290,
        labels=("app=cart", "pod-template-hash=h17"),
    )  # fmt: skip
    earlier = [
        event(EventKind.ALERT, NOW - ago, "CartDown firing", fingerprint="f1", what=what)
        for ago, what in ((7200, "began"), (7000, "ended"), (3600, "began"))
    ]
    picture = snapshot(
        BEGAN, *earlier, rows=(rollout(Severity.CRIT, done=False),), sets=(replicaset(17, NOW - 300),),
        pods={"shop/cart-x": pod},
    )  # fmt: skip
    alert = Alert(
        "f1", "f1", "CartDown", Severity.CRIT, AlertState.FIRING, (),
        entity=Entity("c1", "shop", "cart", "cart-x"), onset=NOW - 297,
    )  # fmt: skip
    (found,) = suspects(alert, changes_of(picture, NOW), context_of(picture))
    assert [f"{line.reason} {line.points:+d}" for line in found.lines] == [
        "same workload shop/cart +45",
        "began 3 s after it started +35",
        "rollout unhealthy +12",
        "the pod is one it made +12",
        "fired 2 times in 24 h without it -12",
    ]
    assert (found.score, found.band) == (92, "likely")
    hashes = context_of(picture).template_hashes
    assert dict(hashes) == {"shop/cart-x": "h17"}
    assert "shop/other" not in hashes


def test_a_config_map_is_suspected_where_a_workload_reads_it_and_less_beside() -> None:
    settings = Ref("c1", "", "ConfigMap", "shop", "settings", "u-cm")
    row = rollout(Severity.CRIT, done=False)
    reads = structs.replace(row, workload=structs.replace(row.workload, config_maps=("other", "settings")))
    elsewhere = structs.replace(settings, namespace="bank")
    changed = event(EventKind.CONFIG, NOW - 300, "log", settings)
    for one, first in ((reads, "shop/cart uses ConfigMap settings +45"), (row, "same namespace shop +15")):
        picture = snapshot(changed, event(EventKind.CONFIG, NOW - 300, "log", elsewhere), rows=(one,))
        (found,) = suspects(
            Trouble(Entity("c1", "shop", "cart"), NOW - 240), changes_of(picture, NOW), context_of(picture)
        )
        assert f"{found.lines[0].reason} {found.lines[0].points:+d}" == first
    assert context_of(snapshot(rows=(reads,))).uses == {}, "nothing is gathered where no ConfigMap was changed"


def test_a_lost_node_is_suspected_where_a_workloads_unready_pods_sit_on_it() -> None:
    node = Ref("c1", "", "Node", "", "node-7", "u-node")
    lost = event(EventKind.NODE, NOW - 300, "NotReady: its kubelet is silent", node)
    made = replicaset(1, NOW - 9e6)
    pods = {
        f"shop/cart-h1-{name}": Pod(
            Ref("c1", "", "Pod", "shop", f"cart-h1-{name}", name), "Running", Severity.OK, 1, 1, 0, NOW - 9e5,
            node=on, owner=Owner("ReplicaSet", "cart-h1", "u-1"), unready_since=since,
        )
        for name, on, since in (("a", "node-7", NOW - 300), ("b", "node-8", 0.0))
    }  # fmt: skip
    here = snapshot(lost, sets=(made,), pods=pods)
    context = context_of(here)
    assert dict(context.hosts) == {("shop", "cart"): frozenset({"node-7"})}
    for workload, suspected in (("cart", True), ("search", False)):
        trouble = Trouble(Entity("c1", "shop", workload), NOW - 240)
        found = suspects(trouble, changes_of(here, NOW), context)
        assert bool(found) is suspected
        if found:
            assert found[0].change.kind is ChangeKind.NODE
            assert found[0].lines[0].reason == "unready pods of shop/cart sit on node node-7"


def test_a_rollout_is_suspected_of_what_ails_a_node_its_pods_run_on() -> None:
    began = event(EventKind.ROLLOUT, NOW - 300, "rev 17")
    pod = Pod(
        Ref("c1", "", "Pod", "shop", "cart-h17-a", "a"), "Running", Severity.OK, 1, 1, 0, NOW - 290,
        node="node-7", owner=Owner("ReplicaSet", "cart-h17", "u-17"),
    )  # fmt: skip
    here = snapshot(began, sets=(replicaset(17, NOW - 300),), pods={pod.ref.key: pod})
    for node, score in (("node-7", 55), ("node-8", 0)):
        found = suspects(Trouble(Entity("c1", node=node), NOW - 240), changes_of(here, NOW), context_of(here))
        assert (found[0].score if found else 0) == score


@pytest.mark.parametrize(
    ("change", "at", "founding"),
    [
        ("rev 1  v1", NOW - 3600, True),
        ("rev 2  v1→v2", NOW - 3600, False),
        ("rev 1  v1", NOW - 600, False),
    ],
    ids=["first revision", "second revision", "a new workload in an old cluster"],
)
def test_what_came_with_the_cluster_is_told_apart(change: str, at: float, founding: bool) -> None:
    born = Namespace(Ref("c1", "", "Namespace", "", "kube-system"), "Active", NOW - 3900)
    (found,) = changes_of(snapshot(event(EventKind.ROLLOUT, at, change), namespaces={"kube-system": born}), NOW)
    assert found.founding is founding
    trouble = event(EventKind.UNHEALTHY, at + 1, "CrashLoop")
    (ill, *_) = changes_of(snapshot(event(EventKind.ROLLOUT, at, change), trouble, namespaces={"k": born}), NOW)
    assert not ill.founding, "one that never became well is what it is"


def test_a_node_that_joined_came_with_the_cluster_and_one_that_failed_did_not() -> None:
    born = Namespace(Ref("c1", "", "Namespace", "", "kube-system"), "Active", NOW - 3900)
    node = Ref("c1", "", "Node", "", "n1")
    events = [event(EventKind.NODE, NOW - 3800 + at, text, ref=node) for at, text in enumerate(("Ready", "NotReady"))]
    changes = changes_of(snapshot(*events, namespaces={"kube-system": born}), NOW)
    assert {one.text: one.founding for one in changes} == {"Ready": True, "NotReady": False}
