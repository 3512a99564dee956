"""Tells from live state what was put back without us: by kubectl, from another machine, with the object itself."""

from __future__ import annotations

from services.model.action import Altered
from services.model.cluster import CronJob, Node
from services.model.source import CONNECTION
from services.model.workload import Rollout, Workload
from services.ports import Snapshot
from tui.aiming import row_of


def put_back(one: Altered, snapshot: Snapshot) -> bool:
    """Tell whether something that was left altered is known to be as it was; of what is not watched nothing is known.

    An object that another one of its name took the place of is not altered any more.
    """
    if one.ref.kind in ("Alert", "Silence"):
        known = snapshot.tables.get("silences", {}).get(one.undo.ref.uid)
        return known is not None and known.state == "expired"
    status = snapshot.sources.get(CONNECTION)
    if status is None or status.last_byte <= one.since:
        return False
    row = row_of(one.ref, snapshot)
    found = row.workload if isinstance(row, Rollout) else row
    if not isinstance(found, Workload | Node | CronJob):
        return False
    return found.ref.uid != one.ref.uid or _is_so(one, found)


def _is_so(one: Altered, found: Workload | Node | CronJob) -> bool:
    """Tell whether the object is what the inverse would make it."""
    match one.undo.action, found:
        case "resume", Workload():
            return not found.paused
        case "scale", Workload():
            return str(found.desired) == one.undo.parameters.get("replicas")
        case "uncordon", Node():
            return not found.unschedulable
        case "resume-cronjob", CronJob():
            return not found.suspended
    return False
