"""Any version's answer is read, and one bad object costs itself alone."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alertmanager.decode import Notifying, decode_alerts, decode_silences, decode_status
from services.alertmanager.fingerprint import fingerprint
from services.errors import Problem
from services.model.alert import Matcher

OLD = {
    "annotations": {"summary": "boom"},
    "endsAt": "2026-03-01T10:04:00.123Z",
    "fingerprint": "00f4a1a2b3c4d5e6",
    "receivers": [{"name": "team"}],
    "startsAt": "2026-03-01T10:00:00.123456789Z",
    "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
    "updatedAt": "2026-03-01T10:00:00Z",
    "generatorURL": "http://prom/graph?g0.expr=up",
    "labels": {"severity": "critical", "alertname": "Down"},
}


def shaped(**changes: Any) -> dict[str, Any]:
    return {**OLD, **changes}


def body(*alerts: Any) -> bytes:
    return json.dumps(alerts).encode()


def status(**fields: Any) -> dict[str, Any]:
    return {"status": fields}


def test_an_alert_of_0_25_is_read_whole() -> None:
    (alert,) = decode_alerts(body(OLD)).items
    assert alert.labels == (("alertname", "Down"), ("severity", "critical"))
    assert alert.fingerprint == "00f4a1a2b3c4d5e6"
    assert alert.state is Notifying.ACTIVE
    assert alert.starts_at == pytest.approx(1_772_359_200.123456)
    assert alert.receivers == ("team",)
    assert alert.annotations == (("summary", "boom"),)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"state": "active"}, Notifying.ACTIVE),
        ({"state": "unprocessed"}, Notifying.UNPROCESSED),
        ({"state": "suppressed", "silencedBy": ["a"], "inhibitedBy": ["b"], "mutedBy": ["c"]}, Notifying.SILENCED),
        ({"state": "suppressed", "silencedBy": [], "inhibitedBy": ["b"]}, Notifying.INHIBITED),
        ({"state": "suppressed", "silencedBy": None, "inhibitedBy": None, "mutedBy": ["nights"]}, Notifying.MUTED),
        ({"state": "suppressed"}, Notifying.MUTED),
        ({"state": "of the future"}, Notifying.UNPROCESSED),
        ({}, Notifying.UNPROCESSED),
    ],
)
def test_why_nobody_is_told_is_read_from_any_version(fields: dict[str, Any], state: Notifying) -> None:
    (alert,) = decode_alerts(body(shaped(**status(**fields)))).items
    assert alert.state is state


def test_what_is_missing_or_unknown_does_not_matter() -> None:
    bare = {"labels": {"alertname": "A"}, "routeLabels": {"x": "y"}, "receivers": [{"labels": {}, "name": None}]}
    null = {"labels": {"alertname": "B"}, "annotations": None, "status": None, "startsAt": None, "fingerprint": None}
    first, second = decode_alerts(body(bare, null)).items
    assert first.fingerprint == fingerprint([("alertname", "A")])
    assert (first.starts_at, second.ends_at, first.receivers) == (0.0, 0.0, ())


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59+05:00"])
def test_a_time_before_the_epoch_is_none(at: str) -> None:
    (alert,) = decode_alerts(body(shaped(startsAt=at))).items
    assert alert.starts_at == 0.0


@pytest.mark.parametrize(
    "bad", [17, None, {}, {"labels": None}, {"labels": {"a": 1}}, shaped(startsAt="soon"), shaped(endsAt=7)]
)
def test_one_bad_alert_is_put_aside_and_counted(bad: Any) -> None:
    given = decode_alerts(body(OLD, bad, shaped(labels={"alertname": "Other"})))
    assert [alert.labels[0][1] for alert in given.items] == ["Down", "Other"]
    assert given.quarantined == 1


@pytest.mark.parametrize("bad", [b"", b"<html>502</html>", b'{"status":"error"}', b'"silence invalid"', b"[" * 9999])
def test_what_is_no_list_is_one_clear_sentence(bad: bytes) -> None:
    for decode in (decode_alerts, decode_silences):
        with pytest.raises(Problem, match="no Alertmanager"):
            decode(bad)


def test_a_fingerprint_that_is_none_is_made_anew() -> None:
    for odd in ("", "XYZ", "00F4A1A2B3C4D5E6", "../../../../etc/p", "\x1b[31mabcdefghijk"):
        (alert,) = decode_alerts(body(shaped(fingerprint=odd))).items
        assert alert.fingerprint == fingerprint(alert.labels)


def test_a_silence_keeps_its_matchers() -> None:
    wire = {
        "id": "8c35a7e1",
        "status": {"state": "active"},
        "updatedAt": "2026-03-01T10:00:00Z",
        "comment": "ACK! ops: on it",
        "createdBy": "ops",
        "startsAt": "2026-03-01T10:00:00Z",
        "endsAt": "2026-03-01T11:00:00Z",
        "matchers": [
            {"isEqual": True, "isRegex": False, "name": "alertname", "value": "Down"},
            {"isEqual": False, "isRegex": True, "name": "env", "value": "test|dev"},
            {"name": "old", "value": "", "isRegex": False},
        ],
    }
    given = decode_silences(body(wire, {"id": "x"}))
    (silence,) = given.items
    assert silence.matchers == (
        Matcher("alertname", "Down"),
        Matcher("env", "test|dev", is_regex=True, is_equal=False),
        Matcher("old", ""),
    )
    assert (silence.state, silence.ends_at - silence.starts_at, given.quarantined) == ("active", 3600.0, 1)


def test_the_status_says_who_is_in_the_cluster_and_since_when_it_runs() -> None:
    wire = {
        "cluster": {
            "name": "01HX",
            "peers": [{"address": "127.0.0.1:9094", "name": "01HX"}, {"address": "127.0.0.1:9095", "name": "01HY"}],
            "status": "settling",
        },
        "config": {"original": "route: {}"},
        "uptime": "2026-03-01T10:00:00.000Z",
        "versionInfo": {"version": "0.25.0", "branch": "debian"},
    }
    known = decode_status(json.dumps(wire).encode())
    assert (known.state, known.version, known.name, known.members) == ("settling", "0.25.0", "01HX", ("01HX", "01HY"))
    assert known.started_at == 1_772_359_200.0
    assert decode_status(b"{}").state == ""
    with pytest.raises(Problem, match="status"):
        decode_status(b"<html>")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # common/model/signature_test.go and signatures taken from Alertmanager 0.25.
        ({}, "cbf29ce484222325"),
        ({"name": "garland, briggs", "fear": "love is not enough"}, f"{5799056148416392346:016x}"),
    ],
)
def test_fingerprints_are_those_of_the_field(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(sorted(labels.items())) == expected


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_any_labels_have_a_fingerprint_and_round_trip(labels: dict[str, str]) -> None:
    made = fingerprint(sorted(labels.items()))
    assert len(made) == 16
    assert int(made, 16) >= 0


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_problem(raw: bytes) -> None:
    for decode in (decode_alerts, decode_silences, decode_status):
        with contextlib.suppress(Problem):
            decode(raw)
