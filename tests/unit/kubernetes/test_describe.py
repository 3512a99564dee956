"""A description reads like kubectl's, hides what is secret, and no document of any shape breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.describe import describe
from services.kubernetes.describe_text import age, block, columns, title
from services.kubernetes.yamltext import MASK, masked, to_yaml
from services.model.cluster import KubeEvent
from services.model.ref import Ref

NOW = 1_795_176_000.0
HOUR_AGO = "2026-11-20T11:00:00Z"
KINDS = ["Pod", "Node", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Secret", "Anything"]

WORDS = """
spec status metadata containers conditions env name value template state resources lastState ownerReferences labels
annotations taints volumes selector rollingUpdate type
"""
FIELDS = st.sampled_from(WORDS.split())
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=6), inner, max_size=4),
    max_leaves=25,
)


def deployment(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": "registry.example/web:1",
        "command": ["serve", "--db=postgres://app:hunter22@db/app"],
        "env": [
            {"name": "DB_PASSWORD", "value": "hunter22"},
            {"name": "LEVEL", "value": "info"},
            {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        ],
        "resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"port": 8080, "path": "/ready"}},
    }
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "creationTimestamp": HOUR_AGO},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "template": {"spec": {"containers": [container]}},
            **spec,
        },
        "status": {
            "readyReplicas": 2,
            "conditions": [
                {"type": "Progressing", "status": "False", "reason": "Late", "lastTransitionTime": HOUR_AGO}
            ],
        },
    }


@pytest.mark.parametrize(
    "line",
    [
        "Name:              web",
        "Namespace:         shop",
        "Kind:              Deployment (apps/v1)",
        "Labels:            app=web",
        "Replicas:          3 desired | 0 updated | 0 total | 2 ready | 0 available | 0 unavailable",
        "  Max Surge:       1",
        "      Image:             registry.example/web:1",
        "      Command:           serve --db=postgres://app:***@db/app",
        "      Requests:          cpu 50m",
        "      Readiness:         httpGet :8080/ready delay 0s, timeout 1s, every 10s, fails after 3",
        f"        DB_PASSWORD: {MASK}",
        "        LEVEL: info",
        "        FROM: <set to the key url of secret db>",
        "  Progressing  False   Late    60m",
        "Events:            <none>",
    ],
)
def test_a_deployment_is_described_field_by_field(line: str) -> None:
    assert line in describe(masked(deployment()), (), NOW)


def test_events_come_last_in_the_order_they_happened() -> None:
    about = Ref("c", "apps", "Deployment", "shop", "web")
    ref = Ref("c", "", "Event", "shop", "e")
    late = KubeEvent(ref, about, "Warning", "Late", "two\n lines", NOW - 60, NOW - 600, 3, "kubelet")
    early = KubeEvent(ref, about, "Normal", "Early", "one", NOW - 3600)
    lines = describe(masked(deployment()), (late, early), NOW)
    assert [line.split() for line in lines[-2:]] == [
        ["Normal", "Early", "60m", "one"],
        ["Warning", "Late", "60s", "(x3", "over", "10m)", "kubelet", "two", "lines"],
    ]


def test_events_that_may_not_be_read_say_why() -> None:
    assert describe(masked(deployment()), (), NOW, "forbidden")[-1] == "Events:            forbidden"


@given(kind=st.sampled_from(KINDS), document=st.dictionaries(FIELDS, values, max_size=5))
def test_a_document_of_any_shape_is_described_or_refused_in_a_known_way(kind: str, document: dict[str, Any]) -> None:
    try:
        lines = describe(masked({"kind": kind, **document}), (), NOW)
    except (AttributeError, KeyError, TypeError, ValueError):
        return  # what a session turns into a sentence
    assert lines[0].startswith("Name:")
    assert all(isinstance(line, str) for line in lines)


@given(document=st.dictionaries(FIELDS, values, max_size=5), hidden=st.text("xyz", min_size=12, max_size=12))
def test_no_secret_shows_wherever_it_stands(document: dict[str, Any], hidden: str) -> None:
    secret = {**document, "kind": "Secret", "data": {"a": hidden}, "stringData": {"b": hidden}}
    assert hidden not in to_yaml(secret)
    holder = {**document, "kind": "Anything", "spec": [{"name": "API_KEY", "value": hidden}, f"http://u:{hidden}@h/"]}
    assert hidden not in to_yaml(holder)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (NOW - 119, "119s"),
        (NOW - 120, "2m"),
        (NOW - 7200, "2h"),
        (NOW - 172800, "2d"),
        (HOUR_AGO, "60m"),
        (NOW + 5, "0s"),
        ("", "<unknown>"),
        (None, "<unknown>"),
        ("yesterday", "<unknown>"),
    ],
)
def test_ages(moment: object, shown: str) -> None:
    assert age(moment, NOW) == shown


@pytest.mark.parametrize(
    ("key", "words"),
    [("progressDeadlineSeconds", "Progress Deadline Seconds"), ("podIP", "Pod IP"), ("a-b_c", "A B C"), ("", "")],
)
def test_titles(key: str, words: str) -> None:
    assert title(key) == words


def test_a_block_nests_what_it_holds() -> None:
    assert block("Spec", {"rules": [{"name": "a", "ports": [1, 2]}], "note": "x\ny", "none": {}}) == [
        "Spec:",
        "  Rules:",
        "    a:",
        "      Name:              a",
        "      Ports:",
        "        1",
        "        2",
        "  Note:",
        "    x",
        "    y",
        "  None:              <none>",
    ]


def test_a_document_nested_beyond_reason_ends() -> None:
    value: Any = "deep"
    for _ in range(500):
        value = {"x": value}
    assert len(block("Spec", value)) < 50


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns(("A", "B"), [("long", "x"), ("s", "")]) == ["  A     B", "  -     -", "  long  x", "  s"]
