"""Joins what every Alertmanager and Prometheus says of an alert into the one row an operator reads. Pure.

Alertmanagers tell what is notified (silences, inhibitions, receivers); Prometheis tell what is pending, since when, the
value and the rule. Alerts are not replicated between Alertmanagers, so all of them are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from services.alertmanager.decode import GivenAlert, Notifying
from services.alertmanager.fingerprint import fingerprint
from services.alerts.grades import HEARTBEATS, is_heartbeat, severity_of
from services.alerts.matching import ByNames
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen, Rule, RuleAlert, Scope
from services.alerts.onset import widest_range
from services.model.alert import Alert, AlertState, Entity, Onset, Pairs

Subject = Callable[[Pairs, Scope], Entity]
Told = tuple[str, GivenAlert]
"""The name of an Alertmanager, and what it says of an alert."""

Ruled = tuple[str, Rule, RuleAlert]
"""The name of a Prometheus, the rule that an alert comes from, and what it says of the alert."""

Names = tuple[str, ...]

FARTHEST = 1e11
"""Epoch seconds that no clock shows: a value beyond is no time."""

_QUIET = (
    (Notifying.SILENCED, AlertState.SILENCED),
    (Notifying.INHIBITED, AlertState.INHIBITED),
    (Notifying.MUTED, AlertState.MUTED),
)


class Joined:
    """One alert under way to its row: who says what of it."""

    __slots__ = ("dropped", "labels", "ruled", "scope", "told")

    def __init__(self, labels: Pairs, scope: Scope) -> None:
        self.labels = labels
        self.scope = scope
        self.told: list[Told] = []
        self.ruled: list[Ruled] = []
        self.dropped = False


class Merge:
    """The alerts of one moment, joined; `rows` makes them into rows, keyed by `Alert.key`.

    `home` is the cluster whose alerts have their bare fingerprint for a key; the others' bear their scope's name too.
    """

    def __init__(
        self,
        alertmanagers: Sequence[AlertmanagerSeen],
        prometheis: Sequence[PrometheusSeen],
        home: Scope = "",
        fingerprints: dict[Pairs, str] | None = None,
    ) -> None:
        self._home = home
        self._fingerprints = fingerprints if fingerprints is not None else {}
        self._joined: dict[Pairs, list[Joined]] = {}
        self._rules: dict[str, list[tuple[PrometheusSeen, Rule]]] = {}
        self._for_state: dict[Pairs, float] = {}
        for alertmanager in alertmanagers:
            for alert in alertmanager.alerts:
                self._at(alert.labels, alertmanager.scope).told.append((alertmanager.name, alert))
        for prometheus in prometheis:
            self._take(prometheus)
        self._join_by_subset()

    def labels(self) -> Iterable[Pairs]:
        """Return the label sets of all alerts."""
        return self._joined

    def lapses(self) -> dict[str, float]:
        """Return when Alertmanagers will let alerts go unless they are sent again, by `Alert.key`."""
        return {self._key(one): max(given.ends_at for _, given in one.told) for one in self._all() if one.told}

    def rows(self, subject: Subject, heartbeats: frozenset[str] = HEARTBEATS) -> dict[str, Alert]:
        """Return the alerts as rows; `subject` tells what labels speak of."""
        rows = (self._row(joined, subject, heartbeats) for joined in self._all())
        return {row.key: row for row in rows}

    def _all(self) -> Iterator[Joined]:
        for found in self._joined.values():
            yield from found

    def _at(self, labels: Pairs, scope: Scope) -> Joined:
        """Return the alert with these labels; a server that serves several clusters knows those of any of them."""
        found = self._joined.get(labels)
        if found is None:
            joined = Joined(labels, scope)
            self._joined[labels] = [joined]
            return joined
        for joined in found:
            if joined.scope == scope or not joined.scope or not scope:
                joined.scope = joined.scope or scope
                return joined
        joined = Joined(labels, scope)
        found.append(joined)
        return joined

    def _take(self, prometheus: PrometheusSeen) -> None:
        for labels, value in prometheus.for_state.items():
            known = self._for_state.get(labels)
            self._for_state[labels] = value if known is None else min(known, value)
        outgoing = prometheus.outgoing
        for rule in prometheus.rules:
            self._rules.setdefault(rule.name, []).append((prometheus, rule))
            for alert in rule.alerts:
                sent = outgoing.labels(alert.labels)
                joined = self._at(sent if sent is not None else alert.labels, prometheus.scope)
                joined.ruled.append((prometheus.name, rule, alert))
                joined.dropped |= sent is None

    def _join_by_subset(self) -> None:
        """Join what fires at a Prometheus alone to what an Alertmanager alone holds, where the labels contain others'.

        So it is where a configuration could not be read, or something between the two relabels.
        """
        lost = [
            joined
            for joined in self._all()
            if not joined.told and not joined.dropped and any(alert.firing for _, _, alert in joined.ruled)
        ]
        unclaimed = {joined.labels: joined for joined in self._all() if joined.told and not joined.ruled}
        if not lost or not unclaimed:
            return
        by_names = ByNames(unclaimed)
        for joined in lost:
            same = unclaimed.get(by_names.same(joined.labels))
            if same is None or (same.scope and joined.scope and same.scope != joined.scope):
                continue
            same.ruled += joined.ruled
            same.scope = same.scope or joined.scope
            self._joined[joined.labels].remove(joined)

    def _row(self, joined: Joined, subject: Subject, heartbeats: frozenset[str]) -> Alert:
        labels, told, ruled = joined.labels, joined.told, joined.ruled
        known = dict(labels)
        name = known.get("alertname", "")
        rule = ruled[0][1] if ruled else self._rule(name, known, joined.scope)
        state = _state(joined)
        fired_at = _fired_at(told, ruled)
        onset, onset_from = self._onset(joined, rule, fired_at)
        severity = known.get("severity", "")
        expression = rule.expression if rule is not None else ""
        newest = max((given for _, given in told), key=lambda given: given.updated_at, default=None)
        return Alert(
            key=self._key(joined),
            fingerprint=self._fingerprint(joined),
            name=name,
            severity=severity_of(severity),
            state=state,
            labels=labels,
            annotations=newest.annotations if newest is not None else ruled[0][2].annotations,
            entity=subject(labels, joined.scope),
            onset=onset,
            onset_from=onset_from,
            onset_slack=widest_range(expression) if expression else 0.0,
            fired_at=fired_at,
            value=next((alert.value for _, _, alert in ruled if alert.value is not None), None),
            bound=next((alert.bound for _, _, alert in ruled if alert.value is not None), None),
            expression=expression,
            hold=rule.hold if rule is not None else 0.0,
            rule_group=rule.group if rule is not None else "",
            generator_url=newest.generator_url if newest is not None else "",
            silenced_by=_union([given.silenced_by for _, given in told]),
            inhibited_by=_union([given.inhibited_by for _, given in told]),
            receivers=_union([given.receivers for _, given in told]),
            peers=_union([(name,) for name, _ in told] + [(name,) for name, _, _ in ruled]),
            heartbeat=is_heartbeat(name, severity, expression, heartbeats),
        )

    def _key(self, joined: Joined) -> str:
        bare = self._fingerprint(joined)
        return bare if joined.scope in ("", self._home) else f"{bare}@{joined.scope}"

    def _fingerprint(self, joined: Joined) -> str:
        if joined.told:
            return joined.told[0][1].fingerprint
        known = self._fingerprints.get(joined.labels)
        if known is None:
            known = self._fingerprints[joined.labels] = fingerprint(joined.labels)
        return known

    def _onset(self, joined: Joined, rule: Rule | None, fired_at: float) -> tuple[float, Onset]:
        """Return when the condition began, from the best that is known: reference in `services.model.alert.Onset`."""
        active = [alert.active_at for _, _, alert in joined.ruled if alert.active_at]
        if active:
            return min(active), Onset.ACTIVE_AT
        stated = self._for_state.get(joined.labels, 0.0)
        if 0.0 < stated < FARTHEST:
            return stated, Onset.FOR_STATE
        if rule is not None and fired_at:
            return fired_at - rule.hold, Onset.STARTS_AT_LESS_FOR
        return fired_at, Onset.STARTS_AT

    def _rule(self, name: str, labels: Mapping[str, str], scope: Scope) -> Rule | None:
        """Return the rule an alert must come from, of those with its name: None where two could be meant."""
        fitting = [
            rule
            for prometheus, rule in self._rules.get(name, ())
            if (not scope or not prometheus.scope or scope == prometheus.scope)
            and all("{{" in value or labels.get(key) == value for key, value in rule.labels)
        ]
        return fitting[0] if fitting and len({(one.expression, one.hold) for one in fitting}) == 1 else None


def _state(joined: Joined) -> AlertState:
    """Return what the alert is doing: active anywhere is firing, else suppressed, else what the rules say.

    As karma merges it (internal/alertmanager/dedup.go).
    """
    if joined.told:
        said = {given.state for _, given in joined.told}
        if Notifying.ACTIVE not in said:
            for notifying, state in _QUIET:
                if notifying in said:
                    return state
        return AlertState.FIRING
    if not any(alert.firing for _, _, alert in joined.ruled):
        return AlertState.PENDING
    return AlertState.MUTED if joined.dropped else AlertState.FIRING


def _fired_at(told: Sequence[Told], ruled: Sequence[Ruled]) -> float:
    starts = [given.starts_at for _, given in told if given.starts_at]
    if starts:
        return min(starts)
    firing = [alert.active_at + rule.hold for _, rule, alert in ruled if alert.firing and alert.active_at]
    return min(firing, default=0.0)


def _union(found: Sequence[Names]) -> Names:
    """Return all the names, each once, sorted; servers mostly agree."""
    one: Names = ()
    for names in found:
        if names and names != one:
            if one:
                return tuple(sorted({name for each in found for name in each}))
            one = names
    return one if len(one) < 2 else tuple(sorted(set(one)))
