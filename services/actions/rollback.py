"""Rolls a workload back to a revision that is named before it happens: the last one observed healthy, if nobody says.

Source: kubectl pkg/polymorphichelpers/rollback.go; what differs on purpose is in `services.kubernetes.undo`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from shlex import quote

from msgspec import structs

from services.actions.deliveries import delivers_again, watch_template
from services.actions.following import Written, written
from services.actions.keepers import check_keepers
from services.actions.reading import at, entries, fetch, patch, rehearse
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.watching import watch_rollout, workload_of
from services.actions.workloads import labels_wanted, patch_right, pods_touched, rollout_command, rollout_of
from services.errors import Problem
from services.kubernetes.history import HELD_BY_REPLICASETS
from services.kubernetes.undo import Grounds, Part, candidates
from services.kubernetes.undo import Rollback as WayBack
from services.kubernetes.undo import rollback as way_back
from services.kubernetes.undo_risks import (
    Reference,
    blocking_pods,
    changed_since,
    left_at,
    migrations,
    references,
)
from services.kubernetes.writing import WriteProblem
from services.model.action import Edit, Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Undo, Write
from services.model.alert import AlertState
from services.model.ref import CONFIGMAPS, CONTROLLERREVISIONS, JOBS, PODS, REPLICASETS, Resource
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text

SECRETS = Resource("", "v1", "secrets", "Secret")
POLL = 1.0
ALERT_PATIENCE = 180.0
"""Seconds for which alerts of a workload that has come back are waited for: they clear by their own rules."""

CONTROLLER_PATIENCE = 30.0
SHOWN = 6


class Rollback:
    """`kubectl rollout undo --to-revision`, and with OrderedReady the deletion of the pod that blocks it."""

    id = "rollback"

    def available(self, row: object, snapshot: Snapshot, /) -> str:
        """Not where there is one revision alone, nor while a Deployment is paused."""
        rollout = rollout_of(row, snapshot)
        if rollout is None:
            return ""
        if rollout.workload.paused and rollout.workload.delivery is None:
            return "it is paused: resume it first"
        return "it has one revision only" if rollout.revision == 1 else ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the way back to revision `to`, or to the best one there is."""
        shown = await fetch(target, hands)
        holder = await written(target, shown, hands)
        document = _whole(shown, holder)
        keepers = await check_keepers(holder.document, holder.target, hands)
        holders = await _holders(target, document, hands)
        observed = await hands.observed(target.ref)
        to = _number(given.get("to", ""))
        cause = f"rollback by {hands.who} via quarterdeck"
        way = way_back(document, holders, to=to, observed=observed, cause=cause)
        write = patch(holder.target, holder.document, None, way.content_type)
        write = structs.replace(write, body=way.body)
        edits, said = await rehearse(write, holder.document, hands)
        current = _current(document, holders)
        warnings = await _warnings(target, document, holders, way, hands)
        trap = await _blocking(target, document, way, hands)
        return Plan(
            action=self.id,
            target=target,
            title=f"Roll back {target.ref.key}",
            parameters={"to": str(way.revision.number)},
            facts=(
                *_facts(target, document, way, current),
                *holder.facts,
                *delivers_again(target, document, holders, way, hands.clock.now()),
                *keepers,
                *warnings,
                *said,
                *_trap_facts(trap),
            ),
            edits=edits if len(edits) <= SHOWN else _gathered(way),
            writes=(write, *(_deletion(pod) for pod in trap)),
            rights=(patch_right(holder.target), *([Right("delete", PODS, target.ref.namespace)] if trap else [])),
            command=rollout_command(target, "undo", f" --to-revision={way.revision.number}") + _freeing(trap, hands),
            touches=await pods_touched(target, document, hands),
            expects=_expected(target, way, hands),
            undo=_undo(target, current),
            no_undo="" if current else "the revision it leaves has no number to go back to",
            state={"template": way.revision.name, "alerts": ",".join(_alerts(target, hands))},
        )

    async def execute(self, plan: Plan, hands: Hands, note: Note, /) -> None:
        """Send the patch, then let go the pods that keep the new template from being used."""
        for number, write in enumerate(plan.writes):
            if number == 1:
                await _seen_by_controller(plan, hands)
            await note(Progress(Stage.EXECUTE, write.what))
            try:
                await hands.send(write)
            except WriteProblem as problem:
                problem.partly = number > 0
                raise

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Watch until the revision is available, then until the alerts that fired on it have cleared."""
        wanted = await _template_of(plan, hands)
        name = f"{plan.target.ref.key} runs what revision {plan.parameters['to']} was"

        def took(found: Document) -> bool:
            return _runs(found, wanted)

        if plan.target.ref.kind == "Rollout":
            ended = await watch_template(
                plan, hands, note, took=took, done=name, on_way=f"{plan.target.ref.key} is on its way back"
            )
        else:
            ended = await watch_rollout(plan, hands, note, took, name)
        alerts = [key for key in plan.state.get("alerts", "").split(",") if key]
        if ended.outcome is not Outcome.OK or not alerts:
            return ended
        return await _cleared(alerts, ended, hands, note)


async def _holders(target: Target, document: Document, hands: Hands) -> Sequence[Document]:
    kind = REPLICASETS if target.ref.kind in HELD_BY_REPLICASETS else CONTROLLERREVISIONS
    selector = labels_wanted(document)
    return await hands.find(kind, target.ref.namespace, **({"labelSelector": selector} if selector else {}))


def _whole(document: Document, holder: Written) -> Document:
    """Return a workload with the pod template that it runs, where that is written in another object."""
    if not holder.borrowed:
        return document
    return {**document, "spec": {**document["spec"], "template": at(holder.document, "spec", "template")}}


def _number(text: str) -> int:
    if not text:
        return 0
    if not text.strip().isdecimal() or not int(text):
        raise Refused(safe_text(f"{text[:40]!r} is no revision: it is a number, as the history shows them."))
    return int(text)


def _current(document: Document, holders: Sequence[Document]) -> int:
    return next((one.number for one in candidates(document, holders) if one.current), 0)


def _facts(target: Target, document: Document, way: WayBack, current: int) -> list[Fact]:
    workload = workload_of(target, document)
    ready = f"{workload.ready} of {workload.desired} ready"
    was = f" (was {way.revision.was})" if way.revision.was else ""
    found = [
        Fact("from", f"rev {current}   {_spoken(workload.images)}   {ready}"),
        Fact("to", f"rev {way.revision.number}{was}   {_spoken(way.revision.images)}   {way.words}"),
    ]
    if way.grounds is Grounds.INFERRED:
        text = "no console of this machine saw it healthy: the cluster's own marks are all that speaks for it"
        found.append(Fact("inferred", text, Severity.WARN))
    if not any(one.part is Part.IMAGE for one in way.differences):
        found.append(Fact("image", "both revisions have the same images", Severity.NOTICE))
    if way.overwritten:
        text = "it is managed by kubectl apply: the next apply brings the newer manifest back"
        found.append(Fact("apply", text, Severity.NOTICE))
    return found


def _spoken(images: Sequence[str]) -> str:
    """Return images without their registry and its folders, which the diff names: "cart:v2.0.1, proxy:1.4"."""
    return ", ".join(one.rpartition("/")[2] for one in images)


def _gathered(way: WayBack) -> tuple[Edit, ...]:
    return tuple(Edit(one.path, one.now, one.then) for one in way.differences)


async def _warnings(
    target: Target, document: Document, holders: Sequence[Document], way: WayBack, hands: Hands
) -> list[Fact]:
    """Return what going back does not bring back: changed config, a migrated schema."""
    now = at(document, "spec", "template") or {}
    then = _template(next(one for one in holders if at(one, "metadata", "uid") == way.revision.uid))
    found: list[Fact] = []
    read: dict[Reference, Document | None] = {}
    for reference in references(then):
        kind = CONFIGMAPS if reference.kind == "ConfigMap" else SECRETS
        try:
            read[reference] = await hands.get(kind, target.ref.namespace, reference.name)
        except Problem as problem:
            if problem.status == 404:
                read[reference] = None
            else:
                text = f"whether {reference.kind} {reference.name} has changed is not known: it may not be read"
                found.append(Fact("config", text, Severity.NOTICE))
    since = left_at(holders, way.revision.number)
    for change in changed_since(read, since):
        what = f"{change.reference.kind} {change.reference.name}"
        if not change.at:
            found.append(Fact("config", f"{what} is gone, and that revision needs it", Severity.CRIT))
            continue
        who = f" by {change.who}" if change.who else ""
        when = datetime.fromtimestamp(change.at, UTC).strftime("%Y-%m-%d %H:%M")
        order = "after that revision" if change.at > since else "just before the next revision, perhaps for it"
        text = f"{what} was changed{who} at {when} UTC, {order}; it is not rolled back"
        found.append(Fact("config", text, Severity.WARN))
    jobs = await _jobs(target, hands)
    labels = at(document, "metadata", "labels") or {}
    for one in migrations(now, then, jobs, labels, since):
        text = f"{one.where} looks like a schema migration ({one.words}): going back does not undo that"
        found.append(Fact("schema", text, Severity.WARN))
    return found


async def _jobs(target: Target, hands: Hands) -> Sequence[Document]:
    try:
        return await hands.find(JOBS, target.ref.namespace)
    except Problem:
        return ()


async def _blocking(target: Target, document: Document, way: WayBack, hands: Hands) -> Sequence[Document]:
    if target.ref.kind != "StatefulSet":
        return ()
    pods = await hands.find(PODS, target.ref.namespace, labelSelector=labels_wanted(document))
    return [dict(one) for one in blocking_pods(document, pods, way.revision.name)]


def _trap_facts(pods: Sequence[Document]) -> list[Fact]:
    return [
        Fact(
            "trap", f"pod {at(one, 'metadata', 'name')} blocks the roll-out for good: it is deleted too", Severity.WARN
        )
        for one in pods
    ]


def _freeing(pods: Sequence[Document], hands: Hands) -> str:
    """Return the rest of the command: what lets the blocking pods go once the template is the other one."""
    if not pods:
        return ""
    namespace, names = at(pods[0], "metadata", "namespace"), " ".join(str(at(one, "metadata", "name")) for one in pods)
    return f" && kubectl --context {quote(hands.context)} -n {quote(str(namespace))} delete pod {names}"


def _deletion(pod: Document) -> Write:
    metadata = at(pod, "metadata") or {}
    namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
    path = PODS.path(namespace, name)
    return Write("DELETE", path, f"delete pod {namespace}/{name}", uid=str(metadata.get("uid", "")))


async def _seen_by_controller(plan: Plan, hands: Hands) -> None:
    """Wait until the controller has the new template: a pod that is deleted earlier comes back with the old one."""
    until = hands.clock.monotonic() + CONTROLLER_PATIENCE
    while hands.clock.monotonic() < until:
        document = await fetch(plan.target, hands)
        if int(at(document, "status", "observedGeneration") or 0) >= int(at(document, "metadata", "generation") or 0):
            return
        await hands.clock.sleep(POLL)


def _undo(target: Target, current: int) -> Undo | None:
    if not current:
        return None
    return Undo("rollback", target.ref, target.resource, {"to": str(current)}, f"roll to rev {current} again")


def _alerts(target: Target, hands: Hands) -> list[str]:
    """Return the keys of the alerts that fire on the workload now."""
    ref = target.ref
    return [
        key
        for key, one in hands.snapshot().tables.get("alerts", {}).items()
        if one.state is AlertState.FIRING and (one.entity.namespace, one.entity.workload) == (ref.namespace, ref.name)
    ]


def _expected(target: Target, way: WayBack, hands: Hands) -> str:
    alerts = hands.snapshot().tables.get("alerts", {})
    names = sorted({alerts[key].name for key in _alerts(target, hands)})
    if len(names) > 3:
        cleared = f", and {len(names)} alerts clear ({', '.join(names[:3])}, ...)"
    else:
        cleared = f" and {' and '.join(names)} clear{'s' if len(names) == 1 else ''}" if names else ""
    return f"until rev {way.revision.number} is available{cleared}"


async def _template_of(plan: Plan, hands: Hands) -> Document | None:
    """Return the pod template that the plan goes back to, None where its holder is gone."""
    kind = REPLICASETS if plan.target.ref.kind in HELD_BY_REPLICASETS else CONTROLLERREVISIONS
    try:
        holder = await hands.get(kind, plan.target.ref.namespace, plan.state["template"])
    except Problem as problem:
        if problem.status == 404:
            return None
        raise
    return _template(holder)


def _template(holder: Document) -> Document:
    """Return the pod template that a ReplicaSet or a ControllerRevision holds."""
    return dict(at(holder, "spec", "template") or at(holder, "data", "spec", "template") or {})


def _runs(document: Document, wanted: Document | None) -> bool:
    """Tell whether a workload asks for what a template asks for: its containers, by name, image and words."""
    return wanted is None or _asked(at(document, "spec", "template")) == _asked(wanted)


def _asked(template: object) -> list[tuple[object, ...]]:
    containers = [*entries(at(template, "spec", "initContainers")), *entries(at(template, "spec", "containers"))]
    return [
        (one.get("name"), one.get("image"), one.get("args"), one.get("command"), one.get("env")) for one in containers
    ]


async def _cleared(alerts: Sequence[str], ended: Ended, hands: Hands, note: Note) -> Ended:
    """Wait for alerts to clear; the workload is back either way, and what still fires is said."""
    clock = hands.clock
    until = clock.monotonic() + ALERT_PATIENCE
    told: list[str] = []
    while True:
        rows = hands.snapshot().tables.get("alerts", {})
        firing = [key for key in alerts if key in rows and rows[key].state is AlertState.FIRING]
        names = sorted({rows[key].name for key in firing})
        if not firing:
            return structs.replace(ended, text=safe_text(f"{ended.text}; its alerts have cleared"), at=clock.now())
        if clock.monotonic() >= until:
            text = f"{ended.text}; {', '.join(names)} still fires after {ALERT_PATIENCE:.0f} s"
            return structs.replace(ended, text=safe_text(text), at=clock.now())
        if names != told:
            told = names
            await note(Progress(Stage.VERIFY, safe_text(f"available; waiting for {', '.join(names)} to clear")))
        await clock.sleep(POLL)
