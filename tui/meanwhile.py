"""Says what became of an object while a plan for it stood on the screen: from what to what, and whose doing it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.model.action import Target
from services.model.cluster import CronJob, Job, Node
from services.model.ref import DEPLOYMENTS, Ref
from services.model.workload import Pod, Workload
from services.ports import Snapshot

Named = Callable[[str], str]
"""How people and programs who changed something are named on this screen."""


def otherwise(target: Target, now: Snapshot, before: Snapshot | None, named: Named = str) -> str:
    """Return what has become of a target that is there still since it was frozen, "" for nothing.

    `before` is what was live then. Of a Rollout that follows a Deployment, what became of that counts too.
    """
    table = target.resource.table
    row, was = _row(target.ref, table, now), _row(target.ref, table, before)
    if not isinstance(row, Workload):
        return changed(was, row, named)
    if isinstance(was, Workload) and was.generation == target.generation:
        return changed(was, row, named) or _followed(row, now, before, named)
    return changed(None, row, named) if target.generation and row.generation != target.generation else ""


def _followed(row: Workload, now: Snapshot, before: Snapshot | None, named: Named) -> str:
    follows = row.delivery.follows if row.delivery is not None else ""
    kind, _, name = follows.partition("/")
    if kind != DEPLOYMENTS.kind.lower():
        return ""
    ref = Ref(row.ref.cluster, DEPLOYMENTS.group, DEPLOYMENTS.kind, row.ref.namespace, name, "")
    then, present = _row(ref, DEPLOYMENTS.table, before), _row(ref, DEPLOYMENTS.table, now)
    if not isinstance(then, Workload) or not isinstance(present, Workload) or then.generation == present.generation:
        return ""
    return f"{follows}, whose template it follows, is otherwise: {changed(then, present, named)}"


def _row(ref: Ref, table: str, snapshot: Snapshot | None) -> object:
    return snapshot.tables.get(table, {}).get(ref.key) if snapshot is not None else None


def changed(before: object, now: object, named: Named = str) -> str:
    """Return what is otherwise about a row than it was, of what an action on it depends upon; "" for nothing.

    `before` may be anything: of what was not seen before, a workload's change is told in general words.
    """
    if isinstance(now, Workload):
        return "; ".join(_workload(before, now, named)) if isinstance(before, Workload) else _in_general(now, named)
    if isinstance(now, Node) and isinstance(before, Node) and now.unschedulable is not before.unschedulable:
        who = f" by {named(now.cordoned_by)}" if now.unschedulable and now.cordoned_by else ""
        return f"it was {'cordoned' if now.unschedulable else 'uncordoned'}{who}"
    if isinstance(now, CronJob) and isinstance(before, CronJob):
        return "; ".join(_cron_job(before, now))
    if isinstance(now, Job) and isinstance(before, Job):
        return _went("it", before.status, now.status) if now.status != before.status else ""
    if isinstance(now, Pod) and isinstance(before, Pod) and now.deleted_at and not before.deleted_at:
        return "it is being deleted"
    return ""


def _workload(before: Workload, now: Workload, named: Named) -> Iterable[str]:
    said = False
    if now.spec_replicas != before.spec_replicas:
        yield _went("its replicas", before.spec_replicas, now.spec_replicas) + _by(now.scaled_by, named)
        said = True
    if now.paused is not before.paused:
        yield "it was paused" if now.paused else "its roll-out goes on, which was paused"
        said = True
    if now.images != before.images:
        yield _image(before.images, now.images) + _by(now.changed_by, named)
        said = True
    elif now.changed_at != before.changed_at:
        yield f"its pod template was changed{_by(now.changed_by, named)}, not the image"
        said = True
    if (now.strategy, now.partition) != (before.strategy, before.partition):
        yield "its update strategy was changed"
        said = True
    if now.delivery is not None and before.delivery is not None and now.delivery.aborted is not before.delivery.aborted:
        yield "it was aborted" if now.delivery.aborted else "what was aborted goes on"
        said = True
    if not said and now.generation != before.generation:
        yield _in_general(now, named)


def _cron_job(before: CronJob, now: CronJob) -> Iterable[str]:
    if now.suspended is not before.suspended:
        yield "it was suspended" if now.suspended else "it runs by its schedule again"
    if now.schedule != before.schedule:
        yield _went("its schedule", before.schedule, now.schedule)
    if now.images != before.images:
        yield _image(before.images, now.images)


def _in_general(now: Workload, named: Named) -> str:
    return f"its spec was changed{_by(now.changed_by, named)}"


def _by(who: str, named: Named) -> str:
    return f" by {named(who)}" if who else ""


def _went(what: str, before: object, now: object) -> str:
    return f"{what} went from {_shown(before)} to {_shown(now)}"


def _shown(value: object) -> str:
    return "unset" if value is None or value == "" else str(value)


def _image(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    """Tell of other images, without their registries and folders; whole where nothing else tells them apart."""
    was, present = ([one.rpartition("/")[2] for one in images] for images in (before, now))
    if was == present:
        was, present = list(before), list(now)
    return _went("its image", ", ".join(was), ", ".join(present))
