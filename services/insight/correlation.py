"""Says which changes may have caused what broke, with every reason an operator would give, and why not for the rest.

A score is a sum of lines: what the change and the trouble have in common, how soon the one followed the other, what
else speaks for it, and how often the same trouble came without it. Pure and deterministic. Machines suspect; only a
person says "cause".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from services.model.alert import Alert, Entity
from services.model.change import Change, ChangeKind, ScoreLine, Suspect

EARLY = 30.0
"""Seconds by which a change may follow the onset it is suspected of: clocks differ, watches lag."""
AFTERGLOW = 300.0
"""Seconds after a change settled during which an onset counts as within it."""
LATEST = 3600.0
"""Seconds after a change settled from which on it is no longer suspected."""
HALVING = 600.0
"""Seconds in which the weight of time halves once the afterglow is over."""
DAY = 86400.0

SAME_WORKLOAD, SAME_NODE, GUEST, SAME_NAMESPACE = 45, 30, 20, 15
IN_TIME, UNHEALTHY, NEW_POD, WITHOUT_IT, MOST_WITHOUT_IT = 35, 12, 12, 6, 25
LIKELY, POSSIBLE, NEARBY = 75, 50, 30

Named = tuple[str, str]
"""A workload as (namespace, name)."""


class Trouble(Struct, frozen=True):
    """What broke: where, when (epoch seconds UTC; up to `slack` seconds earlier), and when the same began before."""

    entity: Entity
    onset: float
    slack: float = 0.0
    before: tuple[float, ...] = ()


class Context(Struct, frozen=True):
    """What is known around alerts and changes; all of it may be empty.

    `uses` names the workloads that read a ConfigMap ((namespace, name)).
    `template_hashes` are those of pods ("namespace/name"); where a pod is missing its name tells. `onsets` are the
    known onsets of an alert in the last day, by fingerprint. `hosts` names the nodes that a workload's unready pods sit
    on, `guests` the workloads that have pods on a node.
    """

    uses: Mapping[Named, frozenset[Named]] = field(default_factory=dict)
    template_hashes: Mapping[str, str] = field(default_factory=dict)
    onsets: Mapping[str, Sequence[float]] = field(default_factory=dict)
    hosts: Mapping[Named, frozenset[str]] = field(default_factory=dict)
    guests: Mapping[str, frozenset[Named]] = field(default_factory=dict)


class Verdict(Struct, frozen=True):
    """What was found about one change: a suspect, or the reason why it is none, as the operator reads it."""

    change: Change
    suspect: Suspect | None
    reason: str = ""


NO_CONTEXT = Context()


def trouble_of(alert: Alert, context: Context = NO_CONTEXT) -> Trouble:
    """Return what an alert says broke, with the onsets of the same alert that came before."""
    before = tuple(at for at in context.onsets.get(alert.fingerprint, ()) if at < alert.onset)
    return Trouble(alert.entity, alert.onset, alert.onset_slack, before)


def suspects(about: Alert | Trouble, changes: Iterable[Change], context: Context = NO_CONTEXT) -> tuple[Suspect, ...]:
    """Return the changes suspected of an alert or a trouble, the strongest first."""
    return tuple(_the(one) for one in verdicts(about, changes, context) if one.suspect)


def verdicts(about: Alert | Trouble, changes: Iterable[Change], context: Context = NO_CONTEXT) -> tuple[Verdict, ...]:
    """Return what was found about every change: suspects first, then the others with the reason, the latest first."""
    trouble = about if isinstance(about, Trouble) else trouble_of(about, context)
    judged = _less_founding([judge(trouble, change, context) for change in changes])
    suspected = sorted((one for one in judged if one.suspect), key=lambda one: _strongest_first(_the(one)))
    cleared = sorted((one for one in judged if not one.suspect), key=lambda one: (-one.change.start, one.change.id))
    return (*suspected, *cleared)


def _less_founding(judged: list[Verdict]) -> list[Verdict]:
    """Clear what came with the cluster itself, unless it is all there is to suspect, and then say so."""
    later = any(one.suspect and not one.change.founding for one in judged)
    return [_weighed(one, later) if one.change.founding and one.suspect else one for one in judged]


def _weighed(one: Verdict, later: bool) -> Verdict:
    if later:
        return Verdict(one.change, None, "came with the cluster itself, and later changes are suspected")
    suspect = _the(one)
    alone = ScoreLine("came with the cluster itself: suspected only since nothing later is", 0)
    return Verdict(one.change, Suspect(suspect.change, suspect.score, (*suspect.lines, alone), suspect.band))


def suspects_of_group(
    alerts: Sequence[Alert], changes: Iterable[Change], context: Context = NO_CONTEXT
) -> tuple[Suspect, ...]:
    """Return the suspects of alerts that belong together: those of the earliest, with what of the rest speaks against.

    Counter-evidence is a line without points: "1 of 4 began before it".
    """
    if not alerts:
        return ()
    earliest = min(alerts, key=lambda alert: (alert.onset, alert.key))
    result = []
    for suspect in suspects(earliest, changes, context):
        before = sum(alert.onset < suspect.change.start for alert in alerts)
        against = ScoreLine(f"{before} of {len(alerts)} began before it", 0)
        lines = (*suspect.lines, against) if before else suspect.lines
        result.append(Suspect(suspect.change, suspect.score, lines, suspect.band))
    return tuple(result)


def judge(trouble: Trouble, change: Change, context: Context = NO_CONTEXT) -> Verdict:
    """Return whether one change is suspected of one trouble, with the lines of its score or the reason against."""
    scope, against = _scope(trouble.entity, change, context)
    if scope is None:
        return Verdict(change, None, against)
    settled = change.end or max(trouble.onset, change.start)
    if trouble.onset < change.start - EARLY:
        return Verdict(change, None, f"began {span(change.start - trouble.onset)} before the change")
    if trouble.onset - trouble.slack > settled + LATEST:
        return Verdict(change, None, f"began {span(trouble.onset - settled)} after the change had settled")
    lines = [scope, _time(trouble, change.start, settled), *_corroboration(trouble.entity, change, context)]
    lines += _base_rate(trouble, change)
    score = max(0, min(100, sum(line.points for line in lines)))
    band = "likely" if score >= LIKELY else "possible" if score >= POSSIBLE else "nearby"
    if score < NEARBY:
        why = ", ".join(f"{line.reason} {line.points:+d}" for line in lines)
        return Verdict(change, None, f"too weak: {score} ({why})")
    return Verdict(change, Suspect(change, score, tuple(lines), band))


def span(seconds: float) -> str:
    """Return a duration as it is said in a reason: "90 s", "42 min", "3 h"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _scope(entity: Entity, change: Change, context: Context) -> tuple[ScoreLine | None, str]:
    """Return the strongest thing the two have in common, or why nothing counts."""
    ref = change.ref
    if entity.cluster != ref.cluster:
        return None, "another cluster"
    if change.kind is ChangeKind.SILENCE:
        return None, "a silence changes who is told, not what breaks"
    namespace, workload = entity.namespace, entity.workload
    on_node = _on_node(entity, change, context)
    if on_node is not None or ref.kind == "Node":
        return on_node, "" if on_node is not None else "nothing in common"
    changed = (ref.namespace, ref.name)
    if workload and namespace == ref.namespace:
        name = f"{namespace}/{workload}"
        if workload == ref.name and ref.kind not in ("ConfigMap", "Secret"):
            return ScoreLine(f"same workload {name}", SAME_WORKLOAD), ""
        if ref.kind == "ConfigMap" and (namespace, workload) in context.uses.get(changed, ()):
            return ScoreLine(f"{name} uses {ref.kind} {ref.name}", SAME_WORKLOAD), ""
    if namespace and namespace == ref.namespace:
        return ScoreLine(f"same namespace {namespace}", SAME_NAMESPACE), ""
    return None, "nothing in common"


