"""What every screen of one console shares: where it is, what it reads, how it shows things. No screen is in here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from shlex import quote
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct, structs

from cache.state.records import Place
from services.clock import Clock
from services.model.cluster import ApiResource
from services.model.message import OUTBOX, OutboxRow
from services.model.ref import Resource
from services.model.severity import Severity
from services.model.source import CONNECTION
from services.ports import ClusterSession, MetricsSession, Snapshot, StateFeed
from tui.glyphs import UNICODE, Glyphs
from tui.keymap import DEFAULT, Keymap
from tui.presenters.banner import Notice
from tui.presenters.freshness import FRESH_FOR, WATCHED_FOR, Reading, narrowness, read
from tui.presenters.header import Situation
from tui.presenters.lens import Lens, countdown
from tui.presenters.summary import TALLIED, Summary, Tally, sum_up, tally
from tui.presenters.terms import Subject, Test, parse_filter
from widgets.viewmodels import Line

if TYPE_CHECKING:
    from cache.state.past import Past
    from tui.acting import Acting
    from tui.incidents import Desk
    from tui.measurements import Measurements
    from tui.outgoing import Outgoing
    from tui.sharing import Sharing
    from tui.suspicion import Suspicion

T = TypeVar("T")

OWN_NAMESPACE = "-n "
"""How the words of a command begin whose object is in another namespace than what is acted upon."""

PLUGIN = "argo rollouts"
"""The one plugin of kubectl that commands are shown for."""


class ServiceThread(Protocol):
    """What screens need of the runtime."""

    @property
    def session(self) -> ClusterSession | None:
        """What may be asked of the cluster; None until it is connected."""
        ...

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the service loop."""
        ...


class Scope(Struct, frozen=True):
    """Which cluster, and which part of it. `namespaces` empty: all. `labels` are terms of a label selector.

    `colour` is the cluster's own, behind its name in the header.
    """

    context: str
    cluster: str
    environment: str = "PROD?"
    namespaces: tuple[str, ...] = ()
    labels: str = ""
    colour: str = "none"

    @property
    def words(self) -> str:
        """What the header says of the scope, "" for the whole cluster."""
        parts = []
        if len(self.namespaces) == 1:
            parts.append(f"ns {self.namespaces[0]}")
        elif self.namespaces:
            parts.append(f"{len(self.namespaces)} namespaces")
        if self.labels:
            parts.append(self.labels)
        return ", ".join(parts)

    @property
    def test(self) -> Test | None:
        """The scope as a test over rows, None for everything."""
        if not self.namespaces and not self.labels:
            return None
        labelled = parse_filter(f"-l {self.labels}") if self.labels else None
        wanted = frozenset(self.namespaces)

        def inside(subject: Subject) -> bool:
            if wanted and subject.namespace and wanted.isdisjoint((subject.namespace, *subject.besides)):
                return False
            return labelled is None or not subject.namespace or labelled(subject)

        return inside

    def kubectl(self, namespace: str = "") -> str:
        """Return the start of an exact kubectl command for this cluster."""
        command = f"kubectl --context {quote(self.context)}"
        return f"{command} -n {quote(namespace)}" if namespace else command

    def command(self, namespace: str, words: str) -> str:
        """Return an exact command; kubectl takes no flags before the name of a plugin.

        Words that begin with a namespace of their own (`-n argocd patch ...`) are of an object elsewhere.
        """
        if words.startswith(OWN_NAMESPACE):
            namespace, _, words = words.removeprefix(OWN_NAMESPACE).partition(" ")
        start = self.kubectl(namespace)
        if not words.startswith(PLUGIN):
            return f"{start} {words}"
        return f"{start.replace('kubectl', f'kubectl {PLUGIN}', 1)} {words.removeprefix(PLUGIN).lstrip()}"


