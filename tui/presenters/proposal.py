"""The severity an incident begins with before anybody has judged it: what is known of it, and why it is not more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from services.model.alert import Alert
from services.model.incident import IncidentLink, IncidentSeverity
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.presenters.lens import clock

GUESSES = {
    Severity.CRIT: IncidentSeverity.P1,
    Severity.WARN: IncidentSeverity.P2,
    Severity.NOTICE: IncidentSeverity.P3,
}
PROD = "PROD"
LONGEST = 80


class Proposal(Struct, frozen=True):
    """What is filled in for the operator to change or to confirm, and why it is less than the subject says."""

    severity: IncidentSeverity
    because: str = ""


def proposed_severity(subject: object, links: Sequence[IncidentLink], snapshot: Snapshot, environment: str) -> Proposal:
    """Return the severity to begin with: where in doubt, the higher one; P0 is for people to say.

    P1 says that there is no way around it: what is over, or was acted upon so that it is healthy, begins as P2 at most.
    What is not PROD begins one lower; a cluster that nobody has told apart counts as PROD.
    """
    found = getattr(subject, "severity", Severity.WARN)
    severity = GUESSES.get(found, IncidentSeverity.P2)
    reasons: list[str] = []
    if severity is IncidentSeverity.P1 and (why := _way_around(subject, links, snapshot)):
        severity, reasons = IncidentSeverity.P2, [why]
    if environment and not environment.upper().startswith(PROD):
        severity = IncidentSeverity(f"P{min(4, int(severity.value[1:]) + 1)}")
        reasons.append(f"{environment} is not {PROD}")
    return Proposal(severity, f"{severity.value} is proposed: {'; '.join(reasons)}" if reasons else "")


def _way_around(subject: object, links: Sequence[IncidentLink], snapshot: Snapshot) -> str:
    """Return what shows that it does not hurt any more, "" where nothing does."""
    if not isinstance(subject, Alert):
        return ""
    if subject.ended_at:
        return f"it was over at {clock(subject.ended_at)}"
    rows = snapshot.tables.get("rollouts", {})
    uids = {link.ref.uid for link in links if link.ref is not None and link.ref.uid}
    now = [row for row in rows.values() if isinstance(row, Rollout) and row.ref.uid in uids]
    if not now or any(row.severity < Severity.NOTICE for row in now):
        return ""
    done = _done(snapshot.events, uids, subject.onset)
    return f"{clock(done.at)} {done.text[:LONGEST]}" if done is not None else ""


def _done(events: Iterable[Event], uids: set[str], since: float) -> Event | None:
    """Return the last change that was made from here to one of these objects, and verified."""
    made = (
        one
        for one in events
        if one.kind is EventKind.ACTION and one.severity is Severity.OK and one.ref.uid in uids and one.at >= since
    )
    return max(made, key=lambda one: one.at, default=None)
