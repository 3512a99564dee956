"""Another image goes into the one place that names it: the container, its list, the object that has the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from services.actions.following import locked_as, taken_over, written
from services.actions.image import SetImage
from services.actions.spec import Document, Refused
from services.errors import Problem
from services.kubernetes.lease import spot_of
from services.model.action import Target, Write
from services.model.ref import ARGO_ROLLOUTS, DEPLOYMENTS, Ref, Resource
from services.sanitize import safe_text
from tests.unit.actions.stage import StageHands, World

OLD, NEW = "registry.example/cart:1", "registry.example/cart:2"
FOLLOWS = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}}


def aimed(resource: Resource) -> Target:
    return Target(Ref("c", resource.group, resource.kind, "shop", "cart", f"u-{resource.kind}"), resource)


def made(resource: Resource, **spec: Any) -> Document:
    template = {
        "spec": {"containers": [{"name": "cart", "image": OLD}], "initContainers": [{"name": "prepare", "image": OLD}]}
    }
    metadata = {
        "name": "cart",
        "namespace": "shop",
        "uid": f"u-{resource.kind}",
        "resourceVersion": "7",
        "generation": 3,
    }
    return {"kind": resource.kind, "metadata": metadata, "spec": {"replicas": 0, "template": template, **spec}}


class Served(StageHands):
    """Has these objects, and takes every dry run."""

    def __init__(self, *documents: Document) -> None:
        super().__init__(World())
        self.documents = {one["kind"]: one for one in documents}

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        if resource.kind not in self.documents:
            raise Problem(safe_text("It is not there."), 404)
        return self.documents[resource.kind]

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        return ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        assert dry_run
        return self.documents[DEPLOYMENTS.kind if "/deployments/" in write.path else ARGO_ROLLOUTS.kind]


@pytest.mark.parametrize(("container", "place"), [("cart", "containers"), ("prepare", "initContainers")])
async def test_a_container_is_changed_in_the_list_that_it_stands_in(container: str, place: str) -> None:
    given = {"image": NEW, "container": container}
    plan = await SetImage().plan(aimed(DEPLOYMENTS), given, Served(made(DEPLOYMENTS)))
    body = {"spec": {"template": {"spec": {place: [{"name": container, "image": NEW}]}}}}
    assert msgspec.json.decode(plan.writes[0].body) == body
    # a custom resource knows no merge by name: the place is tested to be the container's
    plan = await SetImage().plan(aimed(ARGO_ROLLOUTS), given, Served(made(ARGO_ROLLOUTS)))
    pointer = f"/spec/template/spec/{place}/0"
    assert plan.writes[0].content_type == "application/json-patch+json"
    assert msgspec.json.decode(plan.writes[0].body) == [
        {"op": "test", "path": f"{pointer}/name", "value": container},
        {"op": "add", "path": f"{pointer}/image", "value": NEW},
    ]
    assert plan.command == f"argo rollouts set image cart {container}={NEW}"


async def test_a_rollout_that_follows_is_changed_where_its_template_is_written() -> None:
    rollout, deployment = made(ARGO_ROLLOUTS, **FOLLOWS), made(DEPLOYMENTS, replicas=2)
    del rollout["spec"]["template"]
    plan = await SetImage().plan(aimed(ARGO_ROLLOUTS), {"image": NEW, "container": "cart"}, Served(rollout, deployment))
    assert plan.target == aimed(ARGO_ROLLOUTS)
    assert (plan.writes[0].path, plan.writes[0].uid) == (DEPLOYMENTS.path("shop", "cart"), "u-Deployment")
    assert [one.resource for one in plan.rights] == [DEPLOYMENTS]
    said = {one.label: one.text for one in plan.facts}
    assert said["changes"] == "deployment/cart, whose template it follows"
    assert said["beside"].startswith("deployment/cart has 2 pods of its own")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (
            {"apiVersion": "v1", "kind": "PodTemplate", "name": "cart"},
            "podtemplate/cart, which is changed where it came from",
        ),
        (
            {"apiVersion": "v2", "kind": "Deployment", "name": "cart"},
            "deployment/cart, which is changed where it came from",
        ),
        (FOLLOWS["workloadRef"], "deployment shop/cart is gone"),
    ],
)
async def test_what_it_follows_and_cannot_be_changed_is_named(reference: Mapping[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        await written(aimed(ARGO_ROLLOUTS), {"spec": {"workloadRef": reference}}, Served())


@pytest.mark.parametrize(
    ("generation", "status", "taken"),
    [
        (4, {"observedGeneration": "4", "workloadObservedGeneration": "3"}, True),
        (4, {"observedGeneration": "4", "workloadObservedGeneration": "5"}, True),
        (4, {"observedGeneration": "3", "workloadObservedGeneration": "3"}, False),
        (4, {"observedGeneration": "4", "workloadObservedGeneration": "2"}, False),
        (4, {"observedGeneration": "4"}, False),
        (4, {}, False),
    ],
)
async def test_a_change_is_taken_over_once_the_controller_has_seen_both(
    generation: int, status: dict[str, str], taken: bool
) -> None:
    document = {"metadata": {"generation": generation}, "spec": FOLLOWS, "status": status}
    holder = await written(aimed(ARGO_ROLLOUTS), document, Served(made(DEPLOYMENTS)))
    assert taken_over(document, holder) is taken


@pytest.mark.parametrize(
    ("present", "given", "image"),
    [
        ("registry:5000/shop/cart:1", ":2", "registry:5000/shop/cart:2"),
        ("registry:5000/shop/cart", ":2", "registry:5000/shop/cart:2"),
        ("registry:5000/shop/cart:1@sha256:ab", ":2", "registry:5000/shop/cart:2"),
        ("cart:1", "@sha256:cd", "cart@sha256:cd"),
        ("cart:1", "other:2", "other:2"),
    ],
)
async def test_a_tag_alone_is_another_one_of_the_same_image(present: str, given: str, image: str) -> None:
    document = made(DEPLOYMENTS, template={"spec": {"containers": [{"name": "cart", "image": present}]}})
    plan = await SetImage().plan(aimed(DEPLOYMENTS), {"image": given}, Served(document))
    assert plan.parameters == {"image": image, "container": "cart"}
    again = await SetImage().plan(aimed(DEPLOYMENTS), plan.parameters, Served(document))
    assert again.digest == plan.digest


async def test_a_rollout_is_locked_as_what_it_follows() -> None:
    deployment = aimed(DEPLOYMENTS).ref
    following = made(ARGO_ROLLOUTS, **FOLLOWS)
    found = await locked_as(aimed(ARGO_ROLLOUTS).ref, Served(following))
    assert spot_of(found) == spot_of(deployment)
    assert (found.cluster, found.group, found.kind) == (deployment.cluster, deployment.group, deployment.kind)
    # one with a template of its own, one that is gone, and what is no Rollout are locked as themselves
    for ref, served in (
        (aimed(ARGO_ROLLOUTS).ref, Served(made(ARGO_ROLLOUTS))),
        (aimed(ARGO_ROLLOUTS).ref, Served()),
        (deployment, Served()),
    ):
        assert await locked_as(ref, served) == ref
