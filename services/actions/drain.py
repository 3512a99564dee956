"""Empties a node: cordoned first, every pod evicted by its own leave, nothing forced; what cannot go is said.

Source: kubectl pkg/drain and pkg/cmd/drain; what differs on purpose is in `services.kubernetes.drain` and `draining`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from services.actions.reading import STRATEGIC, at, fetch, patch, rehearse
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.workloads import patch_right
from services.kubernetes.drain import Allowed, DrainPlan, Verdict, closed, plan_drain
from services.kubernetes.draining import Going, Phase
from services.kubernetes.draining import drain as drain_pods
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Tier, Undo
from services.model.ref import DAEMONSETS, NODES, PODS, REPLICASETS, STATEFULSETS, Resource
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text

BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
MOST_CLOSED = 0.34
"""The share of a cluster's nodes that may be closed or lost already: beyond it a drain is refused."""

SHOWN = 14

_TONES = {Phase.GONE: Severity.OK, Phase.FAILED: Severity.CRIT, Phase.LATE: Severity.CRIT, Phase.REFUSED: Severity.WARN}


class Drain:
    """`kubectl drain --ignore-daemonsets`, by eviction alone."""

    id = "drain"

    def available(self, _row: object, _snapshot: Snapshot, /) -> str:
        """Always: a cordoned node is drained as well."""
        return ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the verdict on every pod. Raises Refused where one blocks the drain, or too many nodes are closed."""
        document = await fetch(target, hands)
        judged, nodes = await asyncio.gather(_judge(target, given, hands), hands.find(NODES))
        _check_room(target, nodes)
        if judged.blocked:
            raise Refused(safe_text(_blocked(judged), 1000))
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
            shown = [_row(row, hands.clock.monotonic()) for row in _first(rows)]
            await note(Progress(Stage.EXECUTE, "evicting", gone, len(rows), tuple(shown)))

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
        left = [_key(one) for one in pods if _key(one) in planned]
        if not left and at(document, "spec", "unschedulable"):
            text = f"{plan.target.ref.name} is drained and cordoned; {len(planned)} pods are gone"
            return Ended(Outcome.OK, safe_text(text), at=clock.now())
        if not at(document, "spec", "unschedulable"):
            return Ended(Outcome.FAILED, safe_text(f"{plan.target.ref.name} is not cordoned"), at=clock.now())
        names = ", ".join(one.rpartition("/")[0] for one in left[:5])
        text = (
            f"{len(left)} of {len(planned)} pods are still there ({names}); it stays cordoned: drain it again to go on"
        )
        return Ended(Outcome.FAILED, safe_text(text, 1000), at=clock.now())


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
        hint += " Allow the loss with empty_dirs."
    if any(one.verdict is Verdict.UNMANAGED for one in judged.blocked):
        hint += " Let them go for good with unmanaged."
    return f"Nothing is evicted as long as these are there: {names}{more}.{hint}"


def _facts(judged: DrainPlan, cordoned: bool) -> list[Fact]:
    found = [Fact("cordon", "it is cordoned already" if cordoned else "first, so that nothing new comes")]
    stuck = [one for one in judged.evicted if one.stuck]
    found += [Fact("budget", f"{one.key}: {one.stuck}", Severity.WARN) for one in stuck[:SHOWN]]
    alone = [one for one in judged.evicted if one.singleton]
    if alone:
        names = ", ".join(one.key for one in alone[:5])
        found.append(Fact("single", f"{len(alone)} have no second one: {names}", Severity.WARN))
    lost = [one for one in judged.evicted if one.empty_dir]
    if lost:
        names = ", ".join(one.key for one in lost[:5])
        found.append(Fact("emptyDir", f"{len(lost)} lose what they keep there: {names}", Severity.WARN))
    return found


def _flags(given: Mapping[str, str]) -> str:
    flags = " --delete-emptydir-data" if given.get("empty_dirs") == "true" else ""
    return flags + (" --force" if given.get("unmanaged") == "true" else "")


def _first(rows: Sequence[Going]) -> Sequence[Going]:
    """Return the rows to show: those that are still on their way first."""
    return sorted(rows, key=lambda row: row.phase is Phase.GONE)[:SHOWN]


def _row(row: Going, now: float) -> tuple[str, str, Severity]:
    again = f", again in {row.again_at - now:.0f} s" if row.again_at > now else ""
    words = f"{row.phase.value}{again}{f': {row.text}' if row.text else ''}"
    return row.pod.key, words, _TONES.get(row.phase, Severity.NOTICE)


def _key(pod: Document) -> str:
    metadata = at(pod, "metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}/{metadata.get('uid', '')}"
