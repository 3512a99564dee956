"""ConfigMaps are watched last, without their values, and only what changes in them is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from scripted_server import Answer, Request
from test_source import Estate, refusing, running

from cache.live import LiveState
from services.clock import ManualClock
from services.kubernetes import configs
from services.kubernetes.configs import ConfigChanges
from services.kubernetes.decode import DIGESTS, decode_event, decode_list
from services.kubernetes.decode_config import MOST_KEYS
from services.kubernetes.derivation import Derivation
from services.model.cluster import ConfigDigest
from services.model.source import SourceState
from services.ports import Delta, Interest, Replace
from tests.unit.kubernetes.estate_of import NOW
from tests.unit.kubernetes.test_backfill import digest

CANARY = "canary-9f31"


def config_map(name: str = "settings", uid: str = "u1", written: str = "", **data: str) -> dict[str, Any]:
    entry = {"manager": "kubectl", "time": written, "fieldsV1": {"f:data": {f"f:{key}": {} for key in data}}}
    other = {"manager": "controller", "time": "2030-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {}}}
    meta = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": {**meta, "managedFields": [entry, other] if written else []}, "data": data}


def listed(*items: dict[str, Any]) -> dict[str, ConfigDigest]:
    body = json.dumps({"metadata": {"resourceVersion": "7"}, "items": items}).encode()
    return decode_list(DIGESTS, body, "c").rows


def test_only_keys_and_hashes_are_kept() -> None:
    rows = listed(config_map(written="2026-03-01T10:00:00Z", token=CANARY, tax="19", empty=""))
    row = rows["shop/settings"]
    assert [name for name, _ in row.keys] == ["empty", "tax", "token"]
    assert all(len(value) == 12 for _, value in row.keys)
    assert (row.changed_by, row.changed_at, row.created_at) == ("kubectl", 1772359200.0, 1767225600.0)
    assert CANARY not in repr(rows)


def test_equal_values_of_two_objects_cannot_be_told_to_be_equal() -> None:
    rows = listed(config_map("a", "u1", tax="19"), config_map("b", "u2", tax="19"), config_map("c", "u1", tax="19"))
    assert rows["shop/a"].keys != rows["shop/b"].keys
    assert rows["shop/a"].keys == rows["shop/c"].keys


def test_a_key_more_or_less_or_changed_changes_the_digest_and_nothing_else_does() -> None:
    base = listed(config_map(tax="19", vat="7"))["shop/settings"]
    assert listed(config_map(tax="19", vat="7"))["shop/settings"] == base
    for other in (config_map(tax="19"), config_map(tax="19", vat="8"), config_map(tax="19", vat="7", new="")):
        assert listed(other)["shop/settings"].keys != base.keys


def test_a_config_map_of_very_many_keys_is_bounded() -> None:
    many = {f"key-{one:05}": "x" for one in range(5000)}
    row = listed(config_map(**many))["shop/settings"]
    assert len(row.keys) == MOST_KEYS + 1
    assert listed(config_map(**{**many, "key-04999": "y"}))["shop/settings"].keys[-1] != row.keys[-1]


@pytest.mark.parametrize("data", [None, {}, {"a": None}, {"a": 3}])
def test_strange_data_is_read_all_the_same(data: Any) -> None:
    item = config_map()
    item["data"] = data
    item["binaryData"] = {"b": "AAEC"}
    line = json.dumps({"type": "MODIFIED", "object": item}).encode()
    event = decode_event(DIGESTS, line, "c")
    assert event.key == "shop/settings"
    assert "b" in [name for name, _ in event.obj.keys]


def test_what_changed_is_told_and_a_restless_one_is_not() -> None:
    changes = ConfigChanges()
    assert changes.take(Replace(DIGESTS, {"shop/cart-settings": digest(tax="0")}), NOW) == []
    told = [
        len(changes.take(Delta(DIGESTS, {"shop/cart-settings": digest(NOW + one, tax=str(one))}), NOW + one))
        for one in range(1, 40)
    ]
    assert (sum(told), told[:3]) == (3, [1, 1, 1])
    later = NOW + 5000
    [event] = changes.take(Delta(DIGESTS, {"shop/cart-settings": digest(later, tax="x")}), later)
    assert event.text == "changed: tax"


def test_a_new_object_of_an_old_name_is_no_change() -> None:
    changes = ConfigChanges()
    old, new = listed(config_map(uid="u1", tax="1")), listed(config_map(uid="u2", tax="2"))
    changes.take(Replace(DIGESTS, old), NOW)
    assert changes.take(Replace(DIGESTS, new), NOW) == []
    assert changes.take(Delta(DIGESTS, removals=["shop/settings"]), NOW) == []
    assert changes.take(Delta(DIGESTS, old), NOW) == []


def test_more_than_can_be_told_apart_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configs, "MOST", 2)
    changes = ConfigChanges()
    rows = listed(*(config_map(name, name, tax="1") for name in "abc"))
    changes.take(Replace(DIGESTS, rows), NOW)
    other = listed(*(config_map(name, name, tax="2") for name in "abc"))
    assert [event.ref.name for event in changes.take(Delta(DIGESTS, other), NOW)] == ["a", "b"]


def test_digests_reach_no_table_of_the_screen() -> None:
    live = LiveState(ManualClock(NOW))
    derivation = Derivation(live, ManualClock(NOW))
    derivation.apply("k", Replace(DIGESTS, {"shop/cart-settings": digest(tax="1")}))
    derivation.apply("k", Delta(DIGESTS, {"shop/cart-settings": digest(NOW - 5, tax="2")}))
    snapshot = live.publish()
    assert DIGESTS not in snapshot.tables
    assert [event.text for event in snapshot.events] == ["changed: tax"]


async def test_they_are_asked_for_last_in_small_pages() -> None:
    hung = asyncio.Event()

    async def slow_pods(_: Estate, request: Request, answer: Answer) -> bool:
        del answer
        if request.path == "/api/v1/pods" and not request.params.get("watch"):
            await hung.wait()
        return False

    async with running(Interest(tables=("nodes", "pods", DIGESTS)), slow_pods) as world:
        await world.until_live("nodes")
        assert "/api/v1/configmaps" not in world.estate.asked
        hung.set()
        await world.until_live("pods", DIGESTS)
        asked = [request for request in world.server.requests if request.path == "/api/v1/configmaps"]
        assert asked[0].params["limit"] == "25"


async def test_where_they_are_forbidden_nothing_else_suffers() -> None:
    paths = ("/api/v1/configmaps", "/api/v1/namespaces/default/configmaps")
    async with running(Interest(tables=("pods", DIGESTS)), refusing(*paths), fallback=("default",)) as world:
        await world.until_live("pods")
        await world.sink.until(lambda: world.state(f"kubernetes/{DIGESTS}") is SourceState.FORBIDDEN)
        assert world.state("kubernetes") is SourceState.LIVE


async def test_nobody_asks_for_them_unless_they_are_wanted() -> None:
    async with running(Interest(tables=("pods",))) as world:
        await world.until_live("pods")
        assert not [path for path in world.estate.asked if "configmaps" in path]
