"""A roll-out that is watched: done, failed for good, given up early, or nobody knows; never longer than need be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from services.actions.spec import Hands
from services.actions.watching import see_once, watch_rollout
from services.clock import ManualClock
from services.errors import Problem
from services.model.action import Ended, Outcome, Plan, Progress, Target
from services.model.ref import DAEMONSETS, DEPLOYMENTS, PODS, REPLICASETS, STATEFULSETS, Ref, Resource
from services.sanitize import safe_text

Document = dict[str, Any]
KINDS = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFULSETS, "DaemonSet": DAEMONSETS}
NEW, OLD = "new", "old"


class Rolling:
    """Hands on one workload that rolls out: one pod of two is new; time passes at each wait."""

    def __init__(self, kind: str = "Deployment") -> None:
        self.clock = Rushed()
        self.kind = kind
        self.pods: list[Document] = [pod("b", OLD)]
        self.finished = False
        self.deadline_passed = False
        self.down = False
        self.forbidden: set[Resource] = set()
        self.listed = 0
        self.template: Document | None = None

    async def get(self, resource: Resource, _namespace: str, _name: str, _subresource: str = "") -> Document:
        if self.down:
            raise Problem(safe_text("The server does not answer."))
        updated = 2 if self.finished else 1
        label = {"matchLabels": {"app": "web"}}
        status = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": updated, "readyReplicas": updated}
        status |= {
            "availableReplicas": updated,
            "updateRevision": NEW,
            "currentRevision": NEW if self.finished else OLD,
        }
        status |= {"desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": updated}
        if self.deadline_passed:
            progressing = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
            status["conditions"] = [progressing]
        metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": 2}
        metadata["annotations"] = {"deployment.kubernetes.io/revision": "2"}
        spec = {"replicas": 2, "selector": label, "progressDeadlineSeconds": 600}
        spec["updateStrategy"] = {"type": "RollingUpdate"}
        if self.template is not None:
            spec["template"] = self.template
        return {"apiVersion": "apps/v1", "kind": self.kind, "metadata": metadata, "spec": spec, "status": status}

    async def find(self, resource: Resource, _namespace: str = "", **_params: str) -> Sequence[Document]:
        if resource in self.forbidden:
            raise Problem(safe_text("You may not."), 403)
        self.listed += resource is PODS
        if resource is PODS:
            return self.pods
        return [holder(1, OLD), holder(2, NEW), holder(9, "foreign", owner="other")]


class Rushed(ManualClock):
    """A clock whose waits are over at once."""

    async def sleep(self, seconds: float) -> None:
        self._elapsed += seconds


def holder(number: int, hashed: str, owner: str = "u") -> Document:
    labels = {"pod-template-hash": hashed, "controller-revision-hash": hashed}
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    return {"metadata": {"labels": labels, "annotations": annotations, "ownerReferences": [{"uid": owner}]}}


def pod(name: str, hashed: str, waiting: str = "", restarts: int = 0, **metadata: str) -> Document:
    labels = {"app": "web", "pod-template-hash": hashed, "controller-revision-hash": hashed}
    state: Document = {"waiting": {"reason": waiting, "message": "not found"}} if waiting else {"running": {}}
    status = {
        "name": "web",
        "ready": not waiting,
        "restartCount": restarts,
        "state": state,
        "image": "i",
        "imageID": "",
    }
    about = {"name": name, "namespace": "shop", "uid": f"u-{name}", "labels": labels, **metadata}
    return {"metadata": about, "spec": {"containers": [{"name": "web"}]}, "status": {"phase": "Running"} | _one(status)}


def _one(status: Document) -> Document:
    return {"containerStatuses": [status]}


async def watched(hands: Rolling, took: bool = True) -> tuple[Ended, list[str], float]:
    target = Target(Ref("c", "apps", hands.kind, "shop", "web", "u"), KINDS[hands.kind])
    seen: list[str] = []

    async def note(progress: Progress) -> None:
        seen.append(progress.text)

    began = hands.clock.monotonic()
    plan = Plan("set-image", target, "Set the image of shop/web")
    ended = await watch_rollout(plan, hands, note, lambda _: took, "shop/web runs it")  # type: ignore[arg-type]
    return ended, seen, hands.clock.monotonic() - began


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    ("waiting", "restarts", "said", "within"),
    [
        ("CrashLoopBackOff", 3, "crashes in container web", 5),
        ("ImagePullBackOff", 0, "cannot pull the image", 40),
        ("CreateContainerConfigError", 0, "cannot start", 40),
    ],
)
async def test_new_pods_that_fail_for_good_end_the_watch(
    kind: str, waiting: str, restarts: int, said: str, within: float
) -> None:
    hands = Rolling(kind)
    hands.pods = [pod("a", NEW, waiting, restarts), pod("b", OLD)]
    ended, _, took = await watched(hands)
    assert ended.outcome is Outcome.FAILED
    assert said in ended.text
    assert "the change is in place, and the cluster goes on trying" in ended.text
    assert took < within


@pytest.mark.parametrize(
    "pods",
    [
        [pod("a", NEW, "CrashLoopBackOff", 2)],
        [pod("a", OLD, "CrashLoopBackOff", 40), pod("b", NEW)],
        [pod("a", OLD, "ImagePullBackOff")],
        [pod("a", NEW, "CrashLoopBackOff", 9, deletionTimestamp="2026-01-01T00:00:00Z")],
        [pod("a", "foreign", "CrashLoopBackOff", 9)],
        [pod("a", NEW, "ContainerCreating")],
    ],
)
async def test_what_is_not_certain_is_watched_on(pods: list[Document]) -> None:
    hands = Rolling()
    hands.pods = pods
    ended, seen, took = await watched(hands)
    assert (ended.outcome, took > 600) == (Outcome.UNKNOWN, True)
    assert "still not done after" in ended.text
    assert len(seen) == 1  # the same sentence is said once


async def test_a_registry_that_stumbles_is_waited_for() -> None:
    hands = Rolling()
    hands.pods = [pod("a", NEW, "ErrImagePull")]

    async def sleep(seconds: float) -> None:
        await Rushed.sleep(hands.clock, seconds)
        hands.pods = [pod("a", NEW)] if hands.clock.monotonic() > 20 else hands.pods
        hands.finished = hands.clock.monotonic() > 50

    hands.clock.sleep = sleep  # type: ignore[method-assign]
    ended, _, took = await watched(hands)
    assert (ended.outcome, took < 60) == (Outcome.OK, True)


@pytest.mark.parametrize("resource", [PODS, REPLICASETS])
async def test_who_may_not_read_pods_waits_for_the_deadline(resource: Resource) -> None:
    hands = Rolling()
    hands.pods, hands.forbidden = [pod("a", NEW, "CrashLoopBackOff", 9)], {resource}
    assert (await watched(hands))[0].outcome is Outcome.UNKNOWN
    hands.deadline_passed = True
    ended, _, took = await watched(hands)
    assert (ended.outcome, took) == (Outcome.FAILED, 0)
    assert "exceeded its progress deadline; the change is in place" in ended.text


async def test_the_pods_are_not_listed_at_every_look() -> None:
    hands = Rolling()
    _, _, took = await watched(hands)
    assert hands.listed <= took / 3 + 1


@pytest.mark.parametrize(
    ("changes", "took", "outcome", "said"),
    [
        ({"finished": True}, True, Outcome.OK, "shop/web runs it"),
        ({"finished": True}, False, Outcome.FAILED, "does not show the change"),
        ({"down": True}, True, Outcome.UNKNOWN, "does not answer"),
    ],
)
async def test_how_a_watch_ends(changes: Mapping[str, bool], took: bool, outcome: Outcome, said: str) -> None:
    hands = Rolling()
    for name, value in changes.items():
        setattr(hands, name, value)
    ended, _, _ = await watched(hands, took)
    assert ended.outcome is outcome
    assert said in ended.text


async def test_the_pods_of_the_revision_before_end_nothing() -> None:
    hands = Rolling()
    hands.pods = [pod("a", NEW, "CrashLoopBackOff", restarts=7)]
    hands.template = {"spec": {"containers": [{"name": "web", "image": "the-good-one"}]}}
    listing = hands.find

    async def find(resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        hands.finished = hands.finished or hands.listed > 2
        return await listing(resource, namespace, **params)

    hands.find = find  # type: ignore[method-assign]
    ended, _, _ = await watched(hands)
    assert ended.outcome is Outcome.OK, "its controller has only not given the new template a revision yet"


@pytest.mark.parametrize(("silent_for", "outcome"), [(0, Outcome.OK), (3, Outcome.OK), (60, Outcome.UNKNOWN)])
async def test_what_takes_effect_at_once_is_looked_for_through_a_short_silence(
    silent_for: int, outcome: Outcome
) -> None:
    hands, asked = Rolling(), 0
    reading = hands.get

    async def get(resource: Resource, _namespace: str, _name: str, _subresource: str = "") -> Document:
        nonlocal asked
        asked += 1
        hands.down = asked <= silent_for
        return await reading(resource, _namespace, _name, _subresource)

    async def quiet(_progress: Progress) -> None:
        return

    hands.get = get  # type: ignore[method-assign]
    plan = Plan("pause", Target(Ref("c", "apps", "Deployment", "shop", "web", "u"), DEPLOYMENTS), "Pause shop/web")
    ended = await see_once(plan, cast(Hands, hands), quiet, lambda _: True, "it is paused")
    assert ended.outcome is outcome
    assert asked <= silent_for + 1
