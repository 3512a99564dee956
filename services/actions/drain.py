"""Empties a node: cordoned first, every pod evicted by its own leave, nothing forced; what cannot go is said.

Source: kubectl pkg/drain and pkg/cmd/drain; what differs on purpose is in `services.kubernetes.drain` and `draining`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from services.actions.reading import STRATEGIC, at, fetch, patch, rehearse
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.workloads import patch_right
from services.kubernetes.drain import Allowed, DrainPlan, PodVerdict, Verdict, closed, plan_drain
from services.kubernetes.draining import Going, Phase
from services.kubernetes.draining import drain as drain_pods
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Step, Target, Tier, Undo
from services.model.ref import DAEMONSETS, NODES, PODS, REPLICASETS, STATEFULSETS, Resource
from services.model.severity import Severity
from services.model.text import SafeText
from services.ports import Snapshot
from services.sanitize import safe_text

BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
MOST_CLOSED = 0.34
"""The share of a cluster's nodes that may be closed or lost already: beyond it a drain is refused."""

_ORDER = [Phase.FAILED, Phase.LATE, Phase.STOPPED, Phase.REFUSED, Phase.LEAVING, Phase.WAITING, Phase.GONE]
_TONES = {
    Phase.GONE: Severity.OK,
    Phase.FAILED: Severity.CRIT,
    Phase.LATE: Severity.CRIT,
    Phase.REFUSED: Severity.WARN,
    Phase.STOPPED: Severity.WARN,
}


class Drain:
    """`kubectl drain --ignore-daemonsets`, by eviction alone."""

    id = "drain"

    def available(self, _row: object, _snapshot: Snapshot, /) -> str:
        """Always: a cordoned node is drained as well."""
        return ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the verdict on every pod, blocked where one keeps all from going.

        Raises Refused where too many nodes are closed.
        """
        document = await fetch(target, hands)
        judged, nodes = await asyncio.gather(_judge(target, given, hands), hands.find(NODES))
        _check_room(target, nodes)
        cordoned = bool(at(document, "spec", "unschedulable"))
        write = patch(target, document, {"spec": {"unschedulable": True}}, STRATEGIC)
        edits, said = ((), ()) if cordoned else await rehearse(write, document, hands)
        return Plan(
            action=self.id,
            target=target,
            title=f"Drain {target.ref.name}",
            parameters={name: given[name] for name in ("empty_dirs", "unmanaged") if given.get(name)},
            facts=(Fact("plan", judged.summary), *_facts(judged, cordoned), *said),
            edits=edits,
            writes=() if cordoned else (write,),
            rights=(patch_right(target), Right("create", PODS, "", "eviction"), Right("list", PODS)),
            command=f"drain {target.ref.name} --ignore-daemonsets{_flags(given)}",
            tier=Tier.TYPED,
            typed=target.ref.name,
            touches=len(judged.evicted),
            expects="until every pod is gone, ten minutes at most; it stays cordoned",
            undo=None if cordoned else Undo("uncordon", target.ref, target.resource, {}, "uncordon it"),
            no_undo="it was cordoned before: pods come back when it is uncordoned" if cordoned else "",
            state={"pods": ",".join(f"{one.key}/{one.uid}" for one in judged.evicted)},
            steps=tuple(sorted((_step(one) for one in judged.pods), key=_urgency)),
            blocked=_blocked(judged) if judged.blocked else "",
        )

    async def execute(self, plan: Plan, hands: Hands, note: Note, /) -> None:
        """Cordon, then evict; what is refused is asked again until its time is over."""
        for write in plan.writes:
            await note(Progress(Stage.EXECUTE, write.what))
            await hands.send(write)
        judged = await _judge(plan.target, plan.parameters, hands)
        planned = set(plan.state["pods"].split(","))
        pods = [one for one in judged.evicted if f"{one.key}/{one.uid}" in planned]

        async def report(rows: Sequence[Going]) -> None:
            gone = sum(row.phase is Phase.GONE for row in rows)
            steps = tuple(_going(row, hands.clock.monotonic()) for row in _first(rows))
            await note(Progress(Stage.EXECUTE, _counts(rows), gone, len(rows), steps))

        await drain_pods(plan.target.ref.name, pods, hands, report)

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Look which of the planned pods are still on the node."""
        clock = hands.clock
        await note(Progress(Stage.VERIFY, "looking which pods are left"))
        try:
            document = await fetch(plan.target, hands)
        except Refused as refused:
            return Ended(Outcome.FAILED, refused.sentence, at=clock.now())
        planned = set(plan.state["pods"].split(",")) - {""}
        pods = await hands.find(PODS, "", fieldSelector=f"spec.nodeName={plan.target.ref.name}")
        left = [one for one in pods if _key(one) in planned]
        if not left and at(document, "spec", "unschedulable"):
            gone = "1 pod is gone" if len(planned) == 1 else f"{len(planned)} pods are gone"
            text = f"{plan.target.ref.name} is drained and cordoned; {gone}"
            return Ended(Outcome.OK, safe_text(text), at=clock.now())
        if not at(document, "spec", "unschedulable"):
            return Ended(Outcome.FAILED, safe_text(f"{plan.target.ref.name} is not cordoned"), at=clock.now())
        return Ended(Outcome.FAILED, _left_over(left, len(planned)), at=clock.now(), undo=plan.undo)


