"""What of the alerting itself is missing, sick or silent is an alert; a silence is one row whoever holds it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from services.alertmanager.decode import GivenStatus, Notifying
from services.alerts.evidence import Configured, Evidence
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen
from services.alerts.silences import clusters_of, silence_rows
from services.alerts.trust import Trust
from services.model.alert import AlertPeer, AlertState, Matcher, Silence
from tests.unit.alerts.said import READY, T0, am, given, pairs, prom, row, rows, rule, ruled

BEAT = pairs("Watchdog", severity="none")
PAIR = [structs.replace(READY, name=name, members=("a", "b")) for name in ("a", "b")]


def first(*alerts: Any, **fields: Any) -> AlertmanagerSeen:
    return am(*alerts, status=PAIR[0], **fields)


def second(*alerts: Any, **fields: Any) -> AlertmanagerSeen:
    return am(*alerts, name="am-2", status=PAIR[1], **fields)


class Look:
    """Looks at servers again and again, a minute apart."""

    def __init__(self, *configured: str) -> None:
        kinds = {name: "alertmanager" if name.startswith("am") else "prometheus" for name in configured}
        self.configured = [Configured(name, kind, f"http://{name}") for name, kind in kinds.items()]
        self.evidence, self.trust = Evidence(), Trust()
        self.now, self.polls = T0 + 500, 0
        self.peers: dict[str, AlertPeer] = {}

    def at(self, *seen: AlertmanagerSeen | PrometheusSeen, after: float = 60.0) -> dict[str, str]:
        """Return what is wrong: the summary of each alert by its key."""
        self.now += after
        self.polls += 1
        ams = [structs.replace(one, poll=self.polls) for one in seen if isinstance(one, AlertmanagerSeen)]
        proms = [structs.replace(one, poll=self.polls) for one in seen if isinstance(one, PrometheusSeen)]
        views = {one.name: self.trust.alertmanager(one, self.now) for one in ams}
        views |= {one.name: self.trust.prometheus(one, self.now) for one in proms}
        self.peers, wrong = self.evidence.look(
            self.configured, alertmanagers=ams, prometheis=proms, alerts=rows(ams, proms), views=views, now=self.now
        )
        assert all(one.state is AlertState.FIRING for one in wrong.values())
        return {key: one.annotation("summary") for key, one in wrong.items()}


def test_a_heartbeat_that_stops_on_one_peer_is_an_alarm_after_two_minutes() -> None:
    look = Look("am-1", "am-2")
    assert look.at(first(given(BEAT)), second(given(BEAT))) == {}
    assert look.at(first(given(BEAT)), second()) == {}
    assert look.at(first(given(BEAT)), second()) == {}
    wrong = look.at(first(given(BEAT)), second())
    assert wrong == {"alerting/heartbeat/am-2/Watchdog": "Watchdog does not fire on am-2: alerts may not reach it"}
    assert look.peers["am-1"].heartbeats == ("Watchdog",)
    assert "Watchdog does not fire" in look.peers["am-2"].mutes
    assert look.at(first(given(BEAT)), second(given(BEAT))) == {}


def test_a_peer_that_never_had_its_clusters_heartbeat_lacks_it_and_one_of_another_cluster_does_not() -> None:
    look = Look("am-1", "am-2", "am-3")
    lonely = am(name="am-3", status=structs.replace(READY, name="c", members=("c",)))
    for _ in range(3):
        wrong = look.at(first(given(BEAT)), second(), lonely)
    assert list(wrong) == ["alerting/heartbeat/am-2/Watchdog"]


def test_a_heartbeat_lost_everywhere_is_missed_unless_its_rule_was_withdrawn() -> None:
    look = Look("am-1", "main")
    watchdog = rule(ruled(BEAT), name="Watchdog", expression="vector(1)")
    look.at(am(given(BEAT)), prom(watchdog))
    for _ in range(4):
        wrong = look.at(am(), prom(rule(name="Watchdog", expression="vector(1)")))
    assert list(wrong) == ["alerting/heartbeat/am-1/Watchdog"]
    assert look.at(am(), prom(rule(name="Other"))) == {}


def test_a_restarted_peer_is_given_time() -> None:
    look = Look("am-1")
    look.at(am(given(BEAT)))
    again = GivenStatus("ready", "0.25.0", look.now + 1, "am", ("am",))
    assert [look.at(am(status=again)) for _ in range(4)] == [{}] * 4
    assert look.at(am(status=again)) != {}


def test_a_rule_that_fails_is_shown_at_once_with_its_error() -> None:
    look = Look("main")
    bad = rule(name="Bad", health="err", last_error="many-to-many matching", group="shop")
    waiting = rule(name="New", health="unknown", evaluated_at=0.0)
    wrong = look.at(prom(rule(), bad, waiting))
    assert wrong == {"alerting/rule/main/shop/Bad": "The rule Bad of main cannot fire: many-to-many matching"}
    peer = look.peers["main"]
    assert (peer.rules, peer.sick_rules, peer.sick) == (3, 1, ("Bad: many-to-many matching",))


def test_hundreds_of_failing_rules_are_counted_and_not_all_shown() -> None:
    look = Look("main")
    bad = [rule(name=f"Bad{n}", health="err") for n in range(300)]
    assert len(look.at(prom(*bad))) == 50
    assert (look.peers["main"].sick_rules, len(look.peers["main"].sick)) == (300, 5)


DOWN = pairs()


def test_a_prometheus_whose_alerts_reach_nobody_is_an_alarm() -> None:
    look = Look("am-1", "main")
    for _ in range(3):
        wrong = look.at(am(), prom(rule(ruled(DOWN))))
    assert wrong == {"alerting/unsent/main": "None of the 1 firing alerts of main reached am-1"}
    assert look.at(am(given(DOWN)), prom(rule(ruled(DOWN)))) == {}


def test_nothing_is_said_of_what_cannot_be_known() -> None:
    look = Look("am-1", "am-2", "main")
    for _ in range(4):
        wrong = look.at(am(), prom(rule(ruled(DOWN))))
    assert wrong == {}


def test_pending_and_dropped_alerts_need_not_reach_anybody() -> None:
    look = Look("am-1", "main")
    for _ in range(3):
        assert look.at(am(), prom(rule(ruled(DOWN, firing=False)))) == {}


def test_a_prometheus_without_an_alertmanager_is_an_alarm_where_there_are_some() -> None:
    look, alone = Look("am-1", "main"), Look("main")
    for _ in range(3):
        wrong = look.at(am(), prom(sends_to=()))
        assert alone.at(prom(sends_to=())) == {}
    assert wrong == {"alerting/unsent/main": "main is configured to send to no Alertmanager"}


def test_a_peer_that_gets_nothing_of_what_its_cluster_gets() -> None:
    look = Look("am-1", "am-2", "main")
    for _ in range(3):
        wrong = look.at(first(given(DOWN)), second(), prom(rule(ruled(DOWN))))
    assert wrong == {"alerting/unsent/main/am-2": "am-2 has none of the 1 alerts of main that its peers have"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"silences_error": "silences cannot be shown"}, "silences cannot be shown"),
        ({"quarantined": 2}, "2 objects could not be read"),
        ({"status": None}, "its status could not be read"),
        ({"status": structs.replace(READY, state="settling")}, "settling: alerts may be missing"),
        ({"status": structs.replace(READY, started_at=T0 + 550)}, "started a moment ago: alerts may be missing"),
        ({}, ""),
    ],
)
def test_a_peer_says_what_it_cannot_show(fields: dict[str, Any], said: str) -> None:
    look = Look("am-1", "am-9")
    look.at(am(given(DOWN), **fields))
    assert look.peers["am-1"].mutes == said
    assert look.peers["am-1"].alerts == 1
    assert look.peers["am-9"] == AlertPeer("am-9", "alertmanager", "http://am-9")


def silence(identity: str = "s1", **fields: Any) -> Silence:
    base = Silence(identity, (Matcher("alertname", "Down"),), T0, T0 + 3600, "ops", "why", "active")
    return structs.replace(base, **fields)


def test_a_silence_is_one_row_with_the_alerts_it_hides() -> None:
    hidden = given(DOWN, Notifying.SILENCED, silenced_by=("s1",))
    peers = [first(hidden, silences=[silence()]), second(hidden, silences=[silence(), silence("s2")])]
    over = structs.replace(row(peers), key="x", state=AlertState.ENDED)
    found = silence_rows(peers, [row(peers), over], T0)
    assert {key: (one.matching, one.source) for key, one in found.items()} == {"s1": (1, "am-1"), "s2": (0, "am-1")}


def test_an_expiry_that_one_peer_knows_of_counts_and_is_forgotten_after_a_day() -> None:
    expired = silence(state="expired", ends_at=T0)
    peers = [first(silences=[silence()]), second(silences=[expired])]
    assert silence_rows(peers, [], T0 + 10)["s1"].state == "expired"
    assert silence_rows([second(silences=[expired])], [], T0 + 86_401) == {}


def test_peers_are_told_by_their_members() -> None:
    apart = am(name="am-3")
    assert clusters_of([first(), apart, second()]) == {"am-1": "am-1", "am-3": "am-3", "am-2": "am-1"}
    unknown = am(name="am-4", status=None)
    assert clusters_of([unknown, first()]) == {"am-4": "am-4", "am-1": "am-1"}


def test_what_stays_wrong_keeps_the_onset_of_its_row() -> None:
    look = Look("main")
    bad = prom(rule(name="Bad", health="err", last_error="x"))
    look.at(bad)
    began = look.now
    look.at(bad)
    views = {"main": look.trust.prometheus(bad, look.now)}
    _, wrong = look.evidence.look(
        look.configured, alertmanagers=[], prometheis=[bad], alerts={}, views=views, now=look.now + 500
    )
    assert [one.onset for one in wrong.values()] == [began]
