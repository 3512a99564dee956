"""What a keeper will do is asked where it may be asked, and left open where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.actions.keepers import check_keepers
from services.actions.spec import Refused
from services.errors import Problem
from services.kubernetes.gitops import APPLICATIONS
from services.kubernetes.keepers import keepers
from services.model.action import Target
from services.model.ref import DEPLOYMENTS, Ref, Resource
from services.model.text import SafeText

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
