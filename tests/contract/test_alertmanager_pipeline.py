"""Real Prometheis that evaluate and send to real Alertmanagers: the whole way of an alert, and what is wrong on it."""

from __future__ import annotations

import asyncio

from services.clock import SystemClock
from services.model.alert import AlertState, Onset
from services.model.severity import Severity
from tests.contract.alerting import shown
from tests.monitoring.servers import Alertmanager, Monitoring, group, rule

RELABELLED = [{"regex": "replica", "action": "labeldrop"}]

RESENDING = ["--rules.alert.resend-delay=1s"]
"""An alert that fires at the very start is sent before anybody is known to send to: not after a minute, but soon."""


def sending_to(peer: Alertmanager) -> dict[str, object]:
    """Return an alerting section that drops the label `replica`."""
    address = peer.url.removeprefix("http://")
    return {
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [address]}]}],
            "alert_relabel_configs": RELABELLED,
        }
    }


async def test_pending_then_firing_then_ended_is_one_episode_with_the_rules_onset(monitoring: Monitoring) -> None:
    peer, exporter = monitoring.alertmanager(), monitoring.exporter()
    exporter.set("errors_ratio", 0.0, namespace="shop", app="cart")
    late = rule(
        "ErrorRate",
        "avg_over_time(errors_ratio[3s]) > 0.05",
        "3s",
        {"severity": "critical"},
        summary="{{ $value }} in {{ $labels.app }}",
    )
    server = monitoring.prometheus(
        [group(late)],
        scrape={"shop": exporter},
        external_labels={"cluster": "eu", "replica": "a"},
        config=sending_to(peer),
    )
    async with shown({"am": peer.url}, {"main": server.url}, cluster="c1", young=0.0) as seen:
        await seen.until(lambda: seen.peers().get("main") and seen.peers()["main"].rules == 1, "the rule")
        exporter.set("errors_ratio", 0.4, namespace="shop", app="cart")
        await seen.until(lambda: seen.states() == {"ErrorRate": "pending"}, "it pending")
        pending = seen.alerts()["ErrorRate"]
        assert seen.events() == ()
        await seen.until(lambda: "am" in seen.alerts()["ErrorRate"].peers, "it at the Alertmanager")
        alert = seen.alerts()["ErrorRate"]
        assert (alert.state, alert.key, alert.peers) == (AlertState.FIRING, pending.key, ("am", "main"))
        assert (alert.onset, alert.onset_from) == (pending.onset, Onset.ACTIVE_AT)
        assert (alert.onset_slack, alert.hold, alert.severity) == (3.0, 3.0, Severity.CRIT)
        assert 2.9 < alert.fired_at - alert.onset < 5.0
        assert 0.05 < (alert.value or 0) <= 0.4
        assert alert.label("cluster") == "eu"
        assert not alert.label("replica")
        assert (alert.entity.cluster, alert.entity.namespace, alert.entity.workload) == ("c1", "shop", "cart")
        assert alert.annotation("summary").endswith(" in cart")
        (theirs,) = peer.get("/api/v2/alerts")
        assert theirs["fingerprint"] == alert.fingerprint
        await seen.until(lambda: len(seen.events()) == 1, "its begin on the timeline")
        assert (seen.events()[0].at, seen.events()[0].text) == (alert.onset, "ErrorRate firing")
        exporter.set("errors_ratio", 0.0, namespace="shop", app="cart")
        await seen.until(lambda: seen.states() == {"ErrorRate": "ended"}, "its end", within=120.0)
        await seen.until(lambda: len(seen.events()) == 2, "its end on the timeline")
        assert seen.alerts()["ErrorRate"].ended_at > alert.fired_at


async def test_a_restarted_prometheus_ends_nothing_and_keeps_the_onset(monitoring: Monitoring) -> None:
    server = monitoring.prometheus([group(rule("Always", "vector(3) > 1", labels={"severity": "critical"}))])
    async with shown({}, {"main": server.url}) as seen:
        await seen.until(lambda: seen.states() == {"Always": "firing"}, "the alert")
        before = seen.alerts()["Always"]
        started = seen.peers()["main"].started_at
        await asyncio.to_thread(server.restart)
        await seen.until(lambda: seen.peers()["main"].started_at > started, "the restart")
        await seen.until(lambda: seen.peers()["main"].alerts == 1, "the alert, evaluated anew")
        await seen.polls("prometheus/main", 3)
        assert (seen.states(), seen.alerts()["Always"].onset) == ({"Always": "firing"}, before.onset)
        await seen.until(lambda: len(seen.events()) == 1, "one begin")


async def test_a_rule_that_fails_is_an_alert_with_the_servers_own_words(monitoring: Monitoring) -> None:
    exporter = monitoring.exporter()
    exporter.set("a", 1.0, side="left")
    exporter.set("b", 1.0, side="left", kind="x")
    exporter.set("b", 1.0, side="left", kind="y")
    sick = rule("Matching", "a / on(side) b > 0")
    server = monitoring.prometheus([group(sick, rule("Well", "vector(0) > 1"), name="g")], scrape={"x": exporter})
    async with shown({}, {"main": server.url}) as seen:
        await seen.until(lambda: "AlertRuleFailing" in seen.states(), "the failing rule")
        alert = seen.alerts()["AlertRuleFailing"]
        assert (alert.label("rule"), alert.label("rule_group"), alert.severity) == ("Matching", "g", Severity.WARN)
        assert "many-to-many" in alert.annotation("summary") or "duplicate" in alert.annotation("summary")
        peer = seen.peers()["main"]
        assert (peer.rules, peer.sick_rules, peer.sick[0].startswith("Matching: ")) == (2, 1, True)
        assert seen.events() == ()