async def _judge(target: Target, given: Mapping[str, str], hands: Hands) -> DrainPlan:
    name = target.ref.name
    pods, budgets, sets, ordered, daemons = await asyncio.gather(
        hands.find(PODS, "", fieldSelector=f"spec.nodeName={name}"),
        hands.find(BUDGETS),
        hands.find(REPLICASETS),
        hands.find(STATEFULSETS),
        hands.find(DAEMONSETS),
    )
    allowed = Allowed(given.get("empty_dirs") == "true", given.get("unmanaged") == "true")
    keys = {f"{at(one, 'metadata', 'namespace')}/{at(one, 'metadata', 'name')}" for one in daemons}
    return plan_drain(
        name,
        pods,
        budgets=budgets,
        owners=(*sets, *ordered),
        daemonsets=keys,
        allowed=allowed,
        now=hands.clock.now(),
    )


def _check_room(target: Target, nodes: Sequence[Document]) -> None:
    others = [one for one in nodes if at(one, "metadata", "name") != target.ref.name]
    shut, _ = closed(others)
    if others and shut / len(nodes) > MOST_CLOSED:
        text = (
            f"{shut} of {len(nodes)} nodes are closed or not ready already: bring some back before another is drained"
        )
        raise Refused(safe_text(text))
    if not others:
        raise Refused(safe_text(f"{target.ref.name} is the only node: its pods have nowhere to go."))


def _blocked(judged: DrainPlan) -> str:
    names = "; ".join(f"{one.key}: {one.verdict.value}" for one in judged.blocked[:4])
    more = f"; and {len(judged.blocked) - 4} more" if len(judged.blocked) > 4 else ""
    hint = ""
    if any(one.verdict is Verdict.LOCAL for one in judged.blocked):
        hint += "; allow that loss, or save it first"
    if any(one.verdict in {Verdict.UNMANAGED, Verdict.ORPHANED} for one in judged.blocked):
        hint += "; let them go for good, or make somebody manage them"
    return safe_text(f"nothing is evicted as long as these are there: {names}{more}{hint}", 1000)


def _facts(judged: DrainPlan, cordoned: bool) -> list[Fact]:
    found = [Fact("cordon", "it is cordoned already" if cordoned else "first, so that nothing new comes")]
    stuck = [one for one in judged.evicted if one.stuck]
    if stuck:
        names = ", ".join(sorted({budget.name for one in stuck for budget in one.budgets}))
        text = f"{len(stuck)} cannot go yet ({names}): they are asked again until their time is over"
        found.append(Fact("budget", text, Severity.WARN))
    alone = [one for one in judged.evicted if one.singleton]
    if alone:
        names = ", ".join(one.key for one in alone[:5])
        found.append(
            Fact("single", f"{len(alone)} {'has' if len(alone) == 1 else 'have'} no second one: {names}", Severity.WARN)
        )
    lost = [one for one in judged.evicted if one.empty_dir]
    if lost:
        names = ", ".join(one.key for one in lost[:5])
        found.append(Fact("emptyDir", f"{len(lost)} lose what they keep there: {names}", Severity.WARN))
    return found


