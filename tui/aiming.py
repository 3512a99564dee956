"""From what is shown to what is acted upon: identities that are frozen at a key press, and what has become of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from services.model.action import Plan, Target
from services.model.alert import Alert, AlertState, Silence
from services.model.ref import ALERTS, CRONJOBS, JOBS, NODES, PODS, SILENCES, WORKLOAD_KINDS, Ref, Resource, ref_of
from services.model.source import CONNECTION
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.meanwhile import otherwise
from tui.presenters.alert_targets import target_of
from tui.presenters.alerts import GroupRow

RESOURCES = {(one.group, one.kind): one for one in (*WORKLOAD_KINDS, PODS, NODES, JOBS, CRONJOBS)}
"""Kinds that actions are offered for."""

OF_ALERTING = frozenset({ALERTS, SILENCES})
"""Kinds that Alertmanagers hold, and no cluster."""

OVER = (AlertState.ENDED, AlertState.PENDING)
"""States of alerts that no Alertmanager holds."""


class Aim(Struct, frozen=True):
    """What an action begins with: its frozen target, the row that it was shown as, and what was chosen beside it."""

    target: Target
    row: object
    given: Mapping[str, str] = {}


def aims(subject: object, snapshot: Snapshot, cluster: str) -> tuple[Aim, ...]:
    """Return what actions may begin with where this is shown: an alert itself, then the object that it speaks of.

    `cluster` is the identity of the cluster that is shown.
    """
    found = []
    alerting = _of_alerting(subject, snapshot, cluster)
    if alerting is not None:
        found.append(alerting)
    target = freeze(subject.lead if isinstance(subject, GroupRow) else subject, snapshot)
    if target is not None:
        row = row_of(target.ref, snapshot) if alerting is not None else subject
        found.append(Aim(target, row))
    return tuple(found)


def _of_alerting(subject: object, snapshot: Snapshot, cluster: str) -> Aim | None:
    told = [one.last_ok for name, one in snapshot.sources.items() if name.startswith("alertmanager/")]
    as_of = max(told, default=0.0)
    if isinstance(subject, GroupRow):
        rows = snapshot.tables.get("alerts", {})
        members = [rows[key] for key in subject.group.members if key in rows and rows[key].state is AlertState.FIRING]
        ref = Ref(cluster, "", "Alert", "", subject.lead.name, subject.lead.key)
        return Aim(Target(ref, ALERTS, as_of=as_of), subject, {"alerts": " ".join(one.key for one in members)})
    if isinstance(subject, Alert):
        ref = Ref(cluster, "", "Alert", "", subject.name, subject.key)
        return Aim(Target(ref, ALERTS, as_of=as_of), subject, {"alerts": subject.key})
    if isinstance(subject, Silence):
        named = next((one.value for one in subject.matchers if one.name == "alertname"), subject.id[:8])
        ref = Ref(cluster, "", "Silence", subject.source, named, subject.id)
        return Aim(Target(ref, SILENCES, as_of=as_of), subject)
    return None


def freeze(subject: object, snapshot: Snapshot) -> Target | None:
    """Return the identity of what is shown, for good: nothing that moves on the screen later can change it.

    An alert stands for the workload, pod or node that it speaks of. None where there is no such object.
    """
    if isinstance(subject, Alert):
        found = target_of(subject, snapshot)
        return None if found is None else freeze(row_of(found[0], snapshot), snapshot)
    workload = subject.workload if isinstance(subject, Rollout) else subject
    ref = ref_of(workload)
    if ref is None or not ref.uid:
        return None
    resource = RESOURCES.get((ref.group, ref.kind))
    status = snapshot.sources.get(CONNECTION)
    if resource is None:
        return None
    return Target(
        ref,
        resource,
        getattr(workload, "generation", 0),
        getattr(workload, "resource_version", ""),
        status.last_byte if status is not None else 0.0,
    )


def replaced(target: Target, subject: object, seen: str) -> str:
    """Return what to say where an object took the place of the one that was painted; `seen` is that one's uid."""
    if not seen or seen == target.ref.uid:
        return ""
    if target.resource in OF_ALERTING:
        return "another one took its place in this very moment: look again"
    if isinstance(subject, Alert | GroupRow):
        return ""
    return "it was deleted and made anew in this very moment: look again"


def moved(target: Target, snapshot: Snapshot, named: Callable[[str], str] = str, before: Snapshot | None = None) -> str:
    """Return what has become of a target since it was frozen, as far as its row tells; "" while it is the same.

    `before` is what was live when it was frozen: what of it is otherwise is told; `named` returns who changed it as the
    screen may show them.
    """
    rows = snapshot.tables.get(target.resource.table)
    if rows is None:
        return ""
    if target.resource in OF_ALERTING:
        return _over(target, rows)
    row = rows.get(target.ref.key)
    if row is None:
        return "it is gone: nothing can be confirmed here any more"
    if row.ref.uid and row.ref.uid != target.ref.uid:
        return "it was deleted and made anew: look at it again"
    said = otherwise(target, snapshot, before, named)
    return f"{said} since this was planned: leave, and look at it again" if said else ""


def _over(target: Target, rows: Mapping[str, Any]) -> str:
    row = rows.get(target.ref.uid)
    if target.resource == ALERTS and (row is None or row.state is AlertState.ENDED):
        return "the alert has ended meanwhile: nothing needs to be done about it"
    return ""


def row_of(ref: Ref, snapshot: Snapshot) -> Any:  # noqa: ANN401 - objects of every kind
    """Return the row of an object: a workload joined with what explains it, where there is one."""
    found = snapshot.tables.get("rollouts", {}).get(f"{ref.kind}/{ref.key}")
    resource: Resource | None = RESOURCES.get((ref.group, ref.kind))
    if found is None and resource is not None:
        found = snapshot.tables.get(resource.table, {}).get(ref.key)
    return found


class Watched:
    """The alerts that a plan would silence, held against live state while it stands on the screen.

    What live state had already when the plan was first shown is no news, nor is what the plan itself names.
    """

    def __init__(self, plan: Plan, snapshot: Snapshot) -> None:
        from services.actions.silencing import decoded

        self._matchers = [one.matchers for one in decoded(plan.parameters["wanted"])]
        self._known = {*plan.state.get("hidden", "").split(), *self._hidden(snapshot)}

    def news(self, snapshot: Snapshot) -> str:
        """Return what the plan would hide by now that it does not say, "" for nothing."""
        hidden = self._hidden(snapshot)
        fresh = sorted(hidden[key] for key in hidden.keys() - self._known)
        if not fresh:
            return ""
        more = f" and {len(fresh) - 2} more" if len(fresh) > 2 else ""
        return f"it would now hide {', '.join(fresh[:2])}{more} too: leave, and look at it again"

    def _hidden(self, snapshot: Snapshot) -> Mapping[str, str]:
        from services.actions.silencing import name_of
        from services.alerts.matchers import hides

        found = {}
        for alert in snapshot.tables.get("alerts", {}).values():
            if alert.state is AlertState.FIRING or alert.state is AlertState.INHIBITED:
                labels = dict(alert.labels)
                if any(hides(one, labels) for one in self._matchers):
                    found[alert.key] = name_of(alert.labels)
        return found
