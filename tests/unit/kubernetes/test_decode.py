"""Lists and watch lines become domain types; a bad object is set aside, and nothing else is ever raised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.decode import (
    TYPED,
    Undecodable,
    decode_event,
    decode_list,
    decode_usage,
    pods_from_table,
)
from services.model.severity import Severity

TABLES = sorted(TYPED)


def body(*items: Any, **meta: Any) -> bytes:
    return json.dumps({"kind": "List", "metadata": {"resourceVersion": "7", **meta}, "items": list(items)}).encode()


def thing(name: str = "a", namespace: str = "shop", **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"u-{name}", "resourceVersion": "5"}, **rest}


@pytest.mark.parametrize("table", TABLES)
def test_the_least_object_of_every_kind_is_read(table: str) -> None:
    page = decode_list(table, body(thing(), **{"continue": "c1", "remainingItemCount": 3}), "c")
    assert list(page.rows) == ["shop/a"]
    assert (page.resource_version, page.continue_token, page.remaining) == ("7", "c1", 3)
    ref = page.rows["shop/a"].ref
    assert (ref.cluster, ref.kind, ref.group, ref.uid) == ("c", TYPED[table].kind, TYPED[table].group, "u-a")


@pytest.mark.parametrize("table", TABLES)
def test_a_bad_item_is_quarantined_and_its_neighbours_stay(table: str) -> None:
    bad = {"metadata": {"name": "bad", "namespace": "shop", "labels": 3, "resourceVersion": 9, "generation": "x"}}
    page = decode_list(table, body(thing("a"), bad, {"metadata": None}, 3, thing("b")), "c")
    assert set(page.rows) >= {"shop/a", "shop/b"}
    assert len(page.rows) + len(page.quarantined) == 5
    assert all(each.reason for each in page.quarantined)


@pytest.mark.parametrize("table", TABLES)
def test_null_lists_and_objects_count_as_absent(table: str) -> None:
    nulls = {"metadata": {"name": "a", "labels": None, "ownerReferences": None, "annotations": None}}
    page = decode_list(table, body({**nulls, "spec": None, "status": None}), "c")
    assert not page.quarantined
    empty = decode_list(table, b'{"metadata":{},"items":null}', "c")
    assert (empty.rows, empty.quarantined) == ({}, [])


@pytest.mark.parametrize("table", ["deployments.apps", "statefulsets.apps", "daemonsets.apps", "rollouts.argoproj.io"])
def test_a_workload_names_the_config_maps_that_its_template_reads(table: str) -> None:
    named = [{"name": f"cm-{at}"} for at in range(6)]
    template = {
        "volumes": [
            {"configMap": named[0]},
            {"projected": {"sources": [{"configMap": named[1]}, {"secret": {"name": "x"}}]}},
            {"secret": {"secretName": "x"}},
        ],
        "containers": [
            {"envFrom": [{"configMapRef": named[2]}, {"secretRef": {"name": "x"}}, {"configMapRef": named[0]}]},
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": named[3]}}, {"name": "B", "value": "x"}]},
        ],
        "initContainers": [{"envFrom": [{"configMapRef": named[4]}], "env": None}],
    }
    page = decode_list(table, body(thing(spec={"template": {"spec": template}})), "c")
    assert page.rows["shop/a"].config_maps == ("cm-0", "cm-1", "cm-2", "cm-3", "cm-4")


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b"nope", b'{"items":3}', b"[" * 100_000])
def test_a_body_that_is_no_list_is_undecodable(junk: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_list("pods", junk, "c")


def line(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_a_watch_line_carries_the_object(table: str, kind: str) -> None:
    event = decode_event(table, line(kind, thing()), "c")
    assert (event.type, event.key, event.resource_version, event.obj.ref.name) == (kind, "shop/a", "5", "a")


def test_a_bookmark_carries_its_version_and_the_end_of_the_initial_events() -> None:
    mark = {"metadata": {"resourceVersion": "12", "creationTimestamp": None}, "spec": {}, "status": {}}
    event = decode_event("pods", line("BOOKMARK", mark), "c")
    assert (event.type, event.resource_version, event.obj, event.initial_end) == ("BOOKMARK", "12", None, False)
    marks = '"annotations":{"k8s.io/initial-events-end":"true"}'
    raw = f'{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"9",{marks}}}}}}}'.encode()
    assert decode_event("pods", raw, "c").initial_end


def test_an_error_line_carries_the_status() -> None:
    status = {"kind": "Status", "metadata": {}, "status": "Failure", "code": 410, "message": "too old\x1b[2J"}
    event = decode_event("pods", line("ERROR", status), "c")
    assert (event.type, event.status_code, event.message) == ("ERROR", 410, "too old")


@pytest.mark.parametrize(
    ("raw", "version", "key"),
    [
        (
            line("MODIFIED", {"metadata": {"name": "a", "namespace": "s", "resourceVersion": "8"}, "spec": 3}),
            "8",
            "s/a",
        ),
        (line("MODIFIED", {"metadata": {"resourceVersion": "8"}}), "8", ""),
        (line("MODIFIED", 3), "", ""),
        (b"{", "", ""),
    ],
)
def test_a_bad_object_is_undecodable_with_the_version_to_go_on_from(raw: bytes, version: str, key: str) -> None:
    with pytest.raises(Undecodable) as caught:
        decode_event("pods", raw, "c")
    assert (caught.value.resource_version, caught.value.key) == (version, key)
    assert caught.value.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "spec",
                    "status",
                    "name",
                    "labels",
                    "items",
                    "containers",
                    "conditions",
                    "rows",
                    "cells",
                    "containerStatuses",
                    "state",
                    "template",
                    "replicas",
                    "type",
                    "object",
                    "creationTimestamp",
                    "usage",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(table=st.sampled_from(TABLES), value=JSON)
def test_any_json_is_decoded_or_undecodable(table: str, value: Any) -> None:
    raw = json.dumps(value).encode()
    for attempt in (
        lambda: decode_list(table, raw, "c"),
        lambda: decode_event(table, raw, "c"),
        lambda: decode_event(table, line("ADDED", value), "c"),
        lambda: pods_from_table(raw, "n", "c", 1.0),
        lambda: decode_usage(raw, "c"),
    ):
        try:
            attempt()
        except Undecodable as error:
            assert error.reason  # noqa: PT017 - both outcomes are right


@given(table=st.sampled_from(TABLES), items=st.lists(JSON, max_size=4))
def test_any_items_are_rows_or_quarantined(table: str, items: list[Any]) -> None:
    page = decode_list(table, body(thing("good"), *items), "c")
    assert "shop/good" in page.rows
    assert len(page.quarantined) <= len(items)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_decoded_or_undecodable(raw: bytes) -> None:
    for attempt in (lambda: decode_list("pods", raw, "c"), lambda: decode_event("pods", raw, "c")):
        with pytest.raises(Undecodable):
            attempt()


def test_rows_come_from_the_table_without_objects() -> None:
    columns = [{"name": name} for name in ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Other")]
    rows = [
        {"cells": ["a", "1/2", "CrashLoopBackOff", "5 (3m ago)", "5d2h", "10.1.2.3", "node-1", None]},
        {"cells": ["b", "0/1", "Pending", 0, "9s", "<none>", "<none>"]},
        {"cells": []},
        {"cells": None},
    ]
    raw = json.dumps({"kind": "Table", "columnDefinitions": columns, "rows": rows}).encode()
    pods = pods_from_table(raw, "shop", "c", now=1_000_000.0)
    assert list(pods) == ["shop/a", "shop/b"]
    first, second = pods.values()
    assert (first.ready, first.containers, first.restarts, first.status) == (1, 2, 5, "CrashLoopBackOff")
    assert (first.created_at, first.last_restart_at) == (1_000_000.0 - 5 * 86400 - 7200, 1_000_000.0 - 180)
    assert (first.ip, first.node, first.ref.uid, first.severity) == ("10.1.2.3", "node-1", "", Severity.CRIT)
    assert (second.ip, second.node, second.severity) == ("", "", Severity.NOTICE)


def test_usage_is_summed_over_containers() -> None:
    pod = {
        "metadata": {"name": "a", "namespace": "shop"},
        "timestamp": "2026-01-01T00:00:00Z",
        "containers": [{"usage": {"cpu": "1500000n", "memory": "1Mi"}}, {"usage": {"cpu": "3m", "memory": "100"}}],
    }
    node = {"metadata": {"name": "n"}, "usage": {"cpu": "2", "memory": "1Ki"}}
    usage = decode_usage(body(pod, node), "c")
    assert (usage["shop/a"].cpu, usage["shop/a"].memory) == (5, 1048676)
    assert (usage["n"].cpu, usage["n"].memory, usage["n"].ref.kind) == (2000, 1024, "Node")
