"""What GitOps keeps is held off and let go again on a real API server: the keeper's own object, guarded, recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.model.action import Outcome
from services.model.ref import DEPLOYMENTS, Resource
from tests.contract.consoles import Operator, changed, merge, operator
from tests.contract.watched import apply
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane

APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
AUTOMATED = {"prune": True, "selfHeal": True}


@pytest.fixture(scope="module")
def argo(plane: ControlPlane) -> Iterator[None]:
    """The kind of Argo CD's applications, without its controller."""
    if plane.kubectl("get", "crd", "applications.argoproj.io", check=False).returncode == 0:
        yield
        return
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "applications", "singular": "application", "kind": "Application"}
    spec = {"group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [version]}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    made = json.dumps(kind | {"metadata": {"name": "applications.argoproj.io"}, "spec": spec})
    plane.kubectl("apply", "-f", "-", stdin=made)
    plane.kubectl("wait", "--for=condition=Established", "crd/applications.argoproj.io", "--timeout=180s")
    yield
    plane.kubectl("delete", "crd", "applications.argoproj.io", "--wait=false")


@pytest.fixture
async def alice(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator(plane, tmp_path) as made:
        yield made


async def test_what_undoes_a_change_is_held_off_and_works_again(
    alice: Operator, plane: ControlPlane, namespace: str, argo: None
) -> None:
    template = manifests.pod_template("web", "registry.example/shop/web:1")
    web = manifests.workload("Deployment", namespace, "web", template, replicas=0)
    tracked = f"{namespace}:apps/Deployment:{namespace}/web"
    web["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = tracked
    about = {"name": namespace, "namespace": namespace}
    application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": about}
    await apply(plane, web, application | {"spec": {"syncPolicy": {"automated": AUTOMATED}}})
    target = await alice.target(DEPLOYMENTS, namespace, "web")

    plan = await alice.plan("suspend-gitops", target)
    path = f"{APPLICATIONS.path(namespace)}/{namespace}"
    await merge(plane, path, {"spec": {"syncPolicy": {"automated": {"prune": False}}}})
    ended = await alice.confirm(plan)
    assert ended.outcome is Outcome.CANCELLED, ended
    assert changed(plane, path, 0) == []
    await merge(plane, path, {"spec": {"syncPolicy": {"automated": AUTOMATED}}})

    ended = await alice.does("suspend-gitops", target)
    held = await alice.hands.get(APPLICATIONS, namespace, namespace)
    assert not (held["spec"].get("syncPolicy") or {}).get("automated")
    assert [one for one in changed(plane, path, 1) if one[2] < 400] == [("patch", "applications", 200)]
    assert ended.undo is not None
    assert ended.undo.action == "resume-gitops"
    await alice.undoes(ended)
    found = await alice.hands.get(APPLICATIONS, namespace, namespace)
    assert found["spec"]["syncPolicy"]["automated"] == AUTOMATED
