"""What actions on Argo Rollouts share: orders in the status, what they find, and how a delivery is watched.

Source: argo-rollouts v1.10 pkg/kubectl-argo-rollouts/cmd/{promote,abort,retry}; when each makes sense follows Argo CD's
resource_customizations/argoproj.io/Rollout/actions/discovery.lua.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import structs

from services.actions.failing import Failing
from services.actions.following import taken_over, written
from services.actions.ordinary import Ordinary
from services.actions.reading import MERGE, at, fetch, patch
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.watching import POLL, SLACK, Watch, ended, not_there, workload_of
from services.actions.workloads import HASH_LABEL, rollout_of
from services.errors import Problem
from services.kubernetes.delivery import progress_words
from services.kubernetes.rollout_status import rollout_status
from services.kubernetes.undo import Rollback
from services.kubernetes.wire import epoch
from services.kubernetes.writing import WriteFault, WriteProblem, digest_for
from services.model.action import Edit, Ended, Fact, Outcome, Plan, Progress, Stage, Target, Write
from services.model.delivery import DEGRADED, HEALTHY, PAUSED, Delivery
from services.model.ref import ARGO_ROLLOUTS, REPLICASETS
from services.model.severity import Severity
from services.model.workload import Workload
from services.ports import Snapshot
from services.sanitize import safe_text

ARGO_ROLLOUT = (ARGO_ROLLOUTS.group, ARGO_ROLLOUTS.kind)
STATUS = "status"
ORDERS = ("abort", "promoteFull", "pauseConditions", "controllerPause", "currentStepIndex")
"""What a status says that operators order, and not the controller alone."""

REVISION = "rollout.argoproj.io/revision"
LEAVES = "scale-down-deadline"
SIZED = "rollout.argoproj.io/desired-replicas"
"""The annotation of a ReplicaSet that names the Rollout's replicas which it was last sized for."""

UNSEEN = 30.0
"""Seconds for which a controller may take no notice of a change."""

NOTHING = "nothing is on its way: what runs is the stable version"
LONGEST = 3600.0
"""Seconds that a delivery is watched at most: its steps may take their time, and its deadline counts anew for each."""


class Scene(NamedTuple):
    """A Rollout as it is on the server now, and the revision of its stable ReplicaSet (0 where that is not known)."""

    document: Document
    workload: Workload
    delivery: Delivery
    stable: int

    @property
    def images(self) -> str:
        """The images that the spec names."""
        return ", ".join(self.workload.images) or self.delivery.follows

    @property
    def where(self) -> str:
        """How far it is: "Paused: CanaryPauseStep, step 1/4, 20 %"."""
        delivery = self.delivery
        words = f"{delivery.phase}: {delivery.message}" if delivery.message else delivery.phase
        progress = progress_words(delivery)
        return f"{words}, {progress}" if progress else words


Rule = Callable[[Workload, Delivery], str]
"""Why something makes no sense for a Rollout, "" where it does."""


class Delivering(Ordinary):
    """What is ordered of a Rollout's delivery; `rule` says when that makes no sense."""

    rule: Rule

    def available(self, row: object, snapshot: Snapshot, /) -> str:
        """Only where the rule has nothing against it."""
        rollout = rollout_of(row, snapshot)
        if rollout is None or rollout.workload.delivery is None:
            return ""
        return self.rule(rollout.workload, rollout.workload.delivery)

    async def scene(self, target: Target, hands: Hands) -> Scene:
        """Return the Rollout as it is now. Raises Refused where the rule says that it makes no sense."""
        return await scene_of(target, hands, self.rule)


async def scene_of(target: Target, hands: Hands, rule: Rule) -> Scene:
    """Return the Rollout as it is now. Raises Refused where the rule says that it makes no sense."""
    document = await fetch(target, hands)
    workload = workload_of(target, document)
    if workload.delivery is None:
        raise Refused(safe_text(f"{target.ref.key} is no Rollout."))
    if why := rule(workload, workload.delivery):
        raise Refused(safe_text(f"{target.ref.key}: {why}."))
    return Scene(document, workload, workload.delivery, await stable_revision(workload, hands))


async def stable_revision(workload: Workload, hands: Hands) -> int:
    """Return the revision of the stable ReplicaSet, 0 where none is stable yet or it cannot be read."""
    stable = workload.delivery.stable if workload.delivery is not None else ""
    try:
        owned = await _replicasets(workload, hands, f"={stable}") if stable else ()
    except Problem:
        return 0
    numbers = [str(at(one, "metadata", "annotations", REVISION) or "") for one in owned]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


