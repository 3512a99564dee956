"""Says of a workload what `kubectl rollout status` says, word for word.

Source: kubectl v0.36 pkg/polymorphichelpers/rollout_status.go; for Rollouts argo-rollouts v1.10.
"""

from __future__ import annotations

from typing import NamedTuple

from services.kubernetes.decode_workloads import revision_number
from services.model.delivery import DEGRADED, HEALTHY
from services.model.workload import Condition, Workload

TIMED_OUT = "ProgressDeadlineExceeded"
_ROLLING = "RollingUpdate"
_UNSUPPORTED = "rollout status is only available for RollingUpdate strategy type"


class RolloutStatus(NamedTuple):
    """What kubectl prints (without the newline), whether it would return, and the error it would end with, if any."""

    text: str
    done: bool
    error: str = ""


def rollout_status(workload: Workload, revision: int = 0) -> RolloutStatus:
    """Return the status of a Deployment, StatefulSet, DaemonSet or Rollout; raises ValueError for any other kind.

    `revision` above 0 pins a Deployment's revision, as `--revision` does.
    """
    viewer = _VIEWERS.get(workload.ref.kind)
    if viewer is None:
        raise ValueError(f"{workload.ref.kind} has no rollout status")
    return viewer(workload, revision)


def condition(workload: Workload, kind: str) -> Condition | None:
    """Return the workload's condition of that type."""
    return next((each for each in workload.conditions if each.type == kind), None)


def _deployment(workload: Workload, revision: int) -> RolloutStatus:
    name = workload.ref.name
    running = revision_number(workload.revision)
    if revision > 0 and running != revision:
        error = f"desired revision ({revision}) is different from the running revision ({running})"
        return RolloutStatus("", False, error)
    if workload.generation > workload.observed_generation:
        return RolloutStatus("Waiting for deployment spec update to be observed...", False)
    progressing = condition(workload, "Progressing")
    if progressing is not None and progressing.reason == TIMED_OUT:
        return RolloutStatus("", False, f'deployment "{name}" exceeded its progress deadline')
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    updated = workload.updated
    if workload.spec_replicas is not None and updated < workload.spec_replicas:
        text = f"{waiting}{updated} out of {workload.spec_replicas} new replicas have been updated..."
        return RolloutStatus(text, False)
    if workload.replicas > updated:
        return RolloutStatus(f"{waiting}{workload.replicas - updated} old replicas are pending termination...", False)
    if workload.available < updated:
        return RolloutStatus(f"{waiting}{workload.available} of {updated} updated replicas are available...", False)
    return RolloutStatus(f'deployment "{name}" successfully rolled out', True)


def _daemonset(workload: Workload, _revision: int) -> RolloutStatus:
    if workload.strategy != _ROLLING:
        return RolloutStatus("", True, _UNSUPPORTED)
    if workload.generation > workload.observed_generation:
        return RolloutStatus("Waiting for daemon set spec update to be observed...", False)
    waiting = f'Waiting for daemon set "{workload.ref.name}" rollout to finish: '
    updated, desired = workload.updated, workload.desired
    if updated < desired:
        return RolloutStatus(f"{waiting}{updated} out of {desired} new pods have been updated...", False)
    if workload.available < desired:
        return RolloutStatus(f"{waiting}{workload.available} of {desired} updated pods are available...", False)
    return RolloutStatus(f'daemon set "{workload.ref.name}" successfully rolled out', True)


def _statefulset(workload: Workload, _revision: int) -> RolloutStatus:
    if workload.strategy != _ROLLING:
        return RolloutStatus("", True, _UNSUPPORTED)
    if workload.observed_generation == 0 or workload.generation > workload.observed_generation:
        return RolloutStatus("Waiting for statefulset spec update to be observed...", False)
    replicas, updated = workload.spec_replicas, workload.updated
    if replicas is not None and workload.ready < replicas:
        return RolloutStatus(f"Waiting for {replicas - workload.ready} pods to be ready...", False)
    if workload.partition is not None:
        wanted = (replicas or 0) - workload.partition
        if replicas is not None and updated < wanted:
            text = (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
            )
            return RolloutStatus(text, False)
        return RolloutStatus(f"partitioned roll out complete: {updated} new pods have been updated...", True)
    if workload.update_revision != workload.current_revision:
        at = f"{updated} pods at revision {workload.update_revision}..."
        return RolloutStatus(f"waiting for statefulset rolling update to complete {at}", False)
    at = f"{workload.current} pods at revision {workload.current_revision}..."
    return RolloutStatus(f"statefulset rolling update complete {at}", True)


def _rollout(workload: Workload, _revision: int) -> RolloutStatus:
    """Return what `kubectl argo rollouts status` says (argo-rollouts pkg/kubectl-argo-rollouts/cmd/status)."""
    delivery = workload.delivery
    if delivery is None:
        return RolloutStatus("", False)
    text = f"{delivery.phase} - {delivery.message}" if delivery.message else delivery.phase
    degraded = f"the rollout is in a degraded state with message: {delivery.message}"
    return RolloutStatus(text, delivery.phase == HEALTHY, degraded if delivery.phase == DEGRADED else "")


_VIEWERS = {"Deployment": _deployment, "StatefulSet": _statefulset, "DaemonSet": _daemonset, "Rollout": _rollout}
