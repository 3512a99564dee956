"""Turns what all servers say at one moment into the tables and events of the alerts; remembers what has to hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.alerts.entities import Entities, Tables, home_of
from services.alerts.episodes import Episodes
from services.alerts.evidence import GRACE, Configured, Evidence
from services.alerts.grades import HEARTBEATS
from services.alerts.groups import Groups
from services.alerts.happenings import began_event, ended_event, is_told
from services.alerts.merge import Merge
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen
from services.alerts.silences import silence_rows
from services.alerts.trust import YOUNG, PeerView, Trust
from services.model.alert import Alert, Pairs
from services.model.timeline import Event

ALERTS, GROUPS, SILENCES, PEERS = "alerts", "alert-groups", "silences", "alert-peers"

_LOOKED_AT = ("pods", "replicasets.apps", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "cronjobs.batch",
              "jobs.batch", "nodes")  # fmt: skip


class Surroundings(Struct, frozen=True):
    """What alerts are read against.

    `cluster` is the identity of the cluster that is shown (`Ref.cluster`, "" without one), `names` what alerts may call
    it, `heartbeats` the names of dead man's switches. For `young` seconds after its
    start a server is not believed to have forgotten nothing; `grace` is how long something of the alerting may be
    missing.
    """

    cluster: str = ""
    names: frozenset[str] = frozenset()
    heartbeats: Collection[str] = ()
    young: float = YOUNG
    grace: float = GRACE


class Observed(Struct, frozen=True):
    """The last answer of every server that answers now, and the names and polls of those that do not."""

    alertmanagers: Sequence[AlertmanagerSeen]
    prometheis: Sequence[PrometheusSeen]
    silent: Sequence[tuple[str, str, int]] = ()
    silent_silences: Sequence[AlertmanagerSeen] = ()


class Picture(Struct, frozen=True):
    """The rows of each table, whole, and what happened since the picture before."""

    tables: Mapping[str, Mapping[str, Any]]
    events: list[Event]


class Painter:
    """Makes one picture after another. Pure but for its memory; not to be called by two at a time."""

    def __init__(self, configured: Sequence[Configured], surroundings: Surroundings) -> None:
        self._configured = configured
        self._surroundings = surroundings
        self.heartbeats = HEARTBEATS | frozenset(surroundings.heartbeats)
        self._episodes = Episodes()
        self._trust, self._evidence = Trust(surroundings.young), Evidence(surroundings.grace)
        self._groups = Groups()
        self._fingerprints: dict[Pairs, str] = {}
        self._entities: tuple[tuple[Any, ...], Entities] | None = None

    def paint(self, observed: Observed, tables: Tables, now: float) -> Picture:
        """Return the picture of this moment; `tables` are those of the cluster's live state."""
        merge = Merge(
            observed.alertmanagers, observed.prometheis, self._surroundings.cluster, fingerprints=self._fingerprints
        )
        entities = self.entities(observed.prometheis, merge.labels(), tables)
        views = self._views(observed, now)
        rows = merge.rows(entities.of, self.heartbeats)
        peers, wrong = self._evidence.look(
            self._configured,
            alertmanagers=observed.alertmanagers,
            prometheis=observed.prometheis,
            alerts=rows,
            views=views,
            now=now,
        )
        advanced = self._episodes.advance({**rows, **wrong}, views, now, merge.lapses())
        alerts = advanced.rows
        silences = silence_rows([*observed.alertmanagers, *observed.silent_silences], alerts.values(), now)
        known = {alert.labels for alert in alerts.values()}
        for labels in [labels for labels in self._fingerprints if labels not in known]:
            del self._fingerprints[labels]
        return Picture(
            {ALERTS: alerts, GROUPS: self._groups.arrange(alerts, now), SILENCES: silences, PEERS: peers},
            _events(advanced.began, advanced.ended, now),
        )

    def entities(self, prometheis: Sequence[PrometheusSeen], labels: Iterable[Pairs], tables: Tables) -> Entities:
        """Return what reads entities, the same one while nothing it reads has changed."""
        names = set(self._surroundings.names)
        for prometheus in prometheis:
            names |= {value for name, value in prometheus.outgoing.external if name == "cluster"}
        home = home_of(self._surroundings.cluster, names, labels)
        made_of = (home, *(tables.get(name) for name in _LOOKED_AT))
        known = self._entities
        if (
            known is None
            or known[0][0] != home
            or any(a is not b for a, b in zip(known[0][1:], made_of[1:], strict=True))
        ):
            self._entities = known = (made_of, Entities(tables, home))
        return known[1]

    def _views(self, observed: Observed, now: float) -> dict[str, PeerView]:
        trust = self._trust
        views = {seen.name: trust.alertmanager(seen, now) for seen in observed.alertmanagers}
        views |= {seen.name: trust.prometheus(seen, now) for seen in observed.prometheis}
        for name, kind, polls in observed.silent:
            views[name] = trust.gone(name, polls, is_alertmanager=kind == "alertmanager")
        return views


def _events(began: Sequence[Alert], ended: Sequence[Alert], now: float) -> list[Event]:
    told = [began_event(alert, now) for alert in began if is_told(alert)]
    return told + [ended_event(alert, now) for alert in ended if is_told(alert)]
