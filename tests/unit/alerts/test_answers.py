"""What a Prometheus tells is read from any version, and what fired before is told as it would have been."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.answers import (
    decode_alertmanagers,
    decode_config,
    decode_past,
    decode_rules,
    decode_started_at,
    decode_version,
)
from services.alerts.backfill import MOST_POINTS, WINDOW, Past, Reading, asked_until, episodes, rules_by_name, step_for
from services.alerts.entities import Entities
from services.alerts.observed import Rule
from services.alerts.relabel import outgoing_of
from services.errors import Problem
from services.model.alert import AlertState
from tests.unit.alerts.said import T0, pairs

RULE = {
    "type": "alerting",
    "name": "Down",
    "query": "up == 0",
    "duration": 60,
    "keepFiringFor": 0,
    "labels": {"severity": "critical"},
    "annotations": {},
    "alerts": [
        {
            "labels": {"severity": "critical", "alertname": "Down"},
            "annotations": {"summary": "boom"},
            "state": "firing",
            "activeAt": "2026-03-01T10:00:00.5Z",
            "value": "1.24e-01",
        }
    ],
    "health": "ok",
    "evaluationTime": 0.0002,
    "lastEvaluation": "2026-03-01T10:00:10Z",
    "state": "firing",
}


def answer(data: Any) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


def groups(*rules: Any) -> bytes:
    return answer({"groups": [{"name": "g", "file": "x", "interval": 15, "limit": 0, "rules": list(rules)}]})


def test_a_rule_is_read_with_its_alerts() -> None:
    ((rule,), unread) = decode_rules(groups(RULE))
    (alert,) = rule.alerts
    assert (rule.name, rule.group, rule.expression, rule.hold, rule.interval) == ("Down", "g", "up == 0", 60, 15)
    assert (rule.health, rule.evaluated_at, unread) == ("ok", 1_772_359_210.0, 0)
    assert (alert.firing, alert.active_at, alert.value) == (True, 1_772_359_200.5, 0.124)
    assert (alert.labels, alert.annotations) == (pairs(severity="critical"), (("summary", "boom"),))


@pytest.mark.parametrize(
    ("bad", "unread"),
    [
        ({"type": "recording", "name": "r", "query": "x", "labels": {}}, 0),
        ({**RULE, "alerts": None, "lastError": None, "health": "unknown", "lastEvaluation": "0001-01-01T00:00:00Z"}, 0),
        ({**RULE, "alerts": [{"labels": {}, "state": "pending", "value": "NaN"}]}, 0),
        ({**RULE, "alerts": [{"labels": {}, "state": "pending", "value": "many"}]}, 0),
        (17, 1),
        ({"name": "x"}, 1),
        ({**RULE, "alerts": [{"labels": {"a": 1}, "state": "firing"}]}, 1),
    ],
)
def test_one_bad_rule_costs_itself(bad: Any, unread: int) -> None:
    rules, count = decode_rules(groups(RULE, bad))
    assert (rules[0].name, count) == ("Down", unread)


def test_a_rule_tells_what_it_says_of_each_of_its_alerts() -> None:
    said = {"runbook_url": "https://r/Down", "summary": "{{ $labels.pod }} is down"}
    rules, _ = decode_rules(groups({**RULE, "annotations": said}))
    assert rules[0].annotations == (("runbook_url", "https://r/Down"),)


def test_an_alert_without_a_name_bears_its_rules() -> None:
    rules, _ = decode_rules(groups({**RULE, "alerts": [{"labels": {"a": "b"}, "state": "pending"}]}))
    assert rules[0].alerts[0].labels == pairs(a="b")


def test_the_smaller_answers() -> None:
    assert decode_config(answer({"yaml": "global: {}"})) == "global: {}"
    assert decode_version(answer({"version": "2.42.0", "goVersion": "x"})) == "2.42.0"
    assert decode_started_at(answer({"startTime": "2026-03-01T10:00:00Z"})) == 1_772_359_200.0
    assert decode_started_at(answer({})) == 0.0
    assert decode_alertmanagers(answer({"activeAlertmanagers": [{"url": "http://a"}], "dropped": []})) == ("http://a",)
    assert decode_alertmanagers(answer({"activeAlertmanagers": None})) == ()


DECODERS = (decode_rules, decode_config, decode_version, decode_started_at, decode_alertmanagers, decode_past)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status":"success","data":7}', b'{"data":{}}'])
def test_what_is_no_prometheus_is_one_clear_sentence(body: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(Problem, match="no Prometheus"):
            decode(body)


def test_what_it_refuses_is_said_in_its_words() -> None:
    with pytest.raises(Problem, match="refused: parse error at char 3"):
        decode_past(b'{"status":"error","errorType":"bad_data","error":"parse error at char 3"}')


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_problem(raw: bytes) -> None:
    for decode in DECODERS:
        with contextlib.suppress(Problem):
            decode(raw)


def test_a_range_is_read_and_odd_series_are_left_out() -> None:
    result = [
        {
            "metric": {"__name__": "ALERTS", "alertstate": "firing", "alertname": "A"},
            "values": [[T0, "1"], [T0, "NaN"]],
        },
        {"metric": {"alertname": "B"}, "values": [[T0, "x"]]},
        {"metric": {"alertname": "C"}, "value": [T0, "5"]},
    ]
    past = decode_past(answer({"resultType": "matrix", "result": result}))
    assert [one.labels for one in past] == [pairs("A"), pairs("C")]
    assert past[1].points == [(T0, 5.0)]


@pytest.mark.parametrize("series", [0, 1, 139, 1000, 5000, 1e9, float("nan"), float("inf")])
def test_the_step_keeps_a_day_of_many_series_small(series: float) -> None:
    step = step_for(series)
    assert 60 <= step <= 900
    assert step == 900 or math.isnan(series) or series * WINDOW / step <= MOST_POINTS * 1.02


STEP = 60.0
HELD = Rule("Down", "g", "up == 0", hold=30.0)
READING = Reading(outgoing_of("global: {external_labels: {cluster: eu}}"), Entities({}).of, rules={"Down": [HELD]})


def past(onsets: list[float], start: float = T0) -> Past:
    """Return a series with one value a minute."""
    return Past(pairs(), [(start + n * STEP, value) for n, value in enumerate(onsets)])


def firing(*minutes: int) -> Past:
    return Past(pairs(), [(T0 + n * STEP, 1.0) for n in minutes])


@pytest.mark.parametrize(
    ("values", "fired", "until", "told"),
    [
        ([T0 - 5] * 4, [2, 3], T0 + 900, [(T0 - 5, AlertState.ENDED, T0 + 180)]),
        ([T0 - 5] * 4, [2, 3], T0 + 180, [(T0 - 5, AlertState.FIRING, 0.0)]),
        ([T0 - 5] * 4, [2, 3], T0 + 239, [(T0 - 5, AlertState.FIRING, 0.0)]),
        ([T0 - 5] * 4, [2, 3], T0 + 240, [(T0 - 5, AlertState.ENDED, T0 + 180)]),
        # Pending alone is not told.
        ([T0 - 5] * 4, [], T0 + 900, []),
        (
            [T0 - 5, T0 - 5, T0 + 100, T0 + 100],
            [1, 3],
            T0 + 180,
            [(T0 - 5, AlertState.ENDED, T0 + 60), (T0 + 100, AlertState.FIRING, 0.0)],
        ),
        ([T0 - 5, T0 + 50, T0 + 50], [2], T0 + 900, [(T0 + 50, AlertState.ENDED, T0 + 120)]),
        ([float("nan"), float("inf"), -1.0, 0.0], [0, 1, 2, 3], T0 + 900, []),
    ],
)
def test_each_value_of_for_state_that_fired_is_an_episode(
    values: list[float], fired: list[int], until: float, told: list[tuple[float, AlertState, float]]
) -> None:
    found = episodes([past(values)], [firing(*fired)] if fired else [], STEP, until, READING)
    assert [(row.onset, row.state, row.ended_at) for row in found] == told
    assert all(row.labels == pairs(cluster="eu") and row.fired_at == row.onset + 30.0 for row in found)


def test_what_the_rules_do_not_show_any_more_has_ended() -> None:
    for on, state in (
        (None, AlertState.FIRING),
        (frozenset({pairs(cluster="eu")}), AlertState.FIRING),
        (frozenset[Any](), AlertState.ENDED),
    ):
        reading = Reading(READING.outgoing, READING.subject, on=on)
        (row,) = episodes([past([T0 - 5] * 4)], [firing(3)], STEP, T0 + 150, reading)
        assert row.state is state
        assert row.ended_at == (T0 + 150 if state is AlertState.ENDED else 0.0), "never in the future"
    assert episodes([past([T0 + 10] * 4)], [firing(0)], STEP, T0, READING) == []


@given(st.floats(1e9, 2e9), st.sampled_from([60.0, 77.0, 900.0]))
def test_all_who_ask_at_about_the_same_time_ask_for_the_same_moments(now: float, step: float) -> None:
    assert 0 <= asked_until(now, step) - now <= step
    assert asked_until(now, step) % step == 0


@pytest.mark.parametrize(("team", "expression"), [("b", "up < 2"), ("c", "up < 3"), ("x", "up < 1")])
def test_what_is_over_is_told_with_what_its_rule_says_today(team: str, expression: str) -> None:
    runbook = (("runbook_url", "https://r"),)
    first = Rule("Down", "g", "up < 1", labels=(("team", "a"),), annotations=runbook)
    second = Rule("Down", "g", "up < 2", labels=(("team", "b"),), annotations=runbook)
    third = Rule("Down", "g", "up < 3", labels=(("severity", "{{ $value }}"), ("team", "c")), annotations=runbook)
    reading = Reading(READING.outgoing, READING.subject, rules=rules_by_name([first, second, third]))
    labels = tuple(sorted((*pairs(severity="critical"), ("team", team))))
    values = [(T0 + n * STEP, T0 - 5) for n in range(4)]
    (row,) = episodes([Past(labels, values)], [Past(labels, [(T0 + 60, 1.0)])], STEP, T0 + 900, reading)
    assert (row.expression, row.annotations) == (expression, runbook)