def _flags(given: Mapping[str, str]) -> str:
    flags = " --delete-emptydir-data" if given.get("empty_dirs") == "true" else ""
    return flags + (" --force" if given.get("unmanaged") == "true" else "")


def _first(rows: Sequence[Going]) -> Sequence[Going]:
    """Return the rows, those that are in the way first and those that are gone last."""
    return sorted(rows, key=lambda row: _ORDER.index(row.phase))


def _step(pod: PodVerdict) -> Step:
    """Return what a plan says of one pod."""
    limit = ", ".join(f"{one.allowed} ({one.name})" for one in pod.budgets)
    if pod.verdict.blocks:
        return Step(pod.key, "blocks", pod.verdict.value, limit, 0.0, Severity.CRIT)
    if pod.verdict is not Verdict.EVICT:
        return Step(pod.key, "stays", pod.verdict.value.removeprefix("skip: "), limit)
    why = [
        *([_unnamed(pod.stuck, pod)] if pod.stuck else []),
        *(["no second one of it"] if pod.singleton else []),
        *(["a run of a job: it begins anew"] if pod.running else []),
        *pod.warnings,
    ]
    severity = Severity.WARN if why else Severity.OK
    return Step(pod.key, "waits" if pod.stuck else "goes", "; ".join(why), limit, pod.grace, severity)


_FATES = ("blocks", "waits", "goes", "stays")


def _urgency(step: Step) -> tuple[int, int, str]:
    """Return what orders a plan's pods: what is in the way first, what stays last."""
    return _FATES.index(step.fate), step.severity, step.name


def _going(row: Going, now: float) -> Step:
    """Return how far one pod of a drain that runs is."""
    again = f" again in {row.again_at - now:.0f} s" if row.again_at > now else ""
    limit = ", ".join(one.name for one in row.pod.budgets)
    severity = _TONES.get(row.phase, Severity.NOTICE)
    return Step(row.pod.key, f"{row.phase.value}{again}", _unnamed(row.text, row.pod), limit, row.pod.grace, severity)


def _unnamed(text: str, pod: PodVerdict) -> str:
    """Return what a budget says without its name, which stands beside it: "needs 2 healthy pods and has 2"."""
    for budget in pod.budgets:
        text = text.removeprefix(f"The disruption budget {budget.name} ")
    return text.replace(" and has ", ", has ").removesuffix(" currently")


def _counts(rows: Sequence[Going]) -> str:
    """Return "evicting: 3 shutting down, 1 refused"."""
    counts = Counter(row.phase.value for row in rows if row.phase is not Phase.GONE)
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"evicting: {told}; gone" if told else "gone"


def _left_over(left: Sequence[Document], planned: int) -> SafeText:
    """Return how far a drain came that did not come to its end, and how to go on."""
    names = [_key(one).rpartition("/")[0] for one in left]
    more = f", and {len(names) - 5} more" if len(names) > 5 else ""
    leaving = sum(bool(at(one, "metadata", "deletionTimestamp")) for one in left)
    shutting = f", {leaving} of them shutting down" if leaving else ""
    gone = f"; {planned - len(left)} are gone" if planned > len(left) else ""
    text = f"{len(left)} of {planned} pods are still there ({', '.join(names[:5])}{more}){shutting}{gone}"
    return safe_text(f"{text}; it stays cordoned: drain it again to go on, or uncordon it", 1000)


def _key(pod: Document) -> str:
    metadata = at(pod, "metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}/{metadata.get('uid', '')}"
