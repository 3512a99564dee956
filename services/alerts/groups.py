"""Puts alerts that belong together under one lead, two levels deep and never by chains of likeness.

First level: alerts of one workload, one node or one name, each within ten minutes of the one before. Second level: such
a group may attach to one root that inhibits it or to the node it runs on; a root never becomes a child, so nothing
merges on and on (single-link clustering puts two thirds of two thousand random alerts into one heap).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from services.model.alert import Alert, AlertGroup, AlertState, Entity
from services.model.severity import Severity

GAP = 600.0
"""Seconds between two onsets beyond which a new group begins."""
SPAN = 7200.0
"""Seconds from a group's first onset beyond which a new one begins."""
EARLIER, LATER = 60.0, 600.0
"""Seconds by which what runs on a node may begin before the node's trouble, and after."""
REMEMBERED = 900.0
"""Seconds after the end of all its members for which a group is remembered."""

_Key = tuple[str, str, str, str]


class _Cluster:
    """Alerts of one key; `members` maps each alert's key to its onset, for as long as the group is remembered."""

    __slots__ = ("first", "id", "key", "last", "live_at", "members", "reason", "root")

    def __init__(self, key: _Key, onset: float) -> None:
        self.key = key
        self.first = self.last = onset
        self.members: dict[str, float] = {}
        self.root: _Cluster | None = None
        self.reason = ""
        self.live_at = 0.0
        named = "\x00".join((*key, f"{onset:.0f}"))
        self.id = hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()[:16]


