"""An alert that is over has a key of its own, a span that shows it, and bars of when it fired."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from screenshots import scene_alerts
from screenshots.scene import NOW
from services.alerts.happenings import began_event, ended_event
from services.model.alert import Alert, AlertState
from tui.presenters.alert_past import is_of, live_key, onset_of, past_alerts, past_key, span_of, told_firing
from tui.presenters.chart import WINDOWS, window_for

HOUR = 3600.0
ONE = next(one for one in scene_alerts.alerts().values() if one.name == "CheckoutErrorRate")
GONE = structs.replace(
    ONE, state=AlertState.ENDED, onset=NOW - 50 * HOUR, fired_at=NOW - 50 * HOUR + 60, ended_at=NOW - 49 * HOUR
)


def test_its_key_says_its_onset_and_the_key_it_had() -> None:
    began, ended = began_event(GONE, NOW), ended_event(GONE, NOW)
    (row,) = past_alerts([began, ended], {}, 0.0, known=True)
    assert row.key == past_key(began) == past_key(ended)
    assert live_key(row.key) == GONE.key
    assert onset_of(row.key) == int(GONE.onset)
    assert (live_key(GONE.key), onset_of(GONE.key)) == (GONE.key, 0.0)


@given(st.text(max_size=30))
def test_no_key_breaks_it(key: str) -> None:
    assert onset_of(key) >= 0.0
    assert onset_of(f"past/{key}") >= 0.0
    assert live_key(f"past/1/{key}") == key


def test_an_event_of_another_episode_is_not_of_this_one() -> None:
    event = began_event(GONE, NOW)
    assert is_of(event, structs.replace(GONE, onset=GONE.onset + 60))
    assert not is_of(event, ONE)


@pytest.mark.parametrize(("lasted", "name"), [(60.0, "1h"), (2700.0, "1h"), (3000.0, "6h"), (20 * HOUR, "7d")])
def test_the_window_holds_it_from_before_its_onset(lasted: float, name: str) -> None:
    one = structs.replace(GONE, ended_at=GONE.onset + lasted)
    at = window_for(one)
    assert WINDOWS[at][0] == name
    since, until = span_of(one, WINDOWS[at][1], NOW)
    assert since < one.onset < one.ended_at <= until <= NOW


def test_its_bars_are_those_of_what_was_told() -> None:
    since, until = span_of(GONE, 2 * HOUR, NOW)
    series = told_firing(GONE, since, until, 120)
    assert series is not None
    known = dict.fromkeys((0.0, 0.5, 1.0), 0)
    for value in series.values:
        known[value] += 1
    assert (known[0.5], known[1.0]) == (1, 59)
    assert until - since == pytest.approx(len(series.values) * series.step)


@pytest.mark.parametrize("change", [{"ended_at": 0.0}, {"onset": 0.0}])
def test_where_its_end_is_not_known_there_are_no_bars(change: dict[str, float]) -> None:
    one: Alert = structs.replace(GONE, **change)
    assert told_firing(one, NOW - HOUR, NOW, 60) is None
