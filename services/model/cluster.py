"""The other things a cluster shows: nodes, jobs, events, namespaces, and any kind the server prints as a table."""

from __future__ import annotations

from msgspec import Struct

from services.model.ref import Ref, Resource
from services.model.severity import Severity
from services.model.workload import Condition, Owner


class Node(Struct, frozen=True, gc=False):
    """A node. `status` reads as kubectl prints it ("Ready,SchedulingDisabled"); `pressure` names the bad conditions.

    `cordoned_by` made it unschedulable at `cordoned_at`, as far as that is known.
    """

    ref: Ref
    status: str
    severity: Severity
    created_at: float
    roles: str = ""
    version: str = ""
    internal_ip: str = ""
    unschedulable: bool = False
    pressure: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    cpu_allocatable: int = 0
    memory_allocatable: int = 0
    pods_allocatable: int = 0
    taints: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cordoned_by: str = ""
    cordoned_at: float = 0.0


class Job(Struct, frozen=True, gc=False):
    """A Job; `status` is the text of kubectl's STATUS column: Complete, Failed, Running, Suspended, Terminating..."""

    ref: Ref
    status: str
    severity: Severity
    created_at: float
    completions: int = 1
    succeeded: int = 0
    failed: int = 0
    active: int = 0
    started_at: float = 0.0
    finished_at: float = 0.0
    reason: str = ""
    message: str = ""
    owner: Owner | None = None
    images: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class CronJob(Struct, frozen=True, gc=False):
    """A CronJob."""

    ref: Ref
    schedule: str
    suspended: bool
    created_at: float
    active: int = 0
    last_scheduled_at: float = 0.0
    last_succeeded_at: float = 0.0
    images: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class KubeEvent(Struct, frozen=True, gc=False):
    """A core/v1 Event. `about` is the involved object (its cluster as ours); `at` the last time it was seen."""

    ref: Ref
    about: Ref
    type: str
    reason: str
    message: str
    at: float
    first_at: float = 0.0
    count: int = 1
    component: str = ""


class Namespace(Struct, frozen=True, gc=False):
    """A namespace and its phase."""

    ref: Ref
    phase: str
    created_at: float
    labels: tuple[str, ...] = ()


class ConfigDigest(Struct, frozen=True, gc=False):
    """A ConfigMap without its values: `keys` pairs each key with a short hash of its value, sorted by key.

    `changed_by` last wrote data, `changed_at` is that manager's last write (0 where the server does not say).
    """

    ref: Ref
    keys: tuple[tuple[str, str], ...]
    created_at: float
    changed_by: str = ""
    changed_at: float = 0.0


class Usage(Struct, frozen=True, gc=False):
    """What metrics-server says a pod or a node uses: millicores and bytes."""

    ref: Ref
    cpu: int
    memory: int
    at: float = 0.0


class TableColumn(Struct, frozen=True, gc=False):
    """One column of the server's own Table; `priority` above 0 is shown only when there is room."""

    name: str
    type: str = "string"
    priority: int = 0


class TableRow(Struct, frozen=True, gc=False):
    """One object of any kind, as the server prints it: cells in the order of the columns, already strings."""

    ref: Ref
    cells: tuple[str, ...]
    created_at: float = 0.0
    labels: tuple[str, ...] = ()


class TableInfo(Struct, frozen=True, gc=False):
    """The columns of a kind that is shown through the Table API."""

    resource: Resource
    columns: tuple[TableColumn, ...]


class ApiResource(Struct, frozen=True, gc=False):
    """A kind from discovery, with the names an operator may call it by."""

    resource: Resource
    singular: str = ""
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class Symptom(Struct, frozen=True, gc=False):
    """Something wrong with the cluster itself, counted beside the workloads: "2 nodes not ready".

    `namespaces` are those in which it was found, () for what is about the whole cluster.
    """

    key: str
    severity: Severity
    text: str
    count: int = 1
    since: float = 0.0
    view: str = ""
    namespaces: tuple[str, ...] = ()
