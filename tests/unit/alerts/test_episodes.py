"""An alert has ended when a server that can be believed says so twice; all else is merely not seen just now."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import structs

from services.alertmanager.decode import GivenStatus, Notifying
from services.alerts.episodes import Advanced, Episodes
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen
from services.alerts.trust import Trust
from services.model.alert import Alert, AlertState, Onset
from tests.unit.alerts.said import READY, T0, Entities, Merge, am, given, pairs, prom, rule, ruled

DOWN = pairs(severity="critical")
NAMES = ("am-1", "am-2", "main")


class Watch:
    """A console's view over time: each `poll` is ten seconds later; servers that are not named did not answer."""

    def __init__(self, *configured: str) -> None:
        self.now = T0 + 1000
        self.configured = configured or NAMES
        self.polls = dict.fromkeys(self.configured, 0)
        self.trust, self.episodes = Trust(), Episodes()
        self.told: list[tuple[str, str, float]] = []

    def poll(self, *seen: AlertmanagerSeen | PrometheusSeen, after: float = 10.0) -> Advanced:
        self.now += after
        views = {}
        fresh = []
        for each in seen:
            self.polls[each.name] += 1
            one = structs.replace(each, poll=self.polls[each.name])
            fresh.append(one)
            judge: Any = self.trust.alertmanager if isinstance(one, AlertmanagerSeen) else self.trust.prometheus
            views[one.name] = judge(one, self.now)
        for name in self.configured:
            if name not in views:
                views[name] = self.trust.gone(name, self.polls[name], is_alertmanager=name.startswith("am"))
        merge = Merge(
            [one for one in fresh if isinstance(one, AlertmanagerSeen)],
            [one for one in fresh if isinstance(one, PrometheusSeen)],
        )
        result = self.episodes.advance(merge.rows(Entities({}).of), views, self.now, merge.lapses())
        self.told += [("ended", row.name, row.onset) for row in result.ended]
        self.told += [("began", row.name, row.onset) for row in result.began]
        return result

    def states(self, *seen: AlertmanagerSeen | PrometheusSeen, after: float = 10.0) -> list[AlertState]:
        return [row.state for row in self.poll(*seen, after=after).rows.values()]


def restarted(at: float, state: str = "ready") -> GivenStatus:
    return GivenStatus(state, "0.25.0", at, "am", ("am",))


ALERT = given(DOWN, ends_at=T0 + 10_000)
FIRING, ENDED = [AlertState.FIRING], [AlertState.ENDED]


def test_two_polls_without_it_are_an_end_which_stays_for_five_minutes() -> None:
    watch = Watch("am-1")
    assert watch.states(am(ALERT)) == FIRING
    assert watch.states(am()) == FIRING
    assert watch.states(am()) == ENDED
    assert watch.states(am(), after=299) == ENDED
    assert watch.states(am(), after=2) == []
    assert watch.told == [("began", "Down", T0), ("ended", "Down", T0)]


def test_missing_once_is_nothing() -> None:
    watch = Watch("am-1")
    for _ in range(5):
        assert watch.states(am(ALERT)) == FIRING
        assert watch.states(am()) == FIRING
    assert watch.told == [("began", "Down", T0)]


def test_looking_again_at_the_same_answer_is_no_second_poll() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    watch.poll(am())
    for _ in range(3):
        watch.polls["am-1"] -= 1
        assert watch.states(am()) == FIRING


def test_an_end_in_the_future_is_no_end_and_one_in_the_past_neither() -> None:
    watch = Watch("am-1")
    for ends_at in (T0 + 99_999, T0 - 1, 0.0):
        assert watch.states(am(given(DOWN, ends_at=ends_at))) == FIRING


def test_a_server_that_does_not_answer_ends_nothing() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    for _ in range(50):
        assert watch.states() == FIRING
    assert watch.states(am(ALERT)) == FIRING


def test_a_restarted_alertmanager_is_no_resolution() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    again = restarted(watch.now + 5)
    for _ in range(12):
        assert watch.states(am(status=again)) == FIRING
    assert watch.states(am(ALERT, status=again)) == FIRING
    assert watch.told == [("began", "Down", T0)]


def test_after_two_minutes_a_restarted_alertmanager_is_believed() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    again = restarted(watch.now + 5)
    watch.poll(am(status=again))
    assert watch.states(am(status=again), after=121) == FIRING
    assert watch.states(am(status=again)) == ENDED