class Groups:
    """Groups that hold: an alert stays in its group, and a group under its root, until all of it has ended."""

    def __init__(self) -> None:
        self._clusters: dict[_Key, list[_Cluster]] = {}
        self._of: dict[str, _Cluster] = {}

    def arrange(self, alerts: Mapping[str, Alert], now: float) -> dict[str, AlertGroup]:
        """Return the groups of these alerts by their sticky keys; heartbeats are in none."""
        arrivals = [alert for key, alert in alerts.items() if not alert.heartbeat and not self._holds(key, alert)]
        for alert in sorted(arrivals, key=lambda one: (one.onset, one.key)):
            self._join(alert)
        self._attach(alerts, arrivals)
        present: dict[int, list[Alert]] = {}
        clusters: dict[int, _Cluster] = {}
        for key, alert in alerts.items():
            cluster = self._of.get(key)
            if cluster is None or alert.heartbeat:
                continue
            if alert.state is not AlertState.ENDED:
                cluster.live_at = now
            root = cluster.root or cluster
            clusters[id(root)] = root
            present.setdefault(id(root), []).append(alert)
        result = {}
        for identity, members in present.items():
            root = clusters[identity]
            result[root.id] = self._group(root, members)
        self._forget(now)
        return result

    def _holds(self, key: str, alert: Alert) -> bool:
        """Return whether the alert is in a group already; one that began anew, or is better known, is asked again."""
        cluster = self._of.get(key)
        if cluster is None:
            return False
        anew = alert.onset > cluster.members[key] + SPAN and not _near(cluster, alert.onset)
        known = cluster.key[0] == "alert" and (alert.entity.workload or alert.entity.node)
        if not anew and not known:
            return True
        del cluster.members[key], self._of[key]
        return False

    def _join(self, alert: Alert) -> None:
        key = _key_of(alert)
        clusters = self._clusters.setdefault(key, [])
        cluster = next((each for each in reversed(clusters) if _near(each, alert.onset)), None)
        if cluster is None:
            cluster = _Cluster(key, alert.onset)
            clusters.append(cluster)
        cluster.first, cluster.last = min(cluster.first, alert.onset), max(cluster.last, alert.onset)
        cluster.members[alert.key] = alert.onset
        self._of[alert.key] = cluster

    def _attach(self, alerts: Mapping[str, Alert], arrivals: Iterable[Alert]) -> None:
        """Give clusters that stand alone a root, by the new members' inhibitions, else by the node they run on."""
        roots = {id(each.root) for clusters in self._clusters.values() for each in clusters if each.root is not None}
        by_fingerprint = {alert.fingerprint: key for key, alert in alerts.items()} if arrivals else {}
        for alert in sorted(arrivals, key=lambda one: (one.onset, one.key)):
            self._try_attach(alert, by_fingerprint, roots)
        for key, alert in alerts.items():
            if alert.inhibited_by and key in self._of:
                by_fingerprint = by_fingerprint or {one.fingerprint: each for each, one in alerts.items()}
                self._try_attach(alert, by_fingerprint, roots)

    def _try_attach(self, alert: Alert, by_fingerprint: Mapping[str, str], roots: set[int]) -> None:
        child = self._of[alert.key]
        if child.root is not None or id(child) in roots:
            return
        found = self._inhibitor(alert, child, by_fingerprint) or self._carrier(alert, child)
        if found is None:
            return
        root, reason = found
        child.root, child.reason = root, reason
        roots.add(id(root))

    def _inhibitor(
        self, alert: Alert, child: _Cluster, by_fingerprint: Mapping[str, str]
    ) -> tuple[_Cluster, str] | None:
        for source in alert.inhibited_by:
            root = self._of.get(by_fingerprint.get(source, ""))
            if root is not None and root is not child and root.root is None:
                return root, "inhibited by the lead's alerts"
        return None

    def _carrier(self, alert: Alert, child: _Cluster) -> tuple[_Cluster, str] | None:
        """Return the earliest group of the node it runs on that began in time for it."""
        node = alert.entity.node if child.key[0] != "node" else ""
        roots = self._clusters.get(("node", alert.entity.cluster, "", node), ()) if node else ()
        found = [one for one in roots if one.root is None and -EARLIER <= child.first - one.first <= LATER]
        return (min(found, key=lambda each: (each.first, each.id)), f"runs on {node}") if found else None

    def _group(self, root: _Cluster, members: list[Alert]) -> AlertGroup:
        members.sort(key=_lead_first)
        lead = members[0]
        live = [alert for alert in members if alert.state not in (AlertState.PENDING, AlertState.ENDED)] or members
        entity = lead.entity
        where = entity.workload or entity.node or entity.namespace
        more = f" (+{len(members) - 1})" if len(members) > 1 else ""
        return AlertGroup(
            key=root.id,
            title=f"{lead.name} on {where}{more}" if where else f"{lead.name}{more}",
            severity=min((alert.severity for alert in live), default=Severity.UNKNOWN),
            members=tuple(alert.key for alert in members),
            reasons=("", *(self._reason(root, alert) for alert in members[1:])),
            onset=min(alert.onset for alert in members),
            entity=entity,
        )

    def _reason(self, root: _Cluster, alert: Alert) -> str:
        cluster = self._of[alert.key]
        if cluster is not root and cluster.reason:
            return cluster.reason
        kind, *_, name = cluster.key
        return f"same {kind} {name}"

    def _forget(self, now: float) -> None:
        for key in list(self._clusters):
            kept = []
            for cluster in self._clusters[key]:
                root = cluster.root or cluster
                if now - max(cluster.live_at, root.live_at) <= REMEMBERED:
                    kept.append(cluster)
                    continue
                for member in cluster.members:
                    if self._of.get(member) is cluster:
                        del self._of[member]
            if kept:
                self._clusters[key] = kept
            else:
                del self._clusters[key]


def _near(cluster: _Cluster, onset: float) -> bool:
    within = cluster.first - GAP <= onset <= cluster.last + GAP
    return within and max(cluster.last, onset) - min(cluster.first, onset) <= SPAN


def _key_of(alert: Alert) -> _Key:
    entity: Entity = alert.entity
    if entity.workload:
        return "workload", entity.cluster, entity.namespace, entity.workload
    if entity.node:
        return "node", entity.cluster, "", entity.node
    return "alert", entity.cluster, entity.namespace, alert.name


def _lead_first(alert: Alert) -> tuple[int, int, float, str]:
    """Sort what needs a person first: what is told before what is quiet, pending or over; worst, then earliest."""
    rank = {AlertState.FIRING: 0, AlertState.PENDING: 2, AlertState.ENDED: 3}.get(alert.state, 1)
    return rank, int(alert.severity), alert.onset, alert.key
