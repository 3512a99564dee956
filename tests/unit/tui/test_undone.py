"""What somebody else put back is listed no longer: nobody could ever put it back from here."""

from __future__ import annotations

import pytest
from msgspec import structs

from services.model.action import Altered, Undo
from services.model.cluster import CronJob, Node
from services.model.ref import CRONJOBS, DEPLOYMENTS, NODES, Ref, Resource
from services.model.severity import Severity
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.model.workload import Workload
from services.ports import Snapshot
from tui.undone import put_back

SINCE, LATER = 1_000.0, 1_001.0
CART = Workload(Ref("c", "apps", "Deployment", "shop", "cart", "u-1"), 7, 7, 3, 3, 3, 3, 3, 3, SINCE)


def left(undo: str, ref: Ref, resource: Resource, **given: str) -> Altered:
    return Altered("k", "It", ref, "alice@one", SINCE, Undo(undo, ref, resource, given, "put it back"))


def seen(resource: Resource, row: Workload | Node | CronJob, at: float = LATER) -> Snapshot:
    sources = {CONNECTION: SourceStatus(CONNECTION, SourceState.LIVE, last_ok=at, last_byte=at)}
    return Snapshot(0, {resource.table: {row.ref.key: row}}, sources)


def node(*, unschedulable: bool = False) -> Node:
    return Node(Ref("c", "", "Node", "", "n1", "u-n1"), "Ready", Severity.OK, SINCE, unschedulable=unschedulable)


@pytest.mark.parametrize(
    ("undo", "row", "given", "over"),
    [
        ("resume", CART, {}, True),
        ("resume", structs.replace(CART, paused=True), {}, False),
        ("scale", structs.replace(CART, desired=3), {"replicas": "3"}, True),
        ("scale", structs.replace(CART, desired=4), {"replicas": "3"}, False),
        ("resume-gitops", CART, {}, False),
        ("resume", structs.replace(CART, paused=True, ref=structs.replace(CART.ref, uid="u-new")), {}, True),
    ],
)
def test_a_workload_tells_itself(undo: str, row: Workload, given: dict[str, str], over: bool) -> None:
    assert put_back(left(undo, CART.ref, DEPLOYMENTS, **given), seen(DEPLOYMENTS, row)) is over


def test_nodes_and_cronjobs_tell_too_and_what_is_not_seen_tells_nothing() -> None:
    open_node, closed_node = node(), node(unschedulable=True)
    assert put_back(left("uncordon", open_node.ref, NODES), seen(NODES, open_node))
    assert not put_back(left("uncordon", open_node.ref, NODES), seen(NODES, closed_node))
    nightly = CronJob(Ref("c", "batch", "CronJob", "shop", "nightly", "u-c"), "@daily", False, 0.0)
    assert put_back(left("resume-cronjob", nightly.ref, CRONJOBS), seen(CRONJOBS, nightly))
    assert not put_back(left("uncordon", open_node.ref, NODES), Snapshot(0, {}, {}))
    assert not put_back(left("uncordon", open_node.ref, NODES), seen(NODES, open_node, at=SINCE))
    assert not put_back(left("resume-cronjob", nightly.ref, CRONJOBS), seen(NODES, open_node))
