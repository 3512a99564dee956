"""The seams between rooms: what a source writes to, what a screen reads from, what history keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from services.model.ref import Resource
from services.model.source import SourceStatus
from services.model.timeline import Event

if TYPE_CHECKING:
    from services.model.alert import Alert
    from services.model.cluster import ApiResource, KubeEvent, TableInfo
    from services.model.cost import CostHour
    from services.model.metric import Golden, Requests, Series
    from services.model.ref import Ref
    from services.model.workload import Revision

Key = str
Table = str


class Replace(Struct, frozen=True):
    """The whole content of one table, swapped in at once (a list, a relist)."""

    table: Table
    rows: Mapping[Key, Any]


class Delta(Struct, frozen=True):
    """Some rows of one table that came, changed or went (a watch)."""

    table: Table
    upserts: Mapping[Key, Any] = {}
    removals: Sequence[Key] = ()


Change = Replace | Delta


class Sink(Protocol):
    """Where sources write. Called from the service thread only; equal data makes no change."""

    def apply(self, source: str, change: Change) -> None:
        """Take a table's new content."""
        ...

    def status(self, status: SourceStatus) -> None:
        """Take a source's new state."""
        ...

    def happened(self, events: Iterable[Event]) -> None:
        """Take timeline events; an id that is already known changes nothing."""
        ...


class Snapshot(Struct, frozen=True):
    """An immutable picture of live state. Tables that did not change are the same objects as in the one before."""

    revision: int
    tables: Mapping[Table, Mapping[Key, Any]]
    sources: Mapping[str, SourceStatus]
    events: Sequence[Event] = ()


class Changes(Struct, frozen=True):
    """What differs between a revision the reader had and `snapshot`.

    `keys[table]` is None when the whole table was replaced (or the reader was too far behind to know).
    """

    snapshot: Snapshot
    keys: Mapping[Table, frozenset[Key] | None]
    sources: frozenset[str]
    events: bool = False


class StateFeed(Protocol):
    """What screens read; live, replay and remote implement it. Safe to call from any thread."""

    def snapshot(self) -> Snapshot:
        """Return the latest published picture; costs nothing."""
        ...

    def changes(self, since: int) -> Changes | None:
        """Return what changed since that revision, None when nothing did."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back (on the writer's thread) after each publication; returns the way to stop."""
        ...


class Interest(Struct, frozen=True):
    """What the screens want watched: `tables` in the order they should fill, the visible view's first.

    `namespaces` empty means all of them. `generic` are kinds shown through the server's own Table; their columns
    arrive in the table "columns", keyed by `Resource.table`, their rows in `Resource.printed`. "usage.pods" and
    "usage.nodes" are tables too.
    """

    tables: tuple[Table, ...] = ()
    namespaces: tuple[str, ...] = ()
    generic: tuple[Resource, ...] = ()


class LogLine(Struct, frozen=True, gc=False):
    """One raw line of a container's log; `at` is the kubelet's timestamp, 0 when it gave none."""

    pod: str
    container: str
    at: float
    text: str
    dropped: int = 0


class LogOptions(Struct, frozen=True):
    """Which part of the logs: `since` seconds back (0: all that `tail` allows), `previous` for the run before."""

    follow: bool = True
    previous: bool = False
    since: int = 0
    tail: int = 500


class AccessAnswer(Struct, frozen=True, gc=False):
    """What the server says about one right."""

    allowed: bool
    reason: str = ""


class ClusterSession(Protocol):
    """What a screen may ask of one pinned cluster, on the service thread's loop.

    Every method raises `services.errors.Problem` and nothing else.
    """

    async def resources(self) -> Sequence[ApiResource]:
        """Every kind the server knows."""
        ...

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        """One object, whole, as JSON bytes."""
        ...

    async def describe(self, ref: Ref, resource: Resource) -> Sequence[str]:
        """Lines that describe the object for a person: raw text, secrets already masked."""
        ...

    async def yaml(self, resource: Resource, namespace: str, name: str) -> str:
        """The object as YAML, managedFields hidden, secret values masked."""
        ...

    async def history(self, ref: Ref) -> Sequence[Revision]:
        """A workload's revisions, newest first."""
        ...

    async def events(self, refs: Sequence[Ref]) -> Sequence[KubeEvent]:
        """Events about these objects, newest first."""
        ...

    def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        """Batches of log lines of these pods (name -> containers), merged as they come; bounded, drops are counted."""
        ...

    async def table(self, resource: Resource, namespace: str) -> tuple[TableInfo, Mapping[Key, Any]]:
        """A kind through the Table API, once."""
        ...

    async def can(self, verb: str, resource: Resource, namespace: str = "", subresource: str = "") -> AccessAnswer:
        """Whether this user may (SelfSubjectAccessReview, cached 60 s)."""
        ...


class MetricsSession(Protocol):
    """What a screen may ask of the monitoring that belongs to the pinned cluster, on the service thread's loop.

    `columns` is how many points are wanted at most. Every method raises `services.errors.Problem` and nothing else.
    """

    async def golden(self, ref: Ref, pods: Sequence[str], since: float, until: float, columns: int) -> Golden:
        """What a workload did and used between two moments; `pods` are the names of those it has now."""
        ...

    async def alert_values(self, alert: Alert, since: float, until: float, columns: int) -> Sequence[Series]:
        """The value of an alert's expression, without its comparison, where that can be cut off."""
        ...

    async def alert_firing(self, alert: Alert, since: float, until: float, columns: int) -> Series:
        """When it fired (1) and was pending (0.5), from the range of `ALERTS`."""
        ...

    async def requests(self, since: float, until: float, step: float, nodes: Set[str]) -> Requests:
        """What the cluster with these nodes had and what was requested of it, at the middle of each step.

        Nothing where nobody knows that time, or only of clusters with other nodes.
        """
        ...


class CostHistory(Protocol):
    """The hourly costs of one cluster that outlive a console. Safe from any thread; raises nothing."""

    def hours(self, since: float, until: float) -> Sequence[CostHour]:
        """Hours that begin in [since, until), epoch seconds, oldest first; blocks for as long as the disk takes."""
        ...

    def keep(self, hour: CostHour) -> None:
        """Keep an hour, instead of what was kept of it before; returns at once."""
        ...
