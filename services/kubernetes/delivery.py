"""Explains an Argo Rollout in its controller's words: phase, step, weight, and what an abort leaves undone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from services.kubernetes.rollout_status import condition
from services.model.delivery import BLUE_GREEN, DEGRADED, HEALTHY, PAUSED, PROGRESSING, Delivery
from services.model.severity import Severity
from services.model.workload import ReplicaSetInfo, Rollout

ABORTED = "RolloutAborted"


def delivered(row: Rollout, delivery: Delivery, replicasets: Sequence[ReplicaSetInfo]) -> Rollout:
    """Return a Rollout's row, which pods and ReplicaSets explain already, with what its controller says.

    A pod that fails explains more than a phase does, and stays `what`. Degraded, aborted and inconclusive are WARN:
    the stable pods serve, and a person has to decide.
    """
    workload = row.workload
    if not workload.images:
        current = holder(delivery.current, replicasets)
        workload = structs.replace(workload, images=current.images if current is not None else ())
        row = structs.replace(row, workload=workload)
    stable = holder(delivery.stable, replicasets)
    if not delivery.promoted and stable is not None:
        row = structs.replace(row, previous_revision=stable.revision, previous_images=stable.images)
    what, cause = _words(row, delivery)
    severity = row.severity
    if workload.desired and (delivery.phase == DEGRADED or delivery.aborted or _undecided(delivery)):
        severity = min(severity, Severity.WARN)
    keeps_time = delivery.phase == PROGRESSING and not delivery.held
    return structs.replace(
        row,
        severity=severity,
        what=row.what if row.cause else what,
        cause=f"{row.cause}; {cause}" if row.cause and cause else row.cause or cause,
        deadline_at=row.deadline_at if keeps_time else 0.0,
        since=row.since if row.cause else _since(row, delivery),
    )


def progress_words(delivery: Delivery) -> str:
    """Return "step 3/8, 20 %", as much of it as there is; "" where nothing is on its way or it has no steps.

    Where a router has not given the canary yet what the step asks for, that is said too: "step 3/8, 20 of 60 %".
    """
    if delivery.strategy == BLUE_GREEN or delivery.promoted:
        return ""
    asked, given = percent(delivery, delivery.weight), percent(delivery, delivery.routed)
    share = f"{asked} %" if given in (None, asked) else f"{given} of {asked} %"
    step = f"step {delivery.step}/{len(delivery.steps)}, " if delivery.step is not None else ""
    return f"{step}{share}"


def percent(delivery: Delivery, weight: int | None) -> int | None:
    """Return a weight in percent of all traffic, None for none."""
    if weight is None or delivery.full_weight <= 0:
        return weight
    return weight * 100 // delivery.full_weight


def holder(template_hash: str, replicasets: Sequence[ReplicaSetInfo]) -> ReplicaSetInfo | None:
    """Return the ReplicaSet of a pod template hash, None where it is not known."""
    return next((one for one in replicasets if template_hash and one.template_hash == template_hash), None)


def left_by_abort(row: Rollout) -> str:
    """Return that the spec of an aborted Rollout still names what was aborted; "" for any other."""
    delivery = row.workload.delivery
    if delivery is None or not delivery.aborted or delivery.promoted:
        return ""
    image = ", ".join(row.workload.images) or "the new version"
    back = f"undo to revision {row.previous_revision}" if row.previous_revision else "undo"
    return f"aborted: the spec still names {image}; {back}"


def because(row: Rollout) -> str:
    """Return why a workload is as it is, without what the lines on its delivery say already."""
    delivery = row.workload.delivery
    if delivery is None:
        return row.cause or row.what
    left = left_by_abort(row)
    said = (f"; {left}", f"; {delivery.message}", left, delivery.message)
    cause = row.cause
    for words in said:
        cause = cause.removesuffix(words) if words else cause
    return cause


def _words(row: Rollout, delivery: Delivery) -> tuple[str, str]:
    """Return what the row says and why, where no pod says more."""
    if left := left_by_abort(row):
        said = f"{delivery.message}; {left}" if delivery.message else left
        tagged = row.workload.images[0].rpartition("/")[2].partition("@")[0] if row.workload.images else "the new one"
        return f"aborted: spec still names {tagged}", said
    if delivery.phase == HEALTHY:
        return row.what, ""
    if not row.workload.desired:
        return row.what, ""
    progress = progress_words(delivery)
    words = f"{delivery.phase} {progress}" if progress else delivery.phase
    what = f"{words}: {delivery.message}" if delivery.message else words
    if delivery.phase == DEGRADED:
        return what, delivery.message or "the controller calls it degraded and does not say why"
    if _undecided(delivery):
        failed = next((one.message for one in delivery.judgements if one.phase == "Inconclusive" and one.message), "")
        text = f"its analysis could not tell good from bad{f' ({failed})' if failed else ''}: promote or abort"
        return what, text
    return what, ""


def _undecided(delivery: Delivery) -> bool:
    return any(reason.startswith("Inconclusive") for reason in delivery.pauses)


def _since(row: Rollout, delivery: Delivery) -> float:
    """Return since when the delivery is in its state, as far as the controller's own marks tell."""
    if delivery.aborted:
        return delivery.aborted_at or row.since
    if delivery.phase == PAUSED:
        return delivery.paused_at or row.since
    if delivery.phase == HEALTHY:
        return row.since
    progressing = condition(row.workload, "Progressing")
    return progressing.changed_at if progressing is not None else row.since