class Steering(Protocol):
    """What an operator may do to the watch itself, from a screen."""

    def contexts(self) -> tuple[str, ...]:
        """Return the contexts there are. Raises Problem."""
        ...

    def find_context(self, name: str) -> Callable[[], None]:
        """Read what there is of another cluster, on a thread; what is returned goes there. Raises Problem."""
        ...

    def want(self, resource: Resource) -> None:
        """Watch one more kind."""
        ...

    def widen(self, namespaces: tuple[str, ...]) -> None:
        """Watch these namespaces (empty: all) too."""
        ...

    def login_command(self) -> tuple[tuple[str, ...], dict[str, str]] | None:
        """Return the words and the environment of the login, None when there is none."""
        ...

    def logged_in(self) -> None:
        """Ask everything again after a login."""
        ...

    def reload(self) -> None:
        """Read the configuration again now."""
        ...


class Console(Struct):
    """One operator's console on one cluster: the feed, the clock and the scope that its screens share.

    `private` are names of the cluster and its people that no row tells (kind, names), told without reading anything,
    `salt` what pseudonyms are made from where the configuration says so. `saved_scope` is the configuration's,
    `scope_chosen` says whether the present one was chosen on the screen. `alert_servers` are the sources of alerts,
    also before they are asked.
    """

    clock: Clock
    feed: StateFeed
    scope: Scope
    runtime: ServiceThread | None = None
    steering: Steering | None = None
    actor: str = ""
    mode: str = "RO"
    glyphs: Glyphs = UNICODE
    mask: Callable[[str], str] | None = None
    sharing: Sharing | None = None
    private: Callable[[], Iterable[tuple[str, Iterable[str]]]] = tuple
    salt: Callable[[], Coroutine[Any, Any, bytes]] | None = None
    share_names: tuple[str, ...] = ()
    saved_scope: Callable[[], Scope] | None = None
    scope_chosen: bool = False
    log_lines: int = 10_000
    log_tail: int = 500
    on_place: Callable[[Place], None] | None = None
    login: tuple[str, ...] = ()
    slow: bool = False
    recovered_for: float = 300.0
    flapping_for: float = 900.0
    keymap: Keymap = DEFAULT
    desk: Callable[[], Desk] | None = None
    outgoing: Callable[[], Outgoing] | None = None
    acting: Callable[[], Acting | None] | None = None
    past: Callable[[], Past | None] | None = None
    metrics: Callable[[], MetricsSession | None] | None = None
    alert_servers: Callable[[], tuple[str, ...]] = tuple
    frozen_since: float = 0.0
    armed_until: float = 0.0
    notices: dict[Notice, Callable[[Lens], Line]] = {}
    kinds: tuple[ApiResource, ...] = ()
    _summed: tuple[tuple[int, int, Scope], Summary, Snapshot, Tally] | None = None
    _suspicion: Suspicion | None = None
    _counted: tuple[Mapping[str, OutboxRow], int] | None = None

    def lens(self) -> Lens:
        """Return the way of showing things at this moment."""
        now, sharing = self.clock.now(), self.sharing
        if sharing is None:
            return Lens(now, self.glyphs, self.mask, self.recovered_for, self.flapping_for)
        return Lens(now, self.glyphs, sharing.mask, self.recovered_for, self.flapping_for, sharing.name)

    def share(self, salt: bytes = b"", contexts: Iterable[str] = ()) -> None:
        """Show only stand-ins of names from the next drawing on; what has been drawn is the app's to make anew.

        `contexts` are those of the kubeconfig, as far as they were read.
        """
        from tui.sharing import Sharing

        self.sharing = Sharing(salt, self.share_names)
        self.sharing.learn("cluster", contexts)
        self.learn_names()

    def learn_names(self) -> None:
        """Know every name there is by now; to be called again when the cluster is another."""
        if self.sharing is None:
            return
        self.sharing.learn("cluster", (self.scope.cluster, self.scope.context))
        self.sharing.learn("user", (self.actor,))
        for kind, names in self.private():
            self.sharing.learn(kind, names)
        self.sharing.look_at(self.feed.snapshot())

    @property
    def redaction(self) -> Callable[[str], str] | None:
        """What is masked now: secrets always, names in share mode."""
        return self.sharing.mask if self.sharing is not None else self.mask

    @property
    def banner(self) -> Line:
        """What needs a person now, the most urgent of it; () for nothing."""
        notices = dict(self.notices)
        return notices[min(notices)](self.lens()) if notices else ()

    def notify(self, notice: Notice, present: Callable[[Lens], Line] | None) -> None:
        """Let something stand above everything else, or no longer. Any thread; the screens are told by the app."""
        if present is None:
            self.notices.pop(notice, None)
        else:
            self.notices[notice] = present

    @property
    def session(self) -> ClusterSession | None:
        """What may be asked of the cluster; None until it is connected."""
        return self.runtime.session if self.runtime is not None else None

    def kept(self, place: Place) -> Place:
        """Return a place with the scope chosen on the screen; one of a flag or the configuration is not kept."""
        if not self.scope_chosen:
            return place
        return structs.replace(place, scope=self.scope.namespaces, labels=self.scope.labels, chosen=True)

    def reading(self, source: str) -> Reading:
        """Return how a source stands."""
        fresh_for = WATCHED_FOR if source.startswith(f"{CONNECTION}/") else FRESH_FOR
        return read(self.feed.snapshot().sources.get(source), self.clock.now(), fresh_for)

    def summary(self) -> Summary:
        """Return the summary of what is known, computed once a publication and second."""
        snapshot: Snapshot = self.feed.snapshot()
        mark, last = (snapshot.revision, int(self.clock.now()), self.scope), self._summed
        if last is not None and last[0] == mark:
            return last[1]
        counted = tallied = None
        if last is not None and last[0][2] == self.scope:
            counted = last[1].alerts if _alike(last[2], snapshot, ("alerts", "rollouts")) else None
            tallied = last[3] if _alike(last[2], snapshot, TALLIED) else None
        test = self.scope.test
        tallied = tallied or tally(snapshot, test)
        summary = sum_up(snapshot, self.clock.now(), test, counted, tallied)
        self._summed = (mark, summary, snapshot, tallied)
        return summary

    def suspicion(self) -> Suspicion:
        """Return what remembers which changes are suspected of what; made when it is first asked for."""
        if self._suspicion is None:
            from tui.suspicion import Suspicion as Remembering

            self._suspicion = Remembering(self.feed.snapshot, self.clock.now)
        return self._suspicion

    def measurements(self) -> Measurements:
        """Return what may be asked for values over time."""
        from tui.measurements import Measurements

        metrics = self.metrics() if self.metrics is not None else None
        awaited = any(name.startswith("prometheus/") for name in self.alert_servers())
        return Measurements(metrics, self.past() if self.past is not None else None, awaited=awaited)

    def _mode(self) -> str:
        left = self.armed_until - self.clock.now()
        mode = f"ARMED {countdown(left)}" if left > 0 else self.mode
        return f"{mode} SHARE" if self.sharing is not None else mode

    def situation(self) -> Situation:
        """Return what the header shows; where there is no cluster, only the monitoring is live or not."""
        summary = self.summary()
        nowhere = None if self.scope.context else summary.evidence
        narrowed = narrowness(self.feed.snapshot().sources.values(), self.scope.namespaces)
        words = [part for part in (self.scope.words, narrowed) if part]
        return Situation(
            cluster=self.scope.cluster,
            environment=self.scope.environment if nowhere is None else "",
            colour=self.scope.colour,
            reading=summary.reading if nowhere is None else nowhere.reading,
            counts=dict(summary.counts),
            hidden={Severity.CRIT: summary.hidden.get(Severity.CRIT, 0)},
            mode=self._mode(),
            actor=self.actor,
            scope="; ".join(words),
            unsure=not summary.evidence.whole if summary.evidence is not None else bool(self.alert_servers()),
            pending=summary.alerts.pending if summary.alerts is not None else 0,
            frozen_since=self.frozen_since,
            untold=self._untold(),
        )

    def _untold(self) -> int:
        """Return how many messages came to nothing, counted once for each state of the outbox."""
        rows = self.feed.snapshot().tables.get(OUTBOX)
        if not rows:
            return 0
        if self._counted is None or self._counted[0] is not rows:
            from tui.presenters.outbox import untold

            self._counted = rows, untold(rows.values())
        return self._counted[1]


def _alike(one: Snapshot, other: Snapshot, tables: Iterable[str]) -> bool:
    """Return whether these tables of two pictures are the same: a table that stays the same stays one object."""
    return all(one.tables.get(table) is other.tables.get(table) for table in tables)