def _on_node(entity: Entity, change: Change, context: Context) -> ScoreLine | None:
    """Return what the two have in common by a machine: the node itself, or a rollout with pods on one that ails."""
    ref, workload = change.ref, entity.workload
    if ref.kind == "Node":
        if ref.name == entity.node:
            return ScoreLine(f"same node {ref.name}", SAME_NODE)
        if workload and ref.name in context.hosts.get((entity.namespace, workload), ()):
            return ScoreLine(f"unready pods of {entity.namespace}/{workload} sit on node {ref.name}", SAME_NODE)
        return None
    alone = entity.node and not workload and change.kind is ChangeKind.ROLLOUT
    if alone and (ref.namespace, ref.name) in context.guests.get(entity.node, ()):
        return ScoreLine(f"its pods run on node {entity.node}", GUEST)
    return None


def _time(trouble: Trouble, start: float, settled: float) -> ScoreLine:
    """Weigh the time between; where the onset is uncertain, its earliest moment counts: it widens, never narrows."""
    late = max(0.0, trouble.onset - trouble.slack - settled - AFTERGLOW)
    points = round(IN_TIME * 2.0 ** (-late / HALVING))
    after = trouble.onset - start
    about = f", give or take {span(trouble.slack)}" if trouble.slack else ""
    if after < 0:
        return ScoreLine(f"began {span(-after)} before it was seen to start{about}", points)
    if late:
        return ScoreLine(f"began {span(trouble.onset - settled)} after it had settled{about}", points)
    return ScoreLine(f"began {span(after)} after it started{about}", points)


def _corroboration(entity: Entity, change: Change, context: Context) -> list[ScoreLine]:
    lines = []
    if change.healthy is False:
        lines.append(ScoreLine(f"{change.kind.value} unhealthy", UNHEALTHY))
    if change.template_hash and entity.pod and entity.namespace == change.ref.namespace:
        known = context.template_hashes.get(f"{entity.namespace}/{entity.pod}", "")
        named = entity.pod.startswith(f"{change.ref.name}-{change.template_hash}-")
        if known == change.template_hash or (not known and named):
            lines.append(ScoreLine("the pod is one it made", NEW_POD))
    return lines


def _base_rate(trouble: Trouble, change: Change) -> list[ScoreLine]:
    """Count against a change how often the same began within the day before it."""
    since, until = trouble.onset - DAY, min(change.start - EARLY, trouble.onset)
    times = sum(since <= at < until for at in trouble.before)
    if not times:
        return []
    often = f"{times} times" if times > 1 else "once"
    return [ScoreLine(f"fired {often} in 24 h without it", -min(MOST_WITHOUT_IT, WITHOUT_IT * times))]


def _strongest_first(suspect: Suspect) -> tuple[int, float, str]:
    return -suspect.score, -suspect.change.start, suspect.change.id


def _the(verdict: Verdict) -> Suspect:
    assert verdict.suspect is not None  # noqa: S101 - only suspects are asked
    return verdict.suspect