async def _replicasets(workload: Workload, hands: Hands, of: str = "") -> Sequence[Document]:
    """Return the ReplicaSets that a Rollout controls; `of` ("=HASH", " in (A,B)") narrows them. Raises Problem."""
    found = await hands.find(REPLICASETS, workload.ref.namespace, labelSelector=f"{HASH_LABEL}{of}")
    return [one for one in found if _owner(one) == workload.ref.uid]


def _owner(document: Document) -> str:
    owners = at(document, "metadata", "ownerReferences") or []
    return next((str(one.get("uid")) for one in owners if one.get("controller")), "")


def order(target: Target, document: Document, orders: object) -> Write:
    """Return a patch of what the status orders: uid, version, and the orders as they were read are preconditions."""
    return patch(target, document, {"status": orders}, MERGE, STATUS)


async def rehearse_orders(write: Write, before: Document, hands: Hands) -> tuple[Write, tuple[Edit, ...], Fact]:
    """Ask the server to take the orders without taking them: what would change in the status.

    Returns the write for servers whose definition has no status subresource too (Argo Rollouts 0.9), then on the object
    itself. Raises Problem where the server refuses.
    """
    try:
        after = await hands.send(write, dry_run=True)
    except WriteProblem as problem:
        if problem.kind is WriteFault.UNREHEARSABLE:
            return write, (), Fact("dry run", problem.sentence, Severity.WARN)
        if problem.status != 404:
            raise
        path = write.path.removesuffix(f"/{STATUS}")
        write = structs.replace(write, path=path, spec=digest_for(path, write.body, before))
        after = await hands.send(write, dry_run=True)
    edits = [_edit(name, at(before, STATUS, name), at(after, STATUS, name)) for name in ORDERS]
    return write, tuple(one for one in edits if one.before != one.after), Fact("dry run", "the server would take it")


def _edit(name: str, before: object, after: object) -> Edit:
    return Edit(f"status.{name}", _text(before), _text(after))


def _text(value: object) -> str:
    if value in (None, [], False):
        return ""
    reasons = [str(at(one, "reason") or "") for one in value] if isinstance(value, list) else []
    return ", ".join(reasons) if reasons else msgspec.json.encode(value).decode()


Look = Callable[[Workload, Delivery], str | Awaitable[str]]
"""What an action has achieved: a sentence once it holds, "" while it does not; raises Gone where it cannot any more."""


class Gone(Exception):  # noqa: N818 - it says what has become of the delivery
    """What is watched for can no longer come; the sentence says why."""


async def watch_delivery(plan: Plan, hands: Hands, note: Note, look: Look) -> Ended:
    """Watch a Rollout until `look` has a sentence (OK) or raises (FAILED); UNKNOWN where it takes too long."""
    clock, watch = hands.clock, Watch(plan, hands)
    said = ""
    while True:
        document = await watch.next()
        if isinstance(document, Ended):
            return document
        try:
            workload = workload_of(plan.target, document)
            found = look(workload, workload.delivery) if workload.delivery is not None else ""
            done = found if isinstance(found, str) else await found
        except Gone as gone:
            return ended(hands, Outcome.FAILED, str(gone))
        except Problem as problem:
            return ended(hands, Outcome.UNKNOWN, problem.sentence)
        if done:
            return ended(hands, Outcome.OK, done)
        status = rollout_status(workload)
        if watch.waited > min(workload.progress_deadline + SLACK, LONGEST):
            return ended(hands, Outcome.UNKNOWN, f"still not done after {watch.waited:.0f} s: {status.text}")
        if status.text != said:
            said = status.text
            await note(Progress(Stage.VERIFY, safe_text(said)))
        await clock.sleep(POLL)


def unless_degraded(delivery: Delivery, key: str) -> None:
    """Raise Gone where the controller has given up. Raises nothing else."""
    if delivery.aborted or delivery.phase == DEGRADED:
        raise Gone(f"{key} was given up: {delivery.message or delivery.phase}")


def pods_facts(scene: Scene, extra: Sequence[Fact] = ()) -> list[Fact]:
    """Return the lines that every plan for a Rollout begins with: what is on its way, and how far it is."""
    stable = f"rev {scene.stable}" if scene.stable else "nothing yet"
    facts = [Fact("delivers", f"rev {scene.workload.revision}   {scene.images}"), Fact("stable", stable)]
    return [*facts, Fact("now", scene.where), *extra]


