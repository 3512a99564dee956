"""What several servers say of one alert becomes one row."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.alertmanager.decode import Notifying
from services.alertmanager.fingerprint import fingerprint
from services.alerts.relabel import UNKNOWN, Outgoing, outgoing_of
from services.model.alert import AlertState, Onset, Pairs
from services.model.severity import Severity
from tests.unit.alerts.said import T0, am, given, pairs, prom, row, rows, rule, ruled

DOWN = pairs(severity="critical", instance="a")


@pytest.mark.parametrize(
    ("states", "merged"),
    [
        ([Notifying.ACTIVE, Notifying.SILENCED], AlertState.FIRING),
        ([Notifying.SILENCED, Notifying.INHIBITED], AlertState.SILENCED),
        ([Notifying.INHIBITED, Notifying.MUTED], AlertState.INHIBITED),
        ([Notifying.MUTED], AlertState.MUTED),
        ([Notifying.UNPROCESSED, Notifying.SILENCED], AlertState.SILENCED),
        ([Notifying.UNPROCESSED], AlertState.FIRING),
    ],
)
def test_it_fires_if_any_peer_says_so(states: list[Notifying], merged: AlertState) -> None:
    for order in itertools.permutations(states):
        peers = [am(given(DOWN, state), name=f"am-{n}") for n, state in enumerate(order)]
        assert row(peers).state is merged


def test_the_earliest_start_and_all_peers_receivers_and_silences_are_kept() -> None:
    one = am(given(DOWN, Notifying.SILENCED, T0 + 5, silenced_by=("s1",), receivers=("x",), updated_at=T0 + 9))
    newer = given(DOWN, starts_at=T0, receivers=("y",), annotations=(("summary", "new"),), updated_at=T0 + 10)
    merged = row([one, am(newer, name="am-2")])
    assert (merged.fired_at, merged.peers, merged.receivers) == (T0, ("am-1", "am-2"), ("x", "y"))
    assert (merged.silenced_by, merged.annotation("summary"), merged.severity) == (("s1",), "new", Severity.CRIT)
    assert merged.key == merged.fingerprint == fingerprint(DOWN)


@pytest.mark.parametrize(
    ("prometheis", "onset", "source"),
    [
        ([prom(rule(ruled(DOWN, active_at=T0 - 600), hold=600.0))], T0 - 600, Onset.ACTIVE_AT),
        ([prom(for_state={DOWN: T0 - 500})], T0 - 500, Onset.FOR_STATE),
        ([prom(rule(hold=400.0))], T0 - 400, Onset.STARTS_AT_LESS_FOR),
        ([prom(rule(name="Other"))], T0, Onset.STARTS_AT),
        ([], T0, Onset.STARTS_AT),
        (
            [prom(rule(ruled(DOWN, active_at=T0 - 9))), prom(rule(ruled(DOWN, active_at=T0 - 10)), name="twin")],
            T0 - 10,
            Onset.ACTIVE_AT,
        ),
        # Two rules of one name hold for different times: nobody can tell which of them it was.
        ([prom(rule(hold=400.0), rule(hold=10.0))], T0, Onset.STARTS_AT),
        ([prom(rule(hold=400.0, labels=(("severity", "warning"),)), rule(hold=9.0))], T0 - 9, Onset.STARTS_AT_LESS_FOR),
    ],
)
def test_the_onset_is_the_best_that_is_known(prometheis: list, onset: float, source: Onset) -> None:
    merged = row([am(given(DOWN))], prometheis)
    assert (merged.onset, merged.onset_from, merged.fired_at) == (onset, source, T0)


def test_the_rule_gives_value_expression_and_slack() -> None:
    its = rule(ruled(DOWN, value=0.124), expression="rate(errors[5m]) > 0.05", hold=60.0, group="shop")
    merged = row([am(given(DOWN))], [prom(its)])
    assert (merged.value, merged.onset_slack, merged.hold, merged.rule_group) == (0.124, 300.0, 60.0, "shop")
    assert merged.peers == ("am-1", "main")


def test_pending_is_a_row_of_its_own_and_firing_elsewhere_wins() -> None:
    pending = prom(rule(ruled(DOWN, firing=False)))
    assert row([], [pending]).state is AlertState.PENDING
    assert row([], [pending, prom(rule(ruled(DOWN)), name="twin")]).state is AlertState.FIRING
    assert row([am(given(DOWN, Notifying.SILENCED))], [pending]).state is AlertState.SILENCED
    fired = row([], [prom(rule(ruled(DOWN, active_at=T0), hold=60.0))])
    assert (fired.onset, fired.fired_at, fired.fingerprint) == (T0, T0 + 60, fingerprint(DOWN))


def test_external_labels_and_relabelling_come_before_the_join() -> None:
    outgoing = outgoing_of(
        "global:\n  external_labels: {cluster: eu, replica: a, severity: none}\n"
        "alerting:\n  alert_relabel_configs:\n  - {regex: replica, action: labeldrop}\n"
    )
    sent = pairs(severity="critical", instance="a", cluster="eu")
    merged = row([am(given(sent))], [prom(rule(ruled(DOWN, active_at=T0 - 60)), outgoing=outgoing)])
    assert (merged.labels, merged.onset) == (sent, T0 - 60)


def test_what_a_prometheus_drops_is_muted() -> None:
    outgoing = outgoing_of(
        "alerting:\n  alert_relabel_configs:\n  - {source_labels: [severity], regex: critical, action: drop}"
    )
    assert row([], [prom(rule(ruled(DOWN)), outgoing=outgoing)]).state is AlertState.MUTED


@pytest.mark.parametrize("sent", [pairs(severity="critical", instance="a", cluster="eu"), pairs(severity="critical")])
def test_labels_are_compared_as_subsets_where_relabelling_is_unknown(sent: Pairs) -> None:
    merged = row([am(given(sent))], [prom(rule(ruled(DOWN, active_at=T0 - 60)), outgoing=UNKNOWN)])
    assert (merged.labels, merged.onset_from) == (sent, Onset.ACTIVE_AT)


def test_where_two_could_be_meant_nothing_is_guessed() -> None:
    both = [given(pairs(severity="critical", instance="a", cluster=name)) for name in ("eu", "us")]
    found = rows([am(*both)], [prom(rule(ruled(DOWN)), outgoing=UNKNOWN)])
    assert [one.onset_from for one in found.values()].count(Onset.ACTIVE_AT) == 1
    assert len(found) == 3


def test_a_pending_alert_is_never_taken_for_anothers_firing_one() -> None:
    sent = pairs(severity="critical", instance="a", cluster="us")
    found = rows([am(given(sent))], [prom(rule(ruled(DOWN, firing=False)), outgoing=UNKNOWN)])
    assert sorted(one.state.value for one in found.values()) == ["firing", "pending"]


def test_clusters_do_not_mix() -> None:
    one = am(given(DOWN), scope="c1")
    two = am(given(DOWN, Notifying.SILENCED), scope="c2", name="am-2")
    found = rows([one, two], [prom(rule(ruled(DOWN, active_at=T0 - 7)), scope="c2")], home="c1")
    bare = fingerprint(DOWN)
    assert set(found) == {bare, f"{bare}@c2"}
    assert (found[bare].onset, found[f"{bare}@c2"].onset) == (T0, T0 - 7)
    assert found[f"{bare}@c2"].entity.cluster == "c2"


def test_a_central_alertmanager_serves_any_cluster() -> None:
    merged = row([am(given(DOWN))], [prom(rule(ruled(DOWN, active_at=T0 - 7)), scope="c2")])
    assert (merged.onset, merged.entity.cluster) == (T0 - 7, "c2")


@pytest.mark.parametrize(
    ("name", "severity", "expression", "heartbeat"),
    [
        ("Watchdog", "none", "vector(1)", True),
        ("DeadMansSwitch", "", "up", True),
        ("AlwaysOn", "none", " vector( 1 ) ", True),
        ("AlwaysOn", "critical", "vector(1)", False),
        ("WatchdogBites", "none", "up", False),
    ],
)
def test_a_dead_mans_switch_is_no_alarm(name: str, severity: str, expression: str, heartbeat: bool) -> None:
    labels = pairs(name, severity=severity)
    assert row([am(given(labels))], [prom(rule(name=name, expression=expression))]).heartbeat is heartbeat


LABELS = st.builds(
    lambda instance, severity: pairs(instance=instance, severity=severity),
    st.sampled_from("abc"),
    st.sampled_from(["critical", "warning"]),
)
GIVEN = st.builds(given, LABELS, st.sampled_from(Notifying), st.sampled_from([T0, T0 + 30]))
RULED = st.builds(ruled, LABELS, firing=st.booleans(), active_at=st.sampled_from([T0 - 60, T0]))


@for_all(st.lists(GIVEN, max_size=5), st.lists(GIVEN, max_size=5), st.lists(RULED, max_size=5))
def test_the_order_of_servers_means_nothing_and_nothing_is_lost(one: list, two: list, three: list) -> None:
    unique = [list({each.labels: each for each in items}.values()) for items in (one, two, three)]
    peers = [am(*unique[0]), am(*unique[1], name="am-2")]
    server = [prom(rule(*unique[2], hold=60.0))]
    found = rows(peers, server)
    assert found == rows(peers[::-1], server)
    assert {each.labels for each in found.values()} == {each.labels for items in unique for each in items}
    for each in found.values():
        assert each.fingerprint == fingerprint(each.labels)
        assert each.onset <= (each.fired_at or each.onset)
        active = any(said.labels == each.labels and said.state is Notifying.ACTIVE for said in unique[0] + unique[1])
        assert not active or each.state is AlertState.FIRING


@pytest.mark.bench
def test_bench_5000_alerts_of_two_alertmanagers_and_two_prometheis() -> None:
    labels = [
        pairs(
            f"Alert{n % 40}",
            namespace=f"ns-{n % 50}",
            pod=f"app-{n % 400}-7d9f8c6b5-{n:05d}",
            severity="warning",
            job="kube-state-metrics",
            container="main",
            team=f"t{n % 9}",
            number=str(n),
        )
        for n in range(5000)
    ]
    peers = [am(*[given(one) for one in labels], name=name) for name in ("am-1", "am-2")]
    for outgoing in (Outgoing(), UNKNOWN):
        sent = [tuple(pair for pair in one if outgoing.known or pair[0] != "team") for one in labels]
        rules = [rule(*[ruled(one) for one in sent[n::40]], name=f"Alert{n}") for n in range(40)]
        servers = [prom(*rules, name=name, outgoing=outgoing) for name in ("a", "b")]
        began = time.perf_counter()
        found = rows(peers, servers)
        spent = (time.perf_counter() - began) * 1000
        assert len(found) == 5000
        print(f"\n5,000 merged: {spent:.0f} ms")  # noqa: T201 - to be read
