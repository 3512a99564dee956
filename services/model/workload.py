"""Workloads, their revisions and their pods, holding only the fields that are shown or acted upon.

All times are epoch seconds UTC, 0 when the server gave none. Strings are as the server sent them: raw.
"""

from __future__ import annotations

from msgspec import Struct

from services.model.delivery import Delivery
from services.model.ref import Ref
from services.model.severity import Severity


class Condition(Struct, frozen=True, gc=False):
    """One entry of `status.conditions`."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    changed_at: float = 0.0
    updated_at: float = 0.0


class Owner(Struct, frozen=True, gc=False):
    """The controlling owner reference."""

    kind: str
    name: str
    uid: str


class Workload(Struct, frozen=True, gc=False):
    """A Deployment, StatefulSet, DaemonSet or Rollout.

    Counts follow `kubectl rollout status`: for a DaemonSet `desired` is desiredNumberScheduled, `updated`
    updatedNumberScheduled, `available` numberAvailable, `ready` numberReady, `replicas` currentNumberScheduled.
    `strategy` is the update strategy's type; `partition` is None where the object names no rollingUpdate block.
    `selector` is the label selector in the API's string form, for listing the pods. `spec_replicas` is None
    where the field is unset, `current` a StatefulSet's currentReplicas. `changed_by` is the field manager that last
    wrote the pod template, `changed_at` that manager's last write. `scaled_by` owns the
    number of replicas: who last set it to another value, by the scale subresource or by an edit.
    `delivery` is what only a Rollout has, `tracking` the id by which Argo CD knows it as its own. `config_maps` are the
    names of those its template reads.
    """

    ref: Ref
    generation: int
    observed_generation: int
    spec_replicas: int | None
    desired: int
    replicas: int
    ready: int
    updated: int
    available: int
    created_at: float
    terminating: int = 0
    revision: str = ""
    images: tuple[str, ...] = ()
    paused: bool = False
    strategy: str = ""
    partition: int | None = None
    progress_deadline: int = 0
    current_revision: str = ""
    update_revision: str = ""
    change_cause: str = ""
    selector: str = ""
    conditions: tuple[Condition, ...] = ()
    labels: tuple[str, ...] = ()
    resource_version: str = ""
    current: int = 0
    changed_by: str = ""
    changed_at: float = 0.0
    scaled_by: str = ""
    delivery: Delivery | None = None
    tracking: str = ""
    config_maps: tuple[str, ...] = ()


class ReplicaSetInfo(Struct, frozen=True, gc=False):
    """A ReplicaSet as one revision of a Deployment or Rollout; `revision` 0 where the annotation is missing.

    `leaves_at` is when a blue-green Rollout scales it down: until then going back to it is instant (0: never).
    """

    ref: Ref
    owner: Owner | None
    revision: int
    revision_history: str
    desired: int
    replicas: int
    ready: int
    images: tuple[str, ...]
    created_at: float
    change_cause: str = ""
    template_hash: str = ""
    conditions: tuple[Condition, ...] = ()
    leaves_at: float = 0.0


class ContainerState(Struct, frozen=True, gc=False):
    """The one container that explains a pod's trouble.

    `reason` and `message` come from the waiting or terminated state, `last_*` from the termination before it.
    """

    name: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    restarts: int = 0
    last_reason: str = ""
    last_exit_code: int | None = None
    last_message: str = ""


class Pod(Struct, frozen=True, gc=False):
    """A pod. `status` is the text of kubectl's STATUS column, `ready`/`containers` its READY column.

    `uid` in `ref` is "" while the row comes from an object-less Table. `labels` are "key=value" strings.
    `trouble` is the container that explains an unhealthy status, or that has failed before and runs again,
    `unschedulable` the scheduler's message, `unready_since` when the pod ceased to be ready (0: it is, or never was).
    CPU is in millicores, memory in bytes; 0 when the spec names none.
    """

    ref: Ref
    status: str
    severity: Severity
    ready: int
    containers: int
    restarts: int
    created_at: float
    phase: str = ""
    node: str = ""
    ip: str = ""
    owner: Owner | None = None
    last_restart_at: float = 0.0
    trouble: ContainerState | None = None
    unschedulable: str = ""
    container_names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cpu_request: int = 0
    memory_request: int = 0
    cpu_limit: int = 0
    memory_limit: int = 0
    deleted_at: float = 0.0
    unready_since: float = 0.0


class Rollout(Struct, frozen=True, gc=False):
    """A workload joined with what explains its state: one row of the rollouts pane.

    `status` is exactly the line of `kubectl rollout status` (without its trailing newline), `done` whether kubectl
    would return. `cause` is the stall's reason in the operator's words, "" when nothing is wrong.
    `deadline_at` is when the progress deadline runs out (0: none runs). `previous_revision` and `previous_images`
    come from the revision that was current before. `since` is when the present trouble or roll-out began. `changes`
    are the last times its health changed, `flapping` whether that was three times in 15 minutes, `recovered_at` when it
    last came back.
    """

    workload: Workload
    severity: Severity
    status: str
    done: bool
    what: str = ""
    cause: str = ""
    last_words: str = ""
    deadline_at: float = 0.0
    stalled: bool = False
    since: float = 0.0
    revision: int = 0
    previous_revision: int = 0
    previous_images: tuple[str, ...] = ()
    restarts: int = 0
    changes: tuple[float, ...] = ()
    flapping: bool = False
    recovered_at: float = 0.0

    @property
    def ref(self) -> Ref:
        """The workload's identity."""
        return self.workload.ref


class Healthy(Struct, frozen=True, gc=False):
    """When consoles of this machine saw a revision complete and without trouble, epoch seconds.

    `until` is the last time it was seen so, 0 where it is so now. `watched` is for how many seconds between the two
    somebody watched: nobody knows what the revision did in the rest.
    """

    since: float
    until: float = 0.0
    watched: float = 0.0


class Revision(Struct, frozen=True, gc=False):
    """One entry of a workload's history, newest first in lists.

    `who` is the manager that last wrote the spec, where the server says so. `healthy` is when it was observed to be
    healthy, `mark` is "inferred" where only the cluster's own marks say that it was, else "". `was` lists the numbers
    the same template carried before ("3,5").
    """

    number: int
    name: str
    uid: str
    images: tuple[str, ...]
    created_at: float
    current: bool
    change_cause: str = ""
    who: str = ""
    was: str = ""
    ready: int = 0
    desired: int = 0
    mark: str = ""
    template: bytes = b""
    healthy: Healthy | None = None