async def test_alerts_that_reach_one_peer_only_and_the_missing_heartbeat_are_alarms(monitoring: Monitoring) -> None:
    first = monitoring.alertmanager(clustered=True)
    second = monitoring.alertmanager(peers=[first])
    rules = group(rule("Watchdog", "vector(1)", labels={"severity": "none"}), rule("Real", "vector(9) > 1"))
    server = monitoring.prometheus([rules], alertmanagers=[first], arguments=RESENDING)
    async with shown({"one": first.url, "two": second.url}, {"main": server.url}, young=0.0, grace=1.0) as seen:
        await seen.until(lambda: "HeartbeatMissing" in seen.states(), "the missing heartbeat", within=120.0)
        assert seen.alerts()["HeartbeatMissing"].label("peer") == "two"
        await seen.until(lambda: "AlertsNotSent" in seen.states(), "what the peer does not get")
        assert seen.alerts()["AlertsNotSent"].label("peer") == "two"
        assert seen.alerts()["Watchdog"].heartbeat
        assert seen.peers()["one"].heartbeats == ("Watchdog",)
        assert "Watchdog does not fire on two" in seen.peers()["two"].mutes
        texts = {event.text for event in seen.events()}
        assert texts == {"Real firing"}


async def test_a_prometheus_that_sends_nowhere_is_an_alarm(monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    server = monitoring.prometheus([group(rule("Real", "vector(9) > 1"))])
    async with shown({"am": peer.url}, {"main": server.url}, young=0.0, grace=0.5) as seen:
        await seen.until(lambda: "AlertsNotSent" in seen.states(), "that nothing is sent")
        assert seen.alerts()["AlertsNotSent"].annotation("summary") == "main is configured to send to no Alertmanager"
        assert seen.states()["Real"] == "firing"


async def test_two_prometheis_of_one_cluster_are_one_row(monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    rules = [group(rule("Real", "vector(9) > 1", labels={"namespace": "shop"}))]
    twins = {
        name: monitoring.prometheus(
            rules, external_labels={"replica": name}, config=sending_to(peer), arguments=RESENDING
        )
        for name in ("a", "b")
    }
    async with shown({"am": peer.url}, {name: one.url for name, one in twins.items()}) as seen:
        await seen.until(
            lambda: seen.states() and seen.alerts()["Real"].peers == ("a", "am", "b"), "all three in one row"
        )
        assert len(seen.live.snapshot().tables["alerts"]) == 1


def metrics(name: str, labels: str, samples: list[tuple[int, float]]) -> str:
    return "".join(f"{name}{{{labels}}} {value} {at}\n" for at, value in samples)


async def test_the_last_day_is_read_back(monitoring: Monitoring) -> None:
    now = int(SystemClock().now())
    began = now - 20_000
    labels = 'alertname="Past",severity="critical",namespace="shop"'
    while_on = [began + 15 * n for n in range(60)]
    history = (
        "# TYPE ALERTS_FOR_STATE gauge\n"
        + metrics("ALERTS_FOR_STATE", labels, [(at, began) for at in while_on])
        + "# TYPE ALERTS gauge\n"
        + metrics("ALERTS", f'alertstate="firing",{labels}', [(at, 1) for at in while_on[8:]])
        + metrics("ALERTS", f'alertstate="pending",{labels}', [(at, 1) for at in while_on[:8]])
        + "# EOF\n"
    )
    server = monitoring.prometheus([group(rule("Now", "vector(9) > 1"))], history=history)
    async with shown({}, {"main": server.url}, cluster="c1") as seen:
        await seen.until(lambda: len(seen.events()) >= 3, "the past and the present")
        told = {event.text: event for event in seen.events()}
        assert set(told) == {"Past firing", "Past ended", "Now firing"}
        assert told["Past firing"].at == began
        assert 0 <= told["Past ended"].at - while_on[-1] <= 120
        assert told["Past firing"].payload["fingerprint"] == told["Past ended"].payload["fingerprint"]
        assert told["Past firing"].ref.namespace == "shop"


async def test_what_one_console_watched_another_reads_back_under_the_same_ids(monitoring: Monitoring) -> None:
    exporter = monitoring.exporter()
    exporter.set("broken", 1.0, namespace="shop", app="cart")
    server = monitoring.prometheus(
        [group(rule("Broken", "broken > 0", "2s"))], scrape={"x": exporter}, external_labels={"cluster": "eu"}
    )
    async with shown({}, {"main": server.url}, cluster="c1", young=0.0) as watching:
        await watching.until(lambda: watching.states() == {"Broken": "firing"}, "it firing")
        exporter.set("broken", 0.0, namespace="shop", app="cart")
        await watching.until(lambda: watching.states() == {"Broken": "ended"}, "its end")
        await watching.until(lambda: len(watching.events()) == 2, "both events")
    async with shown({}, {"main": server.url}, cluster="c1", young=0.0) as late:
        await late.until(lambda: len(late.events()) == 2, "what was before it")
        known = {event.id: event for event in watching.events()}
        assert {event.id for event in late.events()} == set(known)
        for event in late.events():
            assert abs(event.at - known[event.id].at) < 61