@pytest.mark.parametrize("clock_off", [-100_000.0, 100_000.0])
def test_a_wrong_clock_hides_no_restart_and_no_end(clock_off: float) -> None:
    watch = Watch("am-1")
    steady = restarted(watch.now + clock_off - 86_400)
    watch.poll(am(ALERT, status=steady))
    again = restarted(watch.now + clock_off)
    assert [watch.states(am(status=again)) for _ in range(3)] == [FIRING] * 3
    watch.poll(am(status=again), after=200)
    assert watch.states(am(status=again)) == ENDED


def test_while_it_settles_nothing_has_ended() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    settling = structs.replace(READY, state="settling")
    assert [watch.states(am(status=settling), after=100) for _ in range(5)] == [FIRING] * 5


def test_one_of_two_dies_and_the_other_says_when_it_ended() -> None:
    watch = Watch("am-1", "am-2")
    watch.poll(am(ALERT), am(ALERT, name="am-2"))
    assert watch.states(am(ALERT)) == FIRING
    watch.poll(am())
    assert watch.states(am()) == ENDED


def test_the_one_that_had_it_dies_and_the_other_never_had_it() -> None:
    watch = Watch("am-1", "am-2")
    watch.poll(am(ALERT), am(name="am-2"))
    for _ in range(5):
        assert watch.states(am(name="am-2")) == FIRING


def test_the_prometheus_ends_what_a_restarted_alertmanager_forgot() -> None:
    watch = Watch("am-1", "main")
    watch.poll(am(ALERT), prom(rule(ruled(DOWN))))
    again = restarted(watch.now)
    watch.poll(am(status=again), prom(rule()))
    assert watch.states(am(status=again), prom(rule())) == ENDED


def test_an_alert_that_lapsed_for_want_of_a_prometheus_has_not_ended() -> None:
    watch = Watch("am-1", "main")
    soon = given(DOWN, ends_at=watch.now + 60)
    watch.poll(am(soon), prom(rule(ruled(DOWN))))
    for _ in range(30):
        assert watch.states(am()) == FIRING if watch.now > soon.ends_at else True
    watch.poll(prom(rule()), am())
    assert watch.states(prom(rule()), am()) == ENDED


def test_an_alert_resolved_before_it_would_lapse_has_ended_whether_or_not_its_prometheus_answers() -> None:
    watch = Watch("am-1", "main")
    watch.poll(am(given(DOWN, ends_at=watch.now + 240)), prom(rule(ruled(DOWN))))
    watch.poll(am())
    assert watch.states(am()) == ENDED


def test_a_prometheus_that_has_not_evaluated_its_rules_is_not_believed() -> None:
    watch = Watch("main")
    watch.poll(prom(rule(ruled(DOWN))))
    waiting = prom(rule(health="unknown", evaluated_at=0.0))
    assert [watch.states(waiting) for _ in range(5)] == [FIRING] * 5


def test_pending_that_goes_away_leaves_nothing() -> None:
    watch = Watch("main")
    assert watch.states(prom(rule(ruled(DOWN, firing=False)))) == [AlertState.PENDING]
    assert watch.states(prom(rule())) == [AlertState.PENDING]
    assert watch.states(prom(rule())) == []
    assert watch.told == []


def test_pending_then_firing_is_one_episode_told_when_it_fires() -> None:
    watch = Watch("main")
    watch.poll(prom(rule(ruled(DOWN, firing=False), hold=60.0)))
    assert watch.told == []
    watch.poll(prom(rule(ruled(DOWN), hold=60.0)))
    assert watch.told == [("began", "Down", T0)]


def test_a_heartbeat_is_never_told() -> None:
    watch = Watch("am-1")
    beat = pairs("Watchdog", severity="none")
    watch.poll(am(given(beat)))
    assert [watch.states(am()) for _ in range(2)] == [FIRING, []]
    assert watch.told == []


def test_a_new_episode_between_two_polls_is_one() -> None:
    watch = Watch("main")
    watch.poll(prom(rule(ruled(DOWN))))
    later = watch.now + 4
    (row,) = watch.poll(prom(rule(ruled(DOWN, active_at=later)))).rows.values()
    assert row.onset == later
    assert watch.told == [("began", "Down", T0), ("ended", "Down", T0), ("began", "Down", later)]


def test_a_restarted_prometheus_moves_times_but_begins_nothing() -> None:
    watch = Watch("main")
    watch.poll(prom(rule(ruled(DOWN))))
    later = watch.now + 4
    young = prom(rule(ruled(DOWN, active_at=later, firing=False)), started_at=later)
    (row,) = watch.poll(young).rows.values()
    assert (row.onset, row.state) == (T0, AlertState.FIRING)
    (row,) = watch.poll(prom(rule(ruled(DOWN, active_at=later)), started_at=later)).rows.values()
    assert (row.onset, row.state) == (T0, AlertState.FIRING)
    (row,) = watch.poll(prom(rule(ruled(DOWN, active_at=later)), started_at=later), after=300).rows.values()
    assert row.onset == T0
    assert watch.told == [("began", "Down", T0)]