async def watch_template(
    plan: Plan, hands: Hands, note: Note, *, took: Callable[[Document], bool], done: str, on_way: str
) -> Ended:
    """Watch a Rollout take another template: until it is Healthy, or waits at a step for a person.

    `took` tells whether the object that holds the template shows the change, `done` is the sentence of success, and
    `on_way` that of a wait. FAILED where its new pods fail for good, or it is aborted meanwhile.
    """
    document = await fetch(plan.target, hands)
    holder = await written(plan.target, document, hands)
    if not took(holder.document):
        return ended(hands, Outcome.FAILED, not_there(plan))
    until = hands.clock.monotonic() + UNSEEN
    while not taken_over(document, holder):
        if hands.clock.monotonic() > until:
            text = f"its controller has not taken the change up after {UNSEEN:.0f} s: look whether it runs"
            return ended(hands, Outcome.UNKNOWN, text)
        await hands.clock.sleep(POLL)
        document = await fetch(plan.target, hands)
    failing = Failing(plan.target, hands)

    async def look(workload: Workload, delivery: Delivery) -> str:
        if delivery.phase == HEALTHY and delivery.promoted:
            return "" if delivery.leaving else done  # a router may lag behind: then what was left still serves
        if delivery.phase == DEGRADED:
            raise Gone(f"{delivery.message}; the change is in place, but it does not come up")
        if delivery.phase == PAUSED and not delivery.promoted:
            where = progress_words(delivery)
            return f"{on_way}: {delivery.message}{where and f', {where}'}"
        if cause := await failing.cause(workload, document):
            raise Gone(f"{cause}; the change is in place, and what was stable before still serves")
        return ""

    return await watch_delivery(plan, hands, note, look)


async def watch_scaled(plan: Plan, hands: Hands, note: Note, wanted: int) -> Ended:
    """Watch until a Rollout's controller has sized its ReplicaSets for a number of replicas, and their pods are ready.

    In the middle of a delivery the pods of both versions, and those of a surge, come to more than was asked for: so
    the ReplicaSet of each is asked, and for which number the controller has last sized it. Older ones only wait to go.
    """
    key = plan.target.ref.key

    async def look(workload: Workload, delivery: Delivery) -> str:
        if workload.spec_replicas != wanted:
            raise Gone(not_there(plan))
        if workload.observed_generation < workload.generation:
            return ""
        owned = await _replicasets(workload, hands, f" in ({delivery.current},{delivery.stable or delivery.current})")
        alive = [one for one in owned if int(at(one, "spec", "replicas") or 0) or int(at(one, STATUS, "replicas") or 0)]
        settled = all(_settled(one, wanted) for one in alive)
        return f"{key} has {wanted} replicas" if settled and bool(alive) is bool(wanted) else ""

    return await watch_delivery(plan, hands, note, look)


def _settled(replicaset: Document, wanted: int) -> bool:
    sized = str(at(replicaset, "metadata", "annotations", SIZED) or "")
    asked = int(at(replicaset, "spec", "replicas") or 0)
    counts = [int(at(replicaset, STATUS, name) or 0) for name in ("replicas", "readyReplicas")]
    return sized in ("", str(wanted)) and counts == [asked, asked]


async def watch_restarted(plan: Plan, hands: Hands, note: Note) -> Ended:
    """Watch until the controller has replaced every pod that was older than `spec.restartAt`."""
    when = plan.parameters["at"]

    def look(workload: Workload, delivery: Delivery) -> str:
        if delivery.restart_at != epoch(when):
            raise Gone(not_there(plan))
        ready = workload.ready >= workload.desired
        return f"{plan.target.ref.key} has restarted" if delivery.restarted_at == epoch(when) and ready else ""

    return await watch_delivery(plan, hands, note, look)


def delivers_again(
    target: Target, document: Document, holders: Sequence[Document], way: Rollback, now: float
) -> list[Fact]:
    """Return if a Rollout takes its steps on the way to a revision: not to the stable one, nor to pods still there."""
    if (target.ref.group, target.ref.kind) != ARGO_ROLLOUT:
        return []
    holder = next((one for one in holders if at(one, "metadata", "uid") == way.revision.uid), {})
    leaves_at = epoch(str(at(holder, "metadata", "annotations", LEAVES) or ""))
    if leaves_at > now and way.revision.ready:
        text = f"its pods still run for {leaves_at - now:.0f} s: until then going back is instant, without a pause"
        return [Fact("means", text)]
    stable = str(at(document, STATUS, "stableRS") or "")
    if not stable or way.revision.name.endswith(f"-{stable}"):
        return [Fact("means", "it is the stable version: no step is taken, and an abort is over")] if stable else []
    text = "it is not the stable version: its steps, pauses and analyses are gone through again"
    return [Fact("means", text, Severity.NOTICE)]
