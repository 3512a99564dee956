"""What a keeper will do is asked where it may be asked, and left open where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.actions.keepers import ResumeGitOps, SuspendGitOps, check_keepers
from services.actions.registry import BY_ID
from services.actions.spec import Refused
from services.clock import ManualClock
from services.errors import Problem
from services.kubernetes.gitops import APPLICATIONS
from services.kubernetes.keepers import keepers
from services.model.action import Outcome, Progress, Target
from services.model.ref import DEPLOYMENTS, Ref, Resource
from services.model.text import SafeText
from widgets.viewmodels import LABEL_CELLS

CART = Ref("c", "apps", "Deployment", "shop", "cart", "u1")
TRACKED = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "payments:apps/Deployment:shop/cart"}}}
HEALING = {"syncPolicy": {"automated": {"selfHeal": True}}}


class Reads:
    def __init__(self, *found: dict[str, Any], problem: Problem | None = None) -> None:
        self.found = found
        self.problem = problem
        self.asked: list[tuple[Resource, str, dict[str, str]]] = []

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[dict[str, Any]]:
        self.asked.append((resource, namespace, params))
        if self.problem is not None:
            raise self.problem
        return self.found


def application(namespace: str) -> dict[str, Any]:
    return {"metadata": {"name": "payments", "namespace": namespace}, "spec": HEALING}


async def test_the_application_is_read() -> None:
    reads = Reads(application("argocd"))
    (found,) = await keepers(TRACKED, CART, reads)
    assert reads.asked == [(APPLICATIONS, "", {"fieldSelector": "metadata.name=payments"})]
    assert (found.reverts, found.namespace) == (True, "argocd")
    assert "about 5 s" in found.sentence


@pytest.mark.parametrize(
    "reads",
    [
        Reads(),
        Reads(application("one"), application("two")),
        Reads(problem=Problem(SafeText("you may not"), 403)),
    ],
)
async def test_what_cannot_be_read_stays_open(reads: Reads) -> None:
    (found,) = await keepers(TRACKED, CART, reads)
    assert (found.reverts, found.suspend) == (None, None)
    assert "may undo" in found.sentence


async def test_nobody_is_asked_about_what_nobody_keeps() -> None:
    reads = Reads()
    assert await keepers({"metadata": {}}, CART, reads) == ()
    helm = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "web"}}
    assert len(await keepers({"metadata": helm}, CART, reads)) == 1
    assert reads.asked == []


async def test_what_a_controller_has_is_refused_for_its_owner() -> None:
    owner = {"kind": "Rollout", "name": "cart", "controller": True}
    hands: Any = Reads()
    with pytest.raises(Refused, match=r"Rollout cart controls it.*act on that instead"):
        await check_keepers({"metadata": {"ownerReferences": [owner]}}, Target(CART, DEPLOYMENTS), hands)
    assert not hands.asked


async def _quiet(_progress: Progress) -> None:
    return


class Kept:
    """Hands on a Deployment that an application keeps, which takes every dry run."""

    context, who, clock = "prod", "alice@one", ManualClock()

    def __init__(self, **policy: Any) -> None:
        about = {**TRACKED["metadata"], "name": "cart", "namespace": "shop", "uid": "u1", "resourceVersion": "7"}
        self.workload = {"metadata": about, "spec": {"template": {"spec": {"containers": []}}}}
        self.keeper = application("argocd")
        self.keeper["spec"] = {"syncPolicy": policy}
        self.other: dict[str, Any] = {}

    async def get(self, *_: Any) -> dict[str, Any]:
        return self.workload

    async def find(self, resource: Resource, namespace: str = "", **_: str) -> Sequence[dict[str, Any]]:
        return [self.keeper] if resource == APPLICATIONS else [self.other] if self.other else []

    async def send(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}


async def test_holding_off_says_all_that_it_is_held_off_from_and_its_command_names_the_keeper() -> None:
    hands: Any = Kept(automated={"prune": True, "selfHeal": True})
    plan = await SuspendGitOps().plan(Target(CART, DEPLOYMENTS), {}, hands)
    assert plan.command.startswith("-n argocd patch applications.argoproj.io payments --type merge ")
    assert "off all that Argo CD payments keeps, not this object alone" in [one.text for one in plan.facts]
    assert plan.undo is not None
    hands.keeper["spec"] = {"syncPolicy": {}}
    again = await ResumeGitOps().plan(Target(CART, DEPLOYMENTS), plan.undo.parameters, hands)
    assert b'"prune":true' in again.writes[0].body
    assert all(len(one.label) < LABEL_CELLS for one in (*plan.facts, *again.facts))


async def test_what_somebody_else_let_work_again_is_left_as_they_have_it() -> None:
    hands: Any = Kept(automated={"prune": True})
    plan = await SuspendGitOps().plan(Target(CART, DEPLOYMENTS), {}, hands)
    assert plan.undo is not None
    hands.keeper["spec"] = {"syncPolicy": {"automated": {"selfHeal": True}}}
    again = await ResumeGitOps().plan(Target(CART, DEPLOYMENTS), plan.undo.parameters, hands)
    assert (again.writes, again.command) == ((), "-n argocd get applications.argoproj.io payments")
    assert "works again already" in again.facts[0].text
    ended = await ResumeGitOps().verify(again, hands, _quiet)
    assert ended.outcome is Outcome.OK


async def test_one_keeper_of_two_is_held_off_and_let_go_by_itself() -> None:
    hands: Any = Kept(automated={"prune": True})
    hands.workload["metadata"]["labels"] = {
        "kustomize.toolkit.fluxcd.io/name": "shop",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    hands.other = {"metadata": {"name": "shop", "namespace": "flux-system"}, "spec": {}}
    first = await SuspendGitOps().plan(Target(CART, DEPLOYMENTS), {}, hands)
    assert (await SuspendGitOps().verify(first, hands, _quiet)).outcome is Outcome.FAILED, "it works on"
    hands.keeper["spec"] = {"syncPolicy": {}}
    assert (await SuspendGitOps().verify(first, hands, _quiet)).outcome is Outcome.OK, "the other one works on"
    second = await SuspendGitOps().plan(Target(CART, DEPLOYMENTS), {}, hands)
    assert {first.title, second.title} == {"Hold off Argo CD payments", "Hold off Flux Kustomization shop"}
    assert first.undo is not None
    again = await ResumeGitOps().plan(Target(CART, DEPLOYMENTS), first.undo.parameters, hands)
    assert again.writes, "that the other one works is not that this one does"
    assert (await ResumeGitOps().verify(again, hands, _quiet)).outcome is Outcome.FAILED


def test_a_title_keeps_the_capitals_of_names() -> None:
    assert BY_ID["suspend-gitops"].title == "Hold GitOps off"
