"""Shows what is wrong with the cluster itself where no alert says so."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from services.model.cluster import Symptom
from services.model.ref import Ref
from services.ports import Snapshot
from tui.presenters.lens import TONES, Lens
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Row, Span

COLUMNS = (
    Column("shape", "", 1),
    Column("text", "SYMPTOM", 20, weight=1),
    Column("since", "SINCE", 6, right=True),
)


def present_row(key: str, symptom: Symptom, lens: Lens) -> Row:
    """Return one symptom as a row."""
    return Row(
        key,
        (
            lens.badge(symptom.severity),
            Span(lens.text(symptom.text), TONES[symptom.severity]),
            Span(lens.age(symptom.since)),
        ),
    )


def subject(symptom: Symptom) -> Subject:
    """Return what a filter sees of a symptom: where it was found, nowhere for what is about the whole cluster."""
    namespace, *besides = symptom.namespaces or ("",)
    return Subject(symptom.text, namespace, symptom.severity, besides=besides)


def narrowed(snapshot: Snapshot, namespace: str) -> Snapshot:
    """Return a snapshot with the symptoms of one namespace ("": of all) and those of the whole cluster alone."""
    if not namespace:
        return snapshot
    symptoms: Mapping[str, Symptom] = snapshot.tables.get("symptoms", {})
    here = {key: one for key, one in symptoms.items() if not one.namespaces or namespace in one.namespaces}
    return structs.replace(snapshot, tables={**snapshot.tables, "symptoms": here})


SYMPTOMS_VIEW = View(
    id="symptoms",
    title="Symptoms",
    noun="symptom",
    table="symptoms",
    sources=("nodes", "pods", "jobs.batch", "events"),
    columns=COLUMNS,
    row=present_row,
    subject=subject,
    ref=lambda symptom: Ref("", "", "", "", symptom.key),
    ranks={
        "status": lambda symptom: (symptom.severity, symptom.key),
        "name": lambda symptom: symptom.text,
        "age": lambda symptom: -symptom.since,
    },
    empty="no symptom of the cluster itself: nodes, jobs, scheduling and events are quiet",
)
