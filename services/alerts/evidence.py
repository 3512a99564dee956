"""Watches the watchers: what of the alerting itself is missing, sick or silent becomes an alert of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from services.alertmanager.fingerprint import fingerprint
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen, Rule
from services.alerts.silences import clusters_of
from services.alerts.trust import PeerView
from services.model.alert import Alert, AlertPeer, AlertState, Pairs
from services.model.severity import Severity

GRACE = 120.0
"""Seconds for which something of the alerting has to be missing before it is an alert."""
MOST_SICK = 50
NAMED = 5

PREFIX = "alerting/"
"""What the keys of these rows begin with."""


class Configured(Struct, frozen=True):
    """A server that alerts are asked of; `kind` is "alertmanager" or "prometheus"."""

    name: str
    kind: str
    url: str


class _Condition(Struct, frozen=True):
    """Something that is wrong now. `at_once` where no grace is due."""

    key: str
    name: str
    peer: str
    severity: Severity
    summary: str
    labels: Pairs = ()
    at_once: bool = False


class Evidence:
    """What is known of each server, and what of the alerting is wrong for long enough to say so."""

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._peers: dict[str, AlertPeer] = {}
        self._heartbeats: dict[str, set[str]] = {}
        self._since: dict[str, tuple[float, int]] = {}
        self._watched: frozenset[str] = frozenset()

    def look(
        self,
        configured: Sequence[Configured],
        *,
        alertmanagers: Sequence[AlertmanagerSeen],
        prometheis: Sequence[PrometheusSeen],
        alerts: Mapping[str, Alert],
        views: Mapping[str, PeerView],
        now: float,
    ) -> tuple[dict[str, AlertPeer], dict[str, Alert]]:
        """Return the rows of the table "alert-peers", and the alerts about alerting.

        `alertmanagers` and `prometheis` are those that answered; of the others the last that was known stays.
        """
        shown = _heartbeats_by_peer(alerts.values())
        everywhere = all(
            each.name in views and views[each.name].credible for each in configured if each.kind == "alertmanager"
        )
        conditions = [
            *self._missing_heartbeats(alertmanagers, prometheis, shown, views),
            *self._sick_rules(prometheis, now),
            *_unsent(alertmanagers, prometheis, alerts.values(), views, everywhere=everywhere),
        ]
        ripe = self._ripe(conditions, views, now)
        self._describe(
            configured, alertmanagers=alertmanagers, prometheis=prometheis, shown=shown, ripe=ripe, views=views
        )
        rows = [_row(condition, self._since[condition.key][0]) for condition in ripe]
        return dict(self._peers), {row.key: row for row in rows}

    def _ripe(self, conditions: Iterable[_Condition], views: Mapping[str, PeerView], now: float) -> list[_Condition]:
        """Keep what has lasted long enough; forget what is over."""
        found = {condition.key: condition for condition in conditions}
        for key in [key for key in self._since if key not in found]:
            del self._since[key]
        result = []
        for key, condition in found.items():
            poll = views[condition.peer].poll if condition.peer in views else 0
            since, first = self._since.setdefault(key, (now, poll))
            if condition.at_once or (now - since >= self._grace and poll > first):
                result.append(condition)
        return result

    # What is wrong

    def _missing_heartbeats(
        self,
        alertmanagers: Sequence[AlertmanagerSeen],
        prometheis: Sequence[PrometheusSeen],
        shown: Mapping[str, set[str]],
        views: Mapping[str, PeerView],
    ) -> Iterator[_Condition]:
        """Find Alertmanagers without a heartbeat that they, or their peers in the cluster, had."""
        ruled = frozenset(rule.name for seen in prometheis for rule in seen.rules)
        withdrawn = (
            self._watched - ruled if prometheis and all(views[seen.name].credible for seen in prometheis) else ()
        )
        self._watched = (self._watched | ruled) - frozenset(withdrawn)
        cluster = clusters_of(alertmanagers)
        for seen in alertmanagers:
            known = self._heartbeats.setdefault(cluster[seen.name], set())
            known |= shown.get(seen.name, set())
            known.difference_update(withdrawn)
        for seen in alertmanagers:
            if not views[seen.name].credible:
                continue
            for name in sorted(self._heartbeats[cluster[seen.name]] - shown.get(seen.name, set())):
                yield _Condition(
                    f"{PREFIX}heartbeat/{seen.name}/{name}",
                    "HeartbeatMissing",
                    seen.name,
                    Severity.CRIT,
                    f"{name} does not fire on {seen.name}: alerts may not reach it",
                    (("heartbeat", name),),
                )

    def _sick_rules(self, prometheis: Sequence[PrometheusSeen], now: float) -> Iterator[_Condition]:
        for seen in prometheis:
            for rule in _sick(seen)[:MOST_SICK]:
                failed = rule.health != "unknown"
                why = rule.last_error if failed else "it was not evaluated"
                yield _Condition(
                    f"{PREFIX}rule/{seen.name}/{rule.group}/{rule.name}",
                    "AlertRuleFailing",
                    seen.name,
                    Severity.WARN,
                    f"The rule {rule.name} of {seen.name} cannot fire: {why}",
                    (("rule", rule.name), ("rule_group", rule.group)),
                    at_once=failed or (rule.evaluated_at > 0.0 and now - rule.evaluated_at > GRACE),
                )

    # What is known of the servers

    def _describe(
        self,
        configured: Sequence[Configured],
        *,
        alertmanagers: Sequence[AlertmanagerSeen],
        prometheis: Sequence[PrometheusSeen],
        shown: Mapping[str, set[str]],
        ripe: Sequence[_Condition],
        views: Mapping[str, PeerView],
    ) -> None:
        wrong: dict[str, list[str]] = {}
        for condition in ripe:
            if condition.name != "AlertRuleFailing":
                wrong.setdefault(condition.peer, []).append(condition.summary)
        rows: dict[str, AlertPeer] = {}
        for each in configured:
            rows[each.name] = self._peers.get(each.name) or AlertPeer(each.name, each.kind, each.url)
        for seen in alertmanagers:
            rows[seen.name] = _alertmanager_row(seen, shown, wrong.get(seen.name, []), views)
        for server in prometheis:
            rows[server.name] = _prometheus_row(server, shown, wrong.get(server.name, []))
        self._peers = rows


def _alertmanager_row(
    seen: AlertmanagerSeen, shown: Mapping[str, set[str]], wrong: Sequence[str], views: Mapping[str, PeerView]
) -> AlertPeer:
    status = seen.status
    said = list(wrong)
    if seen.silences_error:
        said.append(seen.silences_error)
    if seen.quarantined:
        said.append(f"{seen.quarantined} objects could not be read")
    if status is None:
        said.append("its status could not be read")
    elif status.state == "settling":
        said.append("settling: alerts may be missing")
    elif views[seen.name].young:
        said.append("started a moment ago: alerts may be missing")
    return AlertPeer(
        name=seen.name,
        kind="alertmanager",
        url=seen.url,
        version=status.version if status is not None else "",
        state=status.state if status is not None else "",
        cluster_size=len(status.members) if status is not None else 0,
        started_at=status.started_at if status is not None else 0.0,
        heartbeats=tuple(sorted(shown.get(seen.name, ()))),
        alerts=len(seen.alerts),
        mutes="; ".join(said),
    )


def _prometheus_row(seen: PrometheusSeen, shown: Mapping[str, set[str]], wrong: Sequence[str]) -> AlertPeer:
    sick = _sick(seen)
    return AlertPeer(
        name=seen.name,
        kind="prometheus",
        url=seen.url,
        version=seen.version,
        started_at=seen.started_at,
        rules=len(seen.rules),
        sick_rules=len(sick),
        sick=tuple(f"{rule.name}: {rule.last_error or rule.health}" for rule in sick[:NAMED]),
        heartbeats=tuple(sorted(shown.get(seen.name, ()))),
        alerts=sum(len(rule.alerts) for rule in seen.rules),
        mutes="; ".join(wrong),
    )


def _sick(seen: PrometheusSeen) -> list[Rule]:
    """Return the rules whose health is not ok; one that merely waits for its first evaluation is not sick yet."""
    return [rule for rule in seen.rules if rule.health != "ok" and (rule.health != "unknown" or rule.evaluated_at)]


def _heartbeats_by_peer(alerts: Iterable[Alert]) -> dict[str, set[str]]:
    result: dict[str, set[str]] = {}
    for alert in alerts:
        if alert.heartbeat:
            for peer in alert.peers:
                result.setdefault(peer, set()).add(alert.name)
    return result


def _unsent(
    alertmanagers: Sequence[AlertmanagerSeen],
    prometheis: Sequence[PrometheusSeen],
    alerts: Iterable[Alert],
    views: Mapping[str, PeerView],
    *,
    everywhere: bool,
) -> Iterator[_Condition]:
    """Find Prometheis whose firing alerts reach no Alertmanager, and peers that miss what their cluster got.

    That none has them is only said while all can be asked (`everywhere`).
    """
    believed = [seen for seen in alertmanagers if views[seen.name].credible]
    if not believed:
        return
    firing = [frozenset(alert.peers) for alert in alerts if alert.state not in (AlertState.PENDING, AlertState.MUTED)]
    cluster = clusters_of(alertmanagers)
    for seen in prometheis:
        reached = [one for one in believed if not one.scope or not seen.scope or one.scope == seen.scope]
        mine = [peers for peers in firing if seen.name in peers]
        names = ", ".join(one.name for one in reached)
        if not reached or not views[seen.name].credible:
            continue
        if seen.sends_to is not None and not seen.sends_to:
            said = f"{seen.name} is configured to send to no Alertmanager"
            yield _Condition(f"{PREFIX}unsent/{seen.name}", "AlertsNotSent", seen.name, Severity.CRIT, said)
            continue
        got = {one.name: sum(one.name in peers for peers in mine) for one in reached}
        if mine and not any(got.values()) and everywhere:
            said = f"None of the {len(mine)} firing alerts of {seen.name} reached {names}"
            yield _Condition(f"{PREFIX}unsent/{seen.name}", "AlertsNotSent", seen.name, Severity.CRIT, said)
            continue
        for one in reached:
            siblings = max(got[each.name] for each in reached if cluster[each.name] == cluster[one.name])
            if siblings and not got[one.name]:
                said = f"{one.name} has none of the {siblings} alerts of {seen.name} that its peers have"
                key = f"{PREFIX}unsent/{seen.name}/{one.name}"
                yield _Condition(key, "AlertsNotSent", one.name, Severity.WARN, said, (("prometheus", seen.name),))


def _row(condition: _Condition, since: float) -> Alert:
    labels = tuple(sorted((("alertname", condition.name), ("peer", condition.peer), *condition.labels)))
    return Alert(
        key=condition.key,
        fingerprint=fingerprint(labels),
        name=condition.name,
        severity=condition.severity,
        state=AlertState.FIRING,
        labels=labels,
        annotations=(("summary", condition.summary),),
        onset=since,
        fired_at=since,
        peers=(condition.peer,),
    )
