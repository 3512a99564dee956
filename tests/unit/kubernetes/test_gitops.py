"""Who keeps an object is told by what proves it, with what they will do, and the clean way to hold them off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.actions.keepers import SuspendGitOps
from services.kubernetes.decode import decode_list
from services.kubernetes.diagnosis import diagnose
from services.kubernetes.gitops import APPLICATIONS, KUSTOMIZATIONS, Keeper, keeper_among, known, owners
from services.kubernetes.writing import spec_digest
from services.model.ref import ARGO_ROLLOUTS, DEPLOYMENTS, Ref, Resource
from services.model.workload import Rollout, Workload
from services.ports import Snapshot

CART = Ref("c", "apps", "Deployment", "shop", "cart", "u1")
OWN = "payments:apps/Deployment:shop/cart"
TRACK = "argocd.argoproj.io/tracking-id"
KUSTOMIZE, HELM = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
FLUX = {f"{KUSTOMIZE}/name": "apps", f"{KUSTOMIZE}/namespace": "flux-system"}
RELEASE = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
BY_HELM = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "web"}


def document(
    labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **metadata: Any
) -> dict[str, Any]:
    return {"metadata": {"name": "cart", "labels": labels or {}, "annotations": annotations or {}, **metadata}}


def wrote(manager: str, operation: str = "Update") -> dict[str, Any]:
    fields = {"f:spec": {"f:template": {}}}
    return {"managedFields": [{"manager": manager, "operation": operation, "fieldsV1": fields}]}


@pytest.mark.parametrize(
    ("given", "keepers"),
    [
        (document(), []),
        (document(annotations={TRACK: OWN}), [(Keeper.ARGO_CD, "payments", "")]),
        (document(annotations={TRACK: f"team-a_{OWN}"}), [(Keeper.ARGO_CD, "payments", "team-a")]),
        # copied from another object
        (document(annotations={TRACK: "payments:apps/Deployment:shop/other"}), []),
        (document(annotations={TRACK: "nonsense"}), []),
        # every chart sets that label: it proves nothing by itself
        (document({"app.kubernetes.io/instance": "payments"}), []),
        (
            document({"app.kubernetes.io/instance": "payments"}, **wrote("argocd-controller")),
            [(Keeper.ARGO_CD, "payments", "")],
        ),
        (document(FLUX), [(Keeper.FLUX_KUSTOMIZE, "apps", "flux-system")]),
        (
            document({f"{HELM}/name": "web", f"{HELM}/namespace": "shop", **BY_HELM}, RELEASE),
            [(Keeper.FLUX_HELM, "web", "shop")],
        ),
        (document(BY_HELM, RELEASE), [(Keeper.HELM, "web", "shop")]),
        (document(BY_HELM), []),
        (document(BY_HELM, RELEASE | {TRACK: OWN}), [(Keeper.ARGO_CD, "payments", ""), (Keeper.HELM, "web", "shop")]),
        (
            document(ownerReferences=[{"controller": True, "kind": "Rollout", "name": "cart"}]),
            [(Keeper.CONTROLLER, "Rollout cart", "")],
        ),
        (document(ownerReferences=[{"kind": "Rollout", "name": "cart"}]), []),
        (document(**wrote("terraform", "Apply")), [(Keeper.OTHER, "terraform", "")]),
        (document(**wrote("kubectl", "Apply")), []),
        (document(**wrote("terraform")), []),
    ],
)
def test_who_keeps_an_object(given: Any, keepers: list[tuple[Keeper, str, str]]) -> None:
    found = owners(given, CART)
    assert [(one.keeper, one.name, one.namespace) for one in found] == keepers
    assert all(one.sentence.endswith(".") for one in found)
    assert [one.refuses for one in found] == [keeper is Keeper.CONTROLLER for keeper, *_ in keepers]


def application(policy: Any = None, **metadata: Any) -> dict[str, Any]:
    sync = {"automated": policy} if policy is not None else {}
    about = {"name": "payments", "namespace": "argocd", "uid": "a1", "resourceVersion": "9", **metadata}
    return {"apiVersion": "argoproj.io/v1alpha1", "metadata": about, "spec": {"syncPolicy": sync}}


HEAL = {"prune": True, "selfHeal": True}


@pytest.mark.parametrize(
    ("keeper", "reverts", "words", "held"),
    [
        (application(HEAL), True, "Argo CD (application payments) will undo it in about 5 s.", True),
        (application({"prune": True}), False, "until the next commit or parameter change", True),
        (application(), False, "the next sync by hand undoes it", False),
        (application(HEAL | {"enabled": False}), False, "the next sync by hand undoes it", False),
        (
            application(HEAL, ownerReferences=[{"controller": True, "kind": "ApplicationSet", "name": "all"}]),
            True,
            "cannot be held off from here",
            False,
        ),
        (application(HEAL, annotations={TRACK: "root:..."}), True, "cannot be held off from here", False),
    ],
)
def test_what_argo_cd_will_do(keeper: Any, reverts: bool, words: str, held: bool) -> None:
    (found,) = owners(document(annotations={TRACK: OWN}), CART)
    assert (found.reverts, found.suspend) == (None, None)  # not known yet
    told = known(found, keeper)
    assert (told.reverts, told.namespace) == (reverts, "argocd")
    assert words in told.sentence
    assert bool(told.suspend) is bool(told.resume) is held
    assert known(found, keeper, held=False).suspend is None


def test_holding_argo_cd_off_and_putting_it_back() -> None:
    (found,) = owners(document(annotations={TRACK: OWN}), CART)
    keeper = application(HEAL)
    told = known(found, keeper)
    assert told.suspend is not None
    assert told.resume is not None
    assert told.suspend.path == APPLICATIONS.path("argocd", "payments")
    assert json.loads(told.suspend.body) == {"spec": {"syncPolicy": {"automated": None}}}
    assert json.loads(told.resume.body) == {"spec": {"syncPolicy": {"automated": HEAL}}}
    assert (told.suspend.uid, told.suspend.resource_version, told.suspend.spec) == ("a1", "9", spec_digest(keeper))
    assert (told.resume.uid, told.resume.resource_version, told.resume.spec) == ("a1", "", "")


def flux(kind: str, **spec: Any) -> dict[str, Any]:
    version = f"{KUSTOMIZE}/v1" if kind == "Kustomization" else f"{HELM}/v2"
    about = {"name": "apps", "namespace": "flux-system", "uid": "k1", "resourceVersion": "4"}
    return {"apiVersion": version, "kind": kind, "metadata": about, "spec": {"interval": "10m", **spec}}


@pytest.mark.parametrize(
    ("labels", "keeper", "reverts", "words"),
    [
        (FLUX, flux("Kustomization"), True, "within 10m"),
        (FLUX, flux("Kustomization", suspend=True), False, "is suspended"),
        ({f"{HELM}/name": "apps"}, flux("HelmRelease"), False, "does not correct drift"),
        ({f"{HELM}/name": "apps"}, flux("HelmRelease", driftDetection={"mode": "warn"}), False, "does not correct"),
        ({f"{HELM}/name": "apps"}, flux("HelmRelease", driftDetection={"mode": "enabled"}), True, "within 10m"),
    ],
)
def test_what_flux_will_do(labels: dict[str, str], keeper: Any, reverts: bool, words: str) -> None:
    (found,) = owners(document(labels), CART)
    told = known(found, keeper)
    assert told.reverts is reverts
    assert words in told.sentence
    assert bool(told.suspend) is reverts
    if told.suspend is not None and told.resume is not None:
        assert json.loads(told.suspend.body) == {"spec": {"suspend": True}}
        assert json.loads(told.resume.body) == {"spec": {"suspend": None}}


@pytest.mark.parametrize("annotation", [{f"{KUSTOMIZE}/reconcile": "disabled"}, {f"{KUSTOMIZE}/ssa": "Ignore"}])
def test_what_flux_was_told_to_leave_alone(annotation: dict[str, str]) -> None:
    (found,) = owners(document(FLUX, annotation), CART)
    assert (found.reverts, found.resource) == (False, None)
    assert "leaves it alone" in found.sentence


def test_the_keeper_is_found_only_where_there_is_one() -> None:
    (found,) = owners(document(annotations={TRACK: OWN}), CART)
    one, other = application(), application(namespace="team-b")
    assert keeper_among(found, [one]) is one
    assert keeper_among(found, [one, other]) is None
    assert keeper_among(found, []) is None
    (flux_own,) = owners(document(FLUX), CART)
    assert keeper_among(flux_own, [flux("Kustomization")]) is not None
    assert flux_own.resource == KUSTOMIZATIONS


def test_hostile_names_are_made_safe() -> None:
    (found,) = owners(document({f"{KUSTOMIZE}/name": "a\x1b[2Jb"}), CART)
    assert "\x1b" not in found.sentence + found.badge


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        (document(), False),
        (document(annotations={TRACK: OWN}), True),
        (document(annotations={TRACK: "payments:apps/Deployment:shop/other"}), False),
        (document({"app.kubernetes.io/instance": "payments"}), False),
        (document({"app.kubernetes.io/instance": "payments"}, **wrote("argocd-controller")), True),
        (document({"argocd.argoproj.io/instance": "payments"}, **wrote("kubectl-edit")), True),
        (document(FLUX), True),
        (document(BY_HELM, RELEASE), False),
    ],
)
def test_holding_off_is_offered_where_something_was_found_to_hold_off(given: dict[str, Any], offered: bool) -> None:
    metadata = {**given["metadata"], "namespace": "shop", "uid": "u1"}
    body = json.dumps({"metadata": {}, "items": [{**given, "metadata": metadata}]}).encode()
    (workload,) = decode_list(DEPLOYMENTS.table, body, "c").rows.values()
    assert isinstance(workload, Workload)
    rows = {"rollouts": {"Deployment/shop/cart": diagnose(workload, (), (), 0.0)}}
    why = SuspendGitOps().available(workload, Snapshot(0, rows, {}))
    assert why == ("" if offered else "neither Argo CD nor Flux was found to keep it")


def test_a_rollout_is_kept_by_who_keeps_the_deployment_that_it_follows() -> None:
    def row(kind: Resource, name: str, labels: dict[str, str], **spec: Any) -> Rollout:
        metadata = {"name": name, "namespace": "shop", "uid": name, "labels": labels}
        body = json.dumps({"metadata": {}, "items": [{"metadata": metadata, "spec": spec}]}).encode()
        (workload,) = decode_list(kind.table, body, "c").rows.values()
        assert isinstance(workload, Workload)
        return diagnose(workload, (), (), 0.0)

    follows = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart-app"}}
    rollout = row(ARGO_ROLLOUTS, "cart", {}, **follows)
    for labels, offered in (({}, False), (FLUX, True)):
        rows = {"Rollout/shop/cart": rollout, "Deployment/shop/cart-app": row(DEPLOYMENTS, "cart-app", labels)}
        assert (SuspendGitOps().available(rollout, Snapshot(0, {"rollouts": rows}, {})) == "") is offered