def test_what_ended_and_is_there_again_had_not_ended() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    watch.poll(am())
    assert watch.states(am()) == ENDED
    assert watch.states(am(ALERT)) == FIRING
    watch.poll(am())
    assert watch.states(am()) == ENDED
    assert [what for what, *_ in watch.told].count("began") == 1


def test_what_begins_again_after_its_end_takes_the_row() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    watch.poll(am())
    watch.poll(am())
    again = watch.now + 5
    (row,) = watch.poll(am(given(DOWN, starts_at=again))).rows.values()
    assert (row.state, row.onset) == (AlertState.FIRING, again)
    assert watch.told[-1] == ("began", "Down", again)


def test_the_exact_onset_is_waited_for_so_that_two_consoles_tell_one_episode() -> None:
    watch = Watch("am-1", "main")
    watch.poll(am(), prom(rule(hold=60.0)))
    watch.poll(am(given(DOWN, starts_at=T0 + 63)), prom(rule(hold=60.0)))
    assert watch.told == []
    watch.poll(am(given(DOWN, starts_at=T0 + 63)), prom(rule(ruled(DOWN), hold=60.0)))
    assert watch.told == [("began", "Down", T0)]
    (row,) = watch.poll(am(given(DOWN, starts_at=T0 + 63))).rows.values()
    assert (row.onset, row.onset_from, row.expression, row.hold) == (T0, Onset.ACTIVE_AT, "up == 0", 60.0)


def test_it_is_not_waited_for_forever() -> None:
    watch = Watch("am-1", "main")
    for _ in range(4):
        watch.poll(am(ALERT), prom(rule(name="Other")))
    assert watch.told == [("began", "Down", T0)]


def test_a_silence_holds_while_its_alertmanager_is_away_for_a_while() -> None:
    watch = Watch("am-1", "main")
    silenced = am(given(DOWN, Notifying.SILENCED, silenced_by=("s1",)))
    server = prom(rule(ruled(DOWN)))
    watch.poll(silenced, server)
    (row,) = watch.poll(server).rows.values()
    assert (row.state, row.silenced_by) == (AlertState.SILENCED, ("s1",))
    assert watch.states(server, after=800) == [AlertState.SILENCED]
    assert watch.states(server, after=100) == FIRING


def test_a_silence_that_ended_is_seen_at_once() -> None:
    watch = Watch("am-1", "main")
    watch.poll(am(given(DOWN, Notifying.SILENCED, silenced_by=("s1",))), prom(rule(ruled(DOWN))))
    assert watch.states(am(ALERT), prom(rule(ruled(DOWN)))) == FIRING


def test_a_server_taken_out_of_the_configuration_takes_its_alerts_along() -> None:
    watch = Watch("am-1", "am-2")
    watch.poll(am(ALERT))
    watch.configured = ("am-2",)
    assert watch.states(am(name="am-2")) == []


SETTLING = structs.replace(READY, state="settling")
SAID = {
    "shown": lambda name: [am(ALERT, name=name)],
    "empty": lambda name: [am(name=name)],
    "settling": lambda name: [am(name=name, status=SETTLING)],
    "away": lambda name: [],
}
PAIR = ("am-1", "am-2")
ANSWERS = st.lists(st.tuples(st.sampled_from(sorted(SAID)), st.sampled_from(sorted(SAID))), min_size=1, max_size=14)


@for_all(ANSWERS)
def test_an_alert_is_in_every_picture_until_one_that_had_it_denied_it_twice(answers: list[tuple[str, str]]) -> None:
    watch = Watch(*PAIR)
    knew: set[str] = set()
    denied = dict.fromkeys(PAIR, 0)
    for each in answers:
        states = watch.states(*(one for name, answer in zip(PAIR, each, strict=True) for one in SAID[answer](name)))
        knew |= {name for name, answer in zip(PAIR, each, strict=True) if answer == "shown"}
        if "shown" in each:
            denied = dict.fromkeys(PAIR, 0)
        else:
            for name, answer in zip(PAIR, each, strict=True):
                denied[name] += answer == "empty"
        over = any(denied[name] >= 2 for name in knew)
        assert states == ([] if not knew else ENDED if over else FIRING)


def rows_of(result: Advanced) -> list[Alert]:
    return list(result.rows.values())


def test_the_end_has_the_time_it_was_last_seen() -> None:
    watch = Watch("am-1")
    watch.poll(am(ALERT))
    last = watch.now
    watch.poll(am())
    (row,) = rows_of(watch.poll(am()))
    assert row.ended_at == last
