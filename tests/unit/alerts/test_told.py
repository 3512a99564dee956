"""What the begin of an alert keeps for those who ask when it is over: all of it where there is room, never half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cache.state.packing import EventDetail, pack, pack_event, unpack_event
from services.alerts.happenings import LONGEST, MOST_TOLD, Told, began_event, ended_event, told_of
from services.model.alert import Alert, AlertState, Entity
from services.model.severity import Severity
from services.sanitize import MAX_LINE, safe_text

LABELS = (
    ("alertname", "KubeDeploymentReplicasMismatch"), ("cluster", "prod-us-1"), ("deployment", "offer-sync"),
    ("instance", "10.244.0.8:8080"), ("job", "kube-state-metrics"), ("namespace", "catalog"), ("severity", "warning"),
)  # fmt: skip
SAID = (
    ("dashboard", "https://grafana.ironbark.example/d/kubernetes-workloads"),
    ("description", "Deployment catalog/offer-sync has fewer replicas than it should."),
    ("runbook_url", "https://runbooks.ironbark.example/KubeDeploymentReplicasMismatch"),
    ("summary", "Deployment catalog/offer-sync has fewer replicas than it should."),
)
ALERT = Alert(
    "0253f9642c2cdc6f", "0253f9642c2cdc6f", LABELS[0][1], Severity.WARN, AlertState.FIRING, LABELS, SAID,
    Entity("16be5662-fb0c-4c1b-ac90-2e75b327980b", "catalog", "offer-sync"), onset=1_795_304_280.0,
    fired_at=1_795_304_460.0, expression="kube_deployment_spec_replicas > kube_deployment_status_replicas_available",
    generator_url="https://prometheus.example/graph?g0.expr=x",
)  # fmt: skip

TEXT = st.text(max_size=80)
PAIRS = st.dictionaries(TEXT, TEXT, max_size=40).map(lambda pairs: tuple(sorted(pairs.items())))


def test_all_of_it_is_kept() -> None:
    kept = told_of(began_event(ALERT, 0.0))
    assert kept == Told(LABELS, SAID, ALERT.expression, "")
    bare = structs.replace(ALERT, expression="", state=AlertState.SILENCED)
    assert told_of(began_event(bare, 0.0)) == Told(LABELS, SAID, "", ALERT.generator_url, Severity.WARN)
    assert told_of(ended_event(ALERT, 0.0)) == Told()


def test_a_flood_of_words_leaves_the_short_ones() -> None:
    wordy = (
        ("description", "x" * 50_000),
        *((f"note-{at}", "y" * 590) for at in range(20)),
        ("runbook_url", "https://r"),
    )
    event = began_event(structs.replace(ALERT, annotations=wordy), 0.0)
    assert len(event.payload["annotations"]) <= MOST_TOLD < MAX_LINE
    kept = dict(told_of(event).annotations)
    assert kept["runbook_url"] == "https://r"
    assert 3 <= len(kept) < 10
    assert max(map(len, kept.values())) <= LONGEST


@given(PAIRS, PAIRS, TEXT)
def test_what_comes_back_is_safe_and_was_said(
    labels: tuple[tuple[str, str], ...], said: tuple[tuple[str, str], ...], expression: str
) -> None:
    event = began_event(structs.replace(ALERT, labels=labels, annotations=said, expression=expression), 0.0)
    stored = structs.replace(event, payload={name: safe_text(value, MAX_LINE) for name, value in event.payload.items()})
    ref, payload = unpack_event(pack_event(stored))
    assert ref == event.ref
    kept = told_of(structs.replace(stored, payload=payload))
    for pairs, before in ((kept.labels, labels), (kept.annotations, said)):
        assert set(pairs) <= {(safe_text(name), safe_text(value, LONGEST)) for name, value in before}
        assert bool(pairs) == bool(before)


def test_it_costs_two_hundred_bytes_and_the_end_of_an_alert_costs_none() -> None:
    event = began_event(ALERT, 0.0)
    before = ended_event(ALERT, 0.0).payload
    assert len(pack_event(event)) - len(pack(EventDetail(event.ref, before))) < 230
    assert len(pack(EventDetail(event.ref, event.payload))) - len(pack(EventDetail(event.ref, before))) > 600


@pytest.mark.parametrize("payload", [{}, {"labels": "{"}, {"labels": "[1]"}, {"labels": "null", "severity": "DOOM"}])
def test_what_a_strange_console_wrote_is_no_fault(payload: dict[str, str]) -> None:
    assert told_of(structs.replace(began_event(ALERT, 0.0), payload=payload)) == Told()


def test_what_an_older_console_wrote_is_read() -> None:
    event = ended_event(ALERT, 0.0)
    assert unpack_event(pack(EventDetail(event.ref, {"labels": "x" * 200}))) == (event.ref, {"labels": "x" * 200})
