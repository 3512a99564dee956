"""What GitOps keeps is held off and let go again on a real API server: the keeper's own object, guarded, recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, structs

from services.model.action import Outcome, Undo
from services.model.ref import DEPLOYMENTS, Resource
from tests.contract.consoles import Operator, changed, merge, operator
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane

FLUX = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"
AUTOMATED = {"prune": True, "selfHeal": True}


class Kept(Struct, frozen=True):
    """A keeper: its kind, what it says of itself, what somebody else makes of that meanwhile, and what holds it off."""

    resource: Resource
    spec: dict[str, Any]
    moved: dict[str, Any]
    held: dict[str, Any]

    def marks(self, namespace: str) -> dict[str, Any]:
        """Return the metadata by which it knows what it keeps."""
        if self.resource.kind == "Application":
            tracked = f"{namespace}:apps/Deployment:{namespace}/web"
            return {"annotations": {"argocd.argoproj.io/tracking-id": tracked}}
        return {"labels": {f"{self.resource.group}/{name}": namespace for name in ("name", "namespace")}}


KEEPERS = (
    Kept(
        Resource("argoproj.io", "v1alpha1", "applications", "Application"),
        {"syncPolicy": {"automated": AUTOMATED}},
        {"syncPolicy": {"automated": {"prune": False}}},
        {"syncPolicy": {}},
    ),
    Kept(
        Resource(FLUX, "v1", "kustomizations", "Kustomization"),
        {"interval": "10m"},
        {"interval": "5m"},
        {"interval": "10m", "suspend": True},
    ),
    Kept(
        Resource(HELM, "v2", "helmreleases", "HelmRelease"),
        {"interval": "10m", "driftDetection": {"mode": "enabled"}},
        {"interval": "5m"},
        {"interval": "10m", "driftDetection": {"mode": "enabled"}, "suspend": True},
    ),
)


@pytest.fixture(scope="module")
def keepers(plane: ControlPlane) -> Iterator[None]:
    """The kinds of Argo CD and Flux, without their controllers."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    made: dict[str, str] = {}
    for kind in (one.resource for one in KEEPERS):
        version = {"name": kind.version, "served": True, "storage": True, "schema": schema}
        names = {"plural": kind.plural, "singular": kind.kind.lower(), "kind": kind.kind}
        spec = {"group": kind.group, "scope": "Namespaced", "names": names, "versions": [version]}
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
        name = f"{kind.plural}.{kind.group}"
        if plane.kubectl("get", "crd", name, check=False).returncode:
            made[f"crd/{name}"] = json.dumps(definition | {"metadata": {"name": name}})
    if made:
        plane.kubectl("apply", "-f", "-", stdin="\n---\n".join(made.values()))
        plane.kubectl("wait", "--for=condition=Established", *made, "--timeout=180s")
    yield
    if made:
        plane.kubectl("delete", *made, "--wait=false")


@pytest.fixture
async def alice(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator(plane, tmp_path) as made:
        yield made


@pytest.mark.parametrize("kept", KEEPERS, ids=lambda one: one.resource.kind)
async def test_what_undoes_a_change_is_held_off_and_works_again(
    alice: Operator, plane: ControlPlane, namespace: str, keepers: None, kept: Kept
) -> None:
    template = manifests.pod_template("web", "registry.example/shop/web:1")
    web = manifests.workload("Deployment", namespace, "web", template, replicas=0)
    for field, marks in kept.marks(namespace).items():
        web["metadata"][field] = {**web["metadata"].get(field, {}), **marks}
    kind = kept.resource
    about = {"name": namespace, "namespace": namespace}
    keeper = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": about, "spec": kept.spec}
    await apply(plane, web, keeper)
    target = await alice.target(DEPLOYMENTS, namespace, "web")

    # somebody changes the keeper between the plan and the confirmation
    plan = await alice.plan("suspend-gitops", target)
    path = kind.path(namespace, namespace)
    await merge(plane, path, {"spec": kept.moved})
    ended = await alice.confirm(plan)
    assert ended.outcome is Outcome.CANCELLED, ended
    assert changed(plane, path, 0) == []
    await merge(plane, path, {"spec": kept.spec})

    ended = await alice.does("suspend-gitops", target)
    held = await alice.hands.get(kind, namespace, namespace)
    assert held["spec"] == kept.held
    assert [one for one in changed(plane, path, 1) if one[2] < 400] == [("patch", kind.plural, 200)]
    assert ended.undo is not None
    assert ended.undo.action == "resume-gitops"

    # it is another one by now: what was found in the first is not put into it
    undo = await alice.plan("resume-gitops", target, **ended.undo.parameters)
    await kubectl(plane, "-n", namespace, "delete", f"{kind.plural}.{kind.group}", namespace, "--wait=true")
    await apply(plane, keeper | {"spec": kept.held})
    refused = await alice.confirm(undo)
    assert refused.outcome is Outcome.CANCELLED, refused
    assert (await alice.hands.get(kind, namespace, namespace))["spec"] == kept.held

    anew = await alice.hands.get(kind, namespace, namespace)
    ended = structs.replace(ended, undo=structs.replace(ended.undo, parameters=_of(ended.undo, anew)))
    await alice.undoes(ended)
    assert (await alice.hands.get(kind, namespace, namespace))["spec"] == kept.spec


def _of(undo: Undo, document: dict[str, Any]) -> dict[str, str]:
    """Return what is put back, as it would be for another object of its name."""
    return {**undo.parameters, "uid": document["metadata"]["uid"]}
