"""Adds up a picture of the cluster: what the header counts, what `status` prints, what "all clear" may claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from services.model.cluster import Symptom
from services.model.severity import Severity
from services.model.source import CONNECTION, SourceState
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.presenters import rollouts
from tui.presenters.freshness import Freshness, Reading, read, worst
from tui.presenters.symptoms import subject as subject_of
from tui.presenters.terms import Test

if TYPE_CHECKING:
    from tui.presenters.alert_sources import AlertCounts, Evidence

ALERT_SOURCES = ("alertmanager/", "prometheus/")
ROLLOUT_SOURCES = tuple(f"{CONNECTION}/{table}" for table in rollouts.VIEW.sources)
OPTIONAL_SOURCES = tuple(f"{CONNECTION}/{table}" for table in rollouts.VIEW.optional)


class Summary(Struct, frozen=True):
    """Counts by severity of what is in scope and of what the scope hides, and how far they may be believed.

    `rollouts` are the counts of workloads alone. `alerts` and `evidence` are None where no server is asked for alerts.
    `narrowed` says what this user's rights leave out, where that is to be told with it.
    """

    reading: Reading
    counts: Mapping[Severity, int] = {}
    hidden: Mapping[Severity, int] = {}
    workloads: int = 0
    symptoms: tuple[Symptom, ...] = ()
    rollouts: Mapping[Severity, int] = {}
    alerts: AlertCounts | None = None
    evidence: Evidence | None = None
    narrowed: str = ""

    @property
    def failing(self) -> bool:
        """Whether something is known to need the operator."""
        return bool(self.counts.get(Severity.CRIT) or self.counts.get(Severity.WARN))

    @property
    def whole(self) -> bool:
        """Whether all that is asked has answered: the cluster if any, and every server that alerts come from."""
        if self.reading.freshness is Freshness.NOT_CONFIGURED:
            return self.evidence is not None and self.evidence.whole
        return self.reading.trusted and (self.evidence is None or self.evidence.whole)

    @property
    def broken(self) -> bool:
        """Whether something is certain to need the operator, whatever else is not known."""
        bad = (Severity.CRIT, Severity.WARN)
        if self.reading.trusted and any(self.rollouts.get(one) for one in bad):
            return True
        if self.reading.trusted and any(symptom.severity in bad for symptom in self.symptoms):
            return True
        if self.alerts is None or self.evidence is None or not self.evidence.reading.trusted:
            return False
        return any(self.alerts.worst.get(one) for one in bad)

    @property
    def all_clear(self) -> bool:
        """Whether nothing needs the operator, on data that may be believed."""
        return self.whole and not self.failing


class Tally(Struct, frozen=True):
    """What two tables of a snapshot add up to, workloads and symptoms, whatever the time is; see `Summary`."""

    counts: Mapping[Severity, int]
    hidden: Mapping[Severity, int]
    workloads: int
    symptoms: tuple[Symptom, ...]
    rollouts: Mapping[Severity, int]


TALLIED = (rollouts.VIEW.table, "symptoms")
"""The tables that a tally is made from."""


def tally(snapshot: Snapshot, scope: Test | None = None) -> Tally:
    """Return what workloads and symptoms of a snapshot add up to."""
    counts: dict[Severity, int] = {}
    hidden: dict[Severity, int] = {}
    workloads: Mapping[str, Rollout] = snapshot.tables.get(rollouts.VIEW.table, {})
    total = 0
    for rollout in workloads.values():
        inside = scope is None or scope(rollouts.subject(rollout))
        into = counts if inside else hidden
        total += inside
        into[rollout.severity] = into.get(rollout.severity, 0) + 1
    rollout_counts, symptoms = dict(counts), []
    for symptom in snapshot.tables.get("symptoms", {}).values():
        inside = scope is None or scope(subject_of(symptom))
        into = counts if inside else hidden
        into[symptom.severity] = into.get(symptom.severity, 0) + 1
        if inside:
            symptoms.append(symptom)
    symptoms.sort(key=lambda one: (one.severity, one.key))
    return Tally(counts, hidden, total, tuple(symptoms), rollout_counts)


def sum_up(
    snapshot: Snapshot,
    now: float,
    scope: Test | None = None,
    counted: AlertCounts | None = None,
    tallied: Tally | None = None,
) -> Summary:
    """Return the summary of a snapshot. Workloads count one each; a symptom of the cluster counts as one.

    `counted` are the counts of the alerts, `tallied` those of the rest, where an earlier summary of the same tables has
    them.
    """
    tallied = tallied or tally(snapshot, scope)
    summary = Summary(
        overall(snapshot, now), tallied.counts, tallied.hidden, tallied.workloads, tallied.symptoms, tallied.rollouts
    )
    if not any(name.startswith(ALERT_SOURCES) for name in snapshot.sources):
        return summary
    from tui.presenters.alert_sources import sum_up_alerts

    return sum_up_alerts(summary, snapshot, now, scope, counted)


def overall(snapshot: Snapshot, now: float) -> Reading:
    """Return how far the picture may be believed: as far as the connection and every table it is made from.

    A kind that this user may not read is left out, and said beside the scope; when all of them are, nothing is known.
    """
    connection = read(snapshot.sources.get(CONNECTION), now)
    known = [snapshot.sources.get(source) for source in ROLLOUT_SOURCES]
    asked = [status for source in OPTIONAL_SOURCES if (status := snapshot.sources.get(source)) is not None]
    more = [status for status in asked if status.state is not SourceState.FORBIDDEN]
    allowed = [status for status in known if status is None or status.state is not SourceState.FORBIDDEN]
    tables = [read(status, now) for status in (*(allowed or known), *more)]
    broken = [reading for reading in tables if reading.freshness not in (Freshness.FRESH, Freshness.STALE)]
    return worst([connection, *broken])
