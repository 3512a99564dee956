"""Relabelling, ranges, and what labels speak of, as the field writes them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.entities import Entities, Home, home_of, owner_by_name
from services.alerts.grades import severity_of
from services.alerts.matching import ByNames
from services.alerts.onset import widest_range
from services.alerts.patterns import bounded, matched
from services.alerts.relabel import UNKNOWN, outgoing_of
from services.model.alert import Entity
from services.model.cluster import Job, Node
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import Owner, Pod, ReplicaSetInfo
from tests.unit.alerts.said import pairs

STEP = "alerting:\n  alert_relabel_configs:\n  - {%s}\n"


@pytest.mark.parametrize(
    ("step", "labels", "sent"),
    [
        ("action: labeldrop, regex: replica|prom.*", {"replica": "1", "prometheus": "x", "a": "b"}, {"a": "b"}),
        ("action: labelkeep, regex: alertname|a", {"b": "1", "a": "b"}, {"a": "b"}),
        ("source_labels: [a, b], target_label: c, separator: '/'", {"a": "1", "b": "2"},
         {"a": "1", "b": "2", "c": "1/2"}),
        ("source_labels: [a], regex: '(.)(.*)', target_label: '${1}_x', replacement: '$2-$$-$9'", {"a": "kv"},
         {"a": "kv", "k_x": "v-$-"}),
        ("source_labels: [a], target_label: a, replacement: ''", {"a": "1"}, {}),
        ("source_labels: [a], regex: other, target_label: c", {"a": "1"}, {"a": "1"}),
        ("target_label: dc, replacement: eu", {}, {"dc": "eu"}),
        ("action: replace, target_label: '1bad', replacement: eu", {}, {}),
        ("action: labelmap, regex: 'old_(.+)'", {"old_x": "1"}, {"old_x": "1", "x": "1"}),
        ("action: lowercase, source_labels: [a], target_label: a", {"a": "EU"}, {"a": "eu"}),
        ("action: uppercase, source_labels: [a], target_label: a", {"a": "eu"}, {"a": "EU"}),
        ("action: drop, source_labels: [a], regex: '1'", {"a": "1"}, None),
        ("action: drop, source_labels: [a], regex: '1'", {"a": "11"}, {"a": "11"}),
        ("action: keep, source_labels: [a], regex: '1'", {"a": "2"}, None),
        ("action: keepequal, source_labels: [a], target_label: b", {"a": "1", "b": "1"}, {"a": "1", "b": "1"}),
        ("action: dropequal, source_labels: [a], target_label: b", {"a": "1", "b": "1"}, None),
    ],
)  # fmt: skip
def test_relabelling_is_that_of_prometheus(step: str, labels: dict[str, str], sent: dict[str, str] | None) -> None:
    outgoing = outgoing_of(STEP % step)
    assert outgoing.known
    assert outgoing.labels(pairs(**labels)) == (None if sent is None else pairs(**sent))


def test_an_external_label_never_replaces_one_of_the_alert() -> None:
    outgoing = outgoing_of("scrape_configs:\n- job_name: x\nglobal:\n  external_labels:\n    a: '1'\n    b: 007\n")
    assert outgoing.labels(pairs(a="own")) == pairs(a="own", b="007")


@pytest.mark.parametrize(
    "config",
    [
        STEP % "action: hashmod, modulus: 2, target_label: x",
        STEP % "action: drop, source_labels: [a], regex: '(a+)+$'",
        STEP % "action: drop, source_labels: [a], regex: '('",
        STEP % "action: of_the_future",
        STEP % "source_labels: no-list",
        "alerting: {alert_relabel_configs: none}",
        "global: [\n",
        pytest.param("global: {external_labels: " + "x" * 300_000, id="endless"),
        pytest.param("global: " + "[" * 5000, id="deep"),
    ],
)
def test_what_is_not_understood_is_said_to_be_unknown(config: str) -> None:
    assert not outgoing_of(config).known


def test_only_the_blocks_that_matter_are_read() -> None:
    jobs = "scrape_configs:\n" + "- job_name: x\n  broken: [\n" * 50_000
    began = time.process_time()
    outgoing = outgoing_of(f"global:\n  external_labels:\n    a: b\n{jobs}\nalerting:\n  alertmanagers: []\n")
    assert (outgoing.external, outgoing.known) == ((("a", "b"),), True)
    assert time.process_time() - began < 2
    assert outgoing_of("").known
    assert not UNKNOWN.known


@pytest.mark.parametrize(
    "hostile", ["(a*)*b", "(a|a)+b", "a*a*a*a*b", r"(\w)\1", "(?=a)", "[[:alpha:]]+", "x" * 513, "(?i)a", "a{1,}{2,}("]
)
def test_an_expression_that_may_hang_is_not_run(hostile: str) -> None:
    assert bounded(hostile) is None


@given(st.from_regex(r"[ab.*+?()\[\]|\\d{}1,-]{0,20}", fullmatch=True))
def test_whatever_is_run_ends_soon(pattern: str) -> None:
    compiled = bounded(pattern)
    if compiled is not None:
        began = time.process_time()
        matched(compiled, "ab1" * 100 + "!")
        assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("up == 0", 0),
        ("rate(x[5m]) / rate(y[1h30m]) > 0.1", 5400),
        ("max_over_time(rate(x[1m])[2h:30s]) > 1", 7200),
        ("rate(x[ 90s ])", 90),
        ("rate(x[500ms])", 0.5),
        ('x{a="[9d]"} > 0 # [8d]', 0),
        ("x{a='\\'[9d]'}", 0),
        ("x{a=~`[9d]`}", 0),
        ("increase(x[30d]) > 1", 86400),
        ("x[", 0),
        ("rate(x[99999999999999999999999d])", 86400),
    ],
)
def test_the_widest_range_is_the_uncertainty(expression: str, seconds: float) -> None:
    assert widest_range(expression) == seconds


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("critical", Severity.CRIT),
        ("Page", Severity.CRIT),
        ("warning", Severity.WARN),
        ("", Severity.WARN),
        ("\x1b[31m", Severity.WARN),
        ("info", Severity.NOTICE),
        ("none", Severity.NOTICE),
    ],
)
def test_a_severity_nobody_knows_is_a_warning(label: str, severity: Severity) -> None:
    assert severity_of(label) is severity


def ref(kind: str, name: str) -> Ref:
    return Ref("c1", "apps", kind, "shop", name, f"uid-{name}")


def pod(name: str, owner: Owner | None, node: str = "node-3") -> Pod:
    return Pod(ref("Pod", name), "Running", Severity.OK, 1, 1, 0, 0.0, node=node, owner=owner)


def held(*things: Any) -> dict[str, Any]:
    return {each.ref.key: each for each in things}


TABLES = {
    "pods": held(
        pod("cart-x", Owner("ReplicaSet", "cart-7d9f8c6b5", "u")),
        pod("lone-x", Owner("ReplicaSet", "unseen-7d9f8c6b5", "u")),
        pod("db-0", Owner("StatefulSet", "db", "u")),
        pod("nightly-123-abcde", Owner("Job", "nightly-123", "u")),
        pod("bare", None),
    ),
    "replicasets.apps": held(
        ReplicaSetInfo(ref("ReplicaSet", "cart-7d9f8c6b5"), Owner("Deployment", "cart", "u"), 1, "", 1, 1, 1, (), 0.0)
    ),
    "deployments.apps": {"shop/cart": None, "shop/checkout": None},
    "jobs.batch": held(
        Job(ref("Job", "nightly-123"), "Failed", Severity.WARN, 0.0, owner=Owner("CronJob", "nightly", "u"))
    ),
    "nodes": {
        "node-3": Node(Ref("c1", "", "Node", "", "node-3"), "Ready", Severity.OK, 0.0, internal_ip="10.0.0.3"),
    },
}


@pytest.mark.parametrize(
    ("labels", "entity"),
    [
        ({"namespace": "shop", "pod": "cart-x"}, Entity("c1", "shop", "cart", "cart-x", "node-3")),
        ({"namespace": "shop", "pod": "lone-x"}, Entity("c1", "shop", "unseen", "lone-x", "node-3")),
        ({"namespace": "shop", "pod": "db-0"}, Entity("c1", "shop", "db", "db-0", "node-3")),
        (
            {"namespace": "shop", "pod": "nightly-123-abcde"},
            Entity("c1", "shop", "nightly", "nightly-123-abcde", "node-3"),
        ),
        ({"namespace": "shop", "pod": "bare"}, Entity("c1", "shop", "bare", "bare", "node-3")),
        ({"namespace": "shop", "pod": "gone-7d9f8c6b5-x2k4p"}, Entity("c1", "shop", "gone", "gone-7d9f8c6b5-x2k4p")),
        # An exporter's own labels, and what it was refused.
        (
            {"namespace": "mon", "pod": "ksm-0", "exported_namespace": "shop", "exported_pod": "cart-x", "job": "ksm"},
            Entity("c1", "shop", "cart", "cart-x", "node-3"),
        ),
        ({"namespace": "shop", "deployment": "cart", "job": "ksm", "service": "ksm"}, Entity("c1", "shop", "cart")),
        ({"namespace": "shop", "service": "web", "app": "checkout"}, Entity("c1", "shop", "checkout")),
        ({"namespace": "shop", "service": "checkout", "app": "nope"}, Entity("c1", "shop", "checkout")),
        ({"namespace": "shop", "app": "nope", "job": "ksm"}, Entity("c1", "shop", "nope")),
        ({"namespace": "shop", "job": "ksm"}, Entity("c1", "shop")),
        ({"namespace": "shop", "job_name": "nightly-123"}, Entity("c1", "shop", "nightly")),
        ({"namespace": "shop", "job_name": "weekly-28391760"}, Entity("c1", "shop", "weekly")),
        ({"node": "node-9", "job": "node-exporter"}, Entity("c1", node="node-9")),
        ({"instance": "10.0.0.3:9100"}, Entity("c1", node="node-3")),
        ({"instance": "node-3"}, Entity("c1", node="node-3")),
        ({"instance": "10.0.0.4:9100"}, Entity("c1")),
        ({}, Entity("c1")),
    ],
)  # fmt: skip
def test_labels_are_checked_against_the_cluster(labels: dict[str, str], entity: Entity) -> None:
    assert Entities(TABLES, Home("c1")).of(pairs(**labels)) == entity


def test_another_clusters_alerts_are_not_looked_up_in_this_one() -> None:
    home = home_of("c1", {"prod-eu"}, [pairs(cluster="prod-eu"), pairs(cluster="prod-us")])
    entities = Entities(TABLES, home)
    here = entities.of(pairs(cluster="prod-eu", namespace="shop", pod="cart-x"))
    there = entities.of(pairs(cluster="prod-us", namespace="shop", pod="cart-x"))
    assert (here.cluster, here.node) == ("c1", "node-3")
    assert (there.cluster, there.node) == ("prod-us", "")
    assert entities.of(pairs(namespace="shop"), scope="c2").cluster == "c2"


@pytest.mark.parametrize(
    ("hints", "seen", "here"),
    [
        ((), ["prod"], ["prod"]),
        (("eu",), ["eu", "us"], ["eu"]),
        ((), ["eu", "us"], []),
        (("eu",), ["us"], ["us"]),
        ((), ["", "x"], ["x", ""]),
    ],
)
def test_a_cluster_label_means_home_where_nothing_else_can_be_meant(
    hints: tuple[str, ...], seen: list[str], here: list[str]
) -> None:
    home = home_of("c1", hints, [pairs(cluster=name) for name in seen])
    found = [name for name in seen if Entities({}, home).of(pairs(cluster=name)).cluster == "c1"]
    assert sorted(found) == sorted(here)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("checkout-7d9f8c6b5-x2k4p", "checkout"),
        ("my-app-v2-5f6b7c8d9-zzzzz", "my-app-v2"),
        ("postgres-0", "postgres"),
        ("fluentd-x2k4p", "fluentd"),
        ("web-cache", ""),
        ("x" * 5000, ""),
    ],
)
def test_a_pods_name_tells_its_owner(name: str, owner: str) -> None:
    assert owner_by_name(name) == owner


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=6))
def test_any_labels_have_an_entity(labels: dict[str, str]) -> None:
    assert Entities(TABLES, Home("c1")).of(tuple(sorted(labels.items()))).cluster


SETS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@given(st.lists(SETS, max_size=8), SETS)
def test_the_nearest_subset_is_found_or_none(known: list[dict[str, str]], asked: dict[str, str]) -> None:
    mine = set(asked.items())
    sets = {pairs(**each) for each in known}
    others = [each for each in known if each != asked]
    fitting = [each for each in others if set(each.items()) < mine or mine < set(each.items())]
    distance = min((abs(len(each) - len(asked)) for each in fitting), default=0)
    nearest = {pairs(**each) for each in fitting if abs(len(each) - len(asked)) == distance}
    expected = nearest.pop() if len(nearest) == 1 else pairs(**asked)
    assert ByNames(sets).same(pairs(**asked)) == expected
