"""ControllerRevisions tell the roll-outs of StatefulSets and DaemonSets, live or afterwards, under the same ids."""

from __future__ import annotations

import json
from typing import Any

from msgspec import structs

from cache.live import LiveState
from services.clock import ManualClock
from services.kubernetes.decode import REVISIONS, decode_list
from services.kubernetes.decode_revisions import Chosen
from services.kubernetes.derivation import Derivation
from services.kubernetes.revisions import Revisions
from services.model.ref import Ref
from services.model.timeline import Event, EventKind
from services.model.workload import Owner
from services.ports import Delta, Replace
from tests.unit.kubernetes.estate_of import NOW, workload

DB = Owner("StatefulSet", "db", "uid-db")


def chosen(number: int, tag: str, ago: float = 60.0, owner: Owner | None = DB) -> Chosen:
    ref = Ref("c", "apps", "ControllerRevision", "shop", f"db-{tag}", f"uid-{tag}")
    return Chosen(ref, owner, number, (f"r/db:{tag}",), NOW - ago)


def rows(*found: Chosen) -> dict[str, Chosen]:
    return {one.ref.key: one for one in found}


def facts(events: list[Event]) -> set[tuple[str, str, float]]:
    return {(event.id, event.text, event.at) for event in events}


def test_who_comes_later_tells_the_same() -> None:
    watching = Revisions()
    seen = watching.take(Replace(REVISIONS, rows(chosen(1, "v1", 90000))), {}, NOW)
    seen += watching.take(Delta(REVISIONS, rows(chosen(2, "v2", 50))), {}, NOW)
    seen += watching.take(Delta(REVISIONS, rows(chosen(3, "v1", 5))), {}, NOW)
    assert [event.text for event in seen] == ["rev 2  v1→v2", "rev 3  v2→v1"]
    late = Revisions().take(Replace(REVISIONS, rows(chosen(3, "v1", 5), chosen(2, "v2", 50))), {}, NOW + 600)
    assert facts(late) <= facts([*seen, *late])
    assert {event.id for event in late} == {event.id for event in seen}
    assert {event.text for event in late} == {"rev 2  v2", "rev 3  v2→v1"}, "what came before rev 2 is known no more"


def test_it_is_about_the_workload_and_says_who_wrote_it() -> None:
    db = workload("StatefulSet", "db", changed_by="ci", changed_at=NOW - 61)
    [event] = Revisions().take(Replace(REVISIONS, rows(chosen(4, "v4"))), {db.ref.uid: db}, NOW)
    assert (event.ref.kind, event.ref.key, event.ref.uid) == ("StatefulSet", "shop/db", "uid-db")
    assert (event.kind, event.payload) == (EventKind.ROLLOUT, {"actor": "ci"})
    later = structs.replace(db, changed_by="somebody", changed_at=NOW - 5)
    [event] = Revisions().take(Replace(REVISIONS, rows(chosen(4, "v4"))), {db.ref.uid: later}, NOW)
    assert event.payload == {}, "who wrote the template since made a later revision"


def test_what_is_old_has_no_owner_or_stays_as_it_was_is_no_news() -> None:
    revisions = Revisions()
    assert revisions.take(Replace(REVISIONS, rows(chosen(1, "v1", 90000), chosen(2, "x", owner=None))), {}, NOW) == []
    assert len(revisions.take(Delta(REVISIONS, rows(chosen(2, "v2"))), {}, NOW)) == 1
    assert revisions.take(Delta(REVISIONS, rows(chosen(2, "v2"))), {}, NOW) == []
    assert revisions.take(Delta(REVISIONS, removals=["shop/db-v2"]), {}, NOW) == []
    assert len(revisions.take(Delta(REVISIONS, rows(chosen(2, "v2"))), {}, NOW)) == 1


def test_it_is_told_once_whether_the_workload_or_its_revision_comes_first() -> None:
    live = LiveState(ManualClock(NOW))
    derivation = Derivation(live, ManualClock(NOW))
    old = workload("StatefulSet", "db", revision="", update_revision="a", current_revision="a", conditions=())
    derivation.apply("k", Replace("statefulsets.apps", {"shop/db": old}))
    derivation.apply("k", Replace(REVISIONS, rows(chosen(1, "v1", 90000))))
    new = workload("StatefulSet", "db", revision="", update_revision="b", current_revision="a", conditions=())
    derivation.apply("k", Delta("statefulsets.apps", {"shop/db": new}))
    derivation.apply("k", Delta(REVISIONS, rows(chosen(2, "v2"))))
    told = [event.text for event in live.publish().events if event.kind is EventKind.ROLLOUT]
    assert told == ["rev 2  v1→v2"]
    assert REVISIONS not in live.snapshot().tables


def test_a_row_carries_the_number_and_what_was_before_whichever_comes_first() -> None:
    live = LiveState(ManualClock(NOW))
    derivation = Derivation(live, ManualClock(NOW))
    for table in ("deployments.apps", "daemonsets.apps", "replicasets.apps", "pods"):
        derivation.apply("k", Replace(table, {}))
    db = workload("StatefulSet", "db", revision="", update_revision="db-v2", current_revision="db-v1")
    derivation.apply("k", Replace("statefulsets.apps", {"shop/db": db}))
    derivation.flush(NOW)
    assert [row.revision for row in live.publish().tables["rollouts"].values()] == [0]
    derivation.apply("k", Replace(REVISIONS, rows(chosen(1, "v1", 90000), chosen(2, "v2", 50))))
    derivation.flush(NOW)
    [row] = live.publish().tables["rollouts"].values()
    assert (row.revision, row.previous_revision, row.previous_images) == (2, 1, ("r/db:v1",))
    derivation.apply("k", Delta("statefulsets.apps", {"shop/db": structs.replace(db, update_revision="db-v1")}))
    derivation.apply("k", Delta(REVISIONS, rows(chosen(3, "v1", 5))))
    derivation.flush(NOW)
    [row] = live.publish().tables["rollouts"].values()
    assert (row.revision, row.previous_revision, row.previous_images) == (3, 2, ("r/db:v2",))


def revision_json(**more: Any) -> dict[str, Any]:
    owner = {"kind": "DaemonSet", "name": "agent", "uid": "u1", "controller": True}
    meta = {"name": "agent-1", "namespace": "kube-system", "uid": "u2", "ownerReferences": [owner]}
    meta |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, "revision": 7, **more}


def test_a_revision_as_the_server_sends_it() -> None:
    template = {"spec": {"template": {"$patch": "replace", "spec": {"containers": [{"name": "a", "image": "r/a:9"}]}}}}
    bumped = revision_json(data=template)
    entry = {"manager": "kube-controller-manager", "time": "2026-01-05T00:00:00Z", "fieldsV1": {"f:revision": {}}}
    bumped["metadata"]["managedFields"] = [entry]
    body = json.dumps({"items": [bumped, {**revision_json(data=None), "revision": None}]}).encode()
    found = decode_list(REVISIONS, body, "c").rows["kube-system/agent-1"]
    assert found.number == 0
    [row] = decode_list(REVISIONS, json.dumps({"items": [bumped]}).encode(), "c").rows.values()
    assert (row.number, row.images, row.at) == (7, ("r/a:9",), 1767571200.0)
    assert row.owner == Owner("DaemonSet", "agent", "u1")
