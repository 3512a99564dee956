"""Finds who else keeps an object as it is, what they will make of a change by hand, and how to hold them off cleanly.

Sources: Argo CD docs "Resource Tracking" and "Automated Sync Policy"; Flux docs of Kustomization and HelmRelease; Helm
docs "Labels and Annotations". Everything here is read from documents: it asks no server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, structs

from services.kubernetes.decode_workloads import TRACKING
from services.kubernetes.writing import spec_digest
from services.model.action import Write
from services.model.ref import Ref, Resource
from services.model.text import SafeText
from services.model.workload import Workload
from services.sanitize import safe_text

APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
KUSTOMIZATIONS = Resource("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization")
HELMRELEASES = Resource("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")

INSTANCE = "argocd.argoproj.io/instance"
ARGO_WRITES = "argocd-controller"
"""The field manager of Argo CD."""

LEFT_ALONE = {
    "kustomize.toolkit.fluxcd.io/reconcile": frozenset({"disabled"}),
    "kustomize.toolkit.fluxcd.io/ssa": frozenset({"Ignore", "IfNotPresent"}),
}
OURS = frozenset({"quarterdeck", "kubectl", "kubectl-client-side-apply", "kubectl-rollout", "kube-controller-manager"})
_TRACKED = re.compile(r"(?P<app>[^:]+):(?P<group>[^/]*)/(?P<kind>[^:]+):(?P<namespace>[^/]*)/(?P<name>.+)")

Document = Mapping[str, Any]


class Keeper(StrEnum):
    """What kind of thing keeps an object."""

    CONTROLLER = "controller"
    ARGO_CD = "Argo CD"
    FLUX_KUSTOMIZE = "Flux Kustomization"
    FLUX_HELM = "Flux HelmRelease"
    HELM = "Helm"
    OTHER = "field manager"


HOLDABLE = frozenset({Keeper.ARGO_CD, Keeper.FLUX_KUSTOMIZE, Keeper.FLUX_HELM})
"""Keepers that can be held off, unless their own documents say otherwise."""


class Ownership(Struct, frozen=True):
    """One keeper of an object: what it is called, and what it will do to a change by hand.

    `resource` is the kind of the document that says more (None where there is none); its `namespace` is "" where only
    its name is known. `refuses`: a change makes no sense, act on the keeper. `reverts`: it will be undone, None where
    that is not known yet. `suspend` and `resume` are the clean way to hold it off, and to put that back.
    """

    keeper: Keeper
    name: str
    namespace: str
    sentence: SafeText
    resource: Resource | None = None
    refuses: bool = False
    reverts: bool | None = None
    suspend: Write | None = None
    resume: Write | None = None

    @property
    def badge(self) -> SafeText:
        """A few words for a row: "Argo CD: payments"."""
        return safe_text(f"{self.keeper.value}: {self.name}" if self.name else self.keeper.value)


def owners(document: Document, ref: Ref) -> tuple[Ownership, ...]:
    """Return who keeps an object, the strongest first, from its own metadata alone; () for nobody."""
    metadata = _object(document.get("metadata"))
    labels, annotations = _object(metadata.get("labels")), _object(metadata.get("annotations"))
    found = [*_controllers(metadata), *_argo(metadata, labels, annotations, ref), *_flux(labels, annotations)]
    if not any(one.keeper is Keeper.FLUX_HELM for one in found):
        found += _helm(labels, annotations)
    return tuple(found) or tuple(_appliers(metadata))


def kept_by_gitops(workload: Workload) -> bool:
    """Tell whether Argo CD or Flux is known to keep a workload, from what the row of it says."""
    labels = dict(one.partition("=")[::2] for one in workload.labels)
    managers = [workload.changed_by, workload.scaled_by]
    managers += [ARGO_WRITES] if INSTANCE in labels else []
    metadata = {
        "labels": labels,
        "annotations": {TRACKING: workload.tracking},
        "managedFields": [{"manager": one} for one in managers],
    }
    return any(one.keeper in HOLDABLE for one in owners({"metadata": metadata}, workload.ref))


def known(ownership: Ownership, document: Document, *, held: bool = True) -> Ownership:
    """Return what is known of a keeper once its own document was read: what it will do, and how to hold it off.

    `document` is the Application, Kustomization or HelmRelease. `held` False leaves out the way to hold it off.
    """
    match ownership.keeper:
        case Keeper.ARGO_CD:
            told = _argo_policy(ownership, document)
        case Keeper.FLUX_KUSTOMIZE | Keeper.FLUX_HELM:
            told = _flux_policy(ownership, document)
        case _:
            return ownership
    namespace = str(_at(document, "metadata", "namespace") or ownership.namespace)
    told = structs.replace(told, namespace=namespace)
    return told if held else structs.replace(told, suspend=None, resume=None)


def keeper_among(ownership: Ownership, documents: Sequence[Document]) -> Document | None:
    """Return the one document of these that is the keeper, None where none or several could be."""
    found = [
        one
        for one in documents
        if _at(one, "metadata", "name") == ownership.name
        and ownership.namespace in {"", _at(one, "metadata", "namespace")}
    ]
    return found[0] if len(found) == 1 else None


def _controllers(metadata: Document) -> Iterator[Ownership]:
    for owner in _entries(metadata.get("ownerReferences")):
        if owner.get("controller"):
            kind, name = str(owner.get("kind") or ""), str(owner.get("name") or "")
            yield Ownership(
                Keeper.CONTROLLER,
                f"{kind} {name}",
                str(metadata.get("namespace") or ""),
                safe_text(f"{kind} {name} controls it and would undo the change at once: act on that instead."),
                refuses=True,
                reverts=True,
            )


def _argo(metadata: Document, labels: Document, annotations: Document, ref: Ref) -> Iterator[Ownership]:
    """Tell an application by its tracking id, which must speak of this very object: copies of it prove nothing."""
    tracked = _TRACKED.fullmatch(str(annotations.get(TRACKING) or ""))
    own = (ref.group, ref.kind, ref.namespace, ref.name)
    if tracked and own == (tracked["group"], tracked["kind"], tracked["namespace"], tracked["name"]):
        namespace, parted, name = tracked["app"].partition("_")
        yield _managed(Keeper.ARGO_CD, name if parted else tracked["app"], namespace if parted else "", APPLICATIONS)
        return
    instance = labels.get(INSTANCE) or labels.get("app.kubernetes.io/instance")
    if instance and ARGO_WRITES in _managers(metadata):
        yield _managed(Keeper.ARGO_CD, str(instance), "", APPLICATIONS)


def _flux(labels: Document, annotations: Document) -> Iterator[Ownership]:
    for keeper, group, resource in (
        (Keeper.FLUX_KUSTOMIZE, "kustomize.toolkit.fluxcd.io", KUSTOMIZATIONS),
        (Keeper.FLUX_HELM, "helm.toolkit.fluxcd.io", HELMRELEASES),
    ):
        name = labels.get(f"{group}/name")
        if not name:
            continue
        made = _managed(keeper, str(name), str(labels.get(f"{group}/namespace") or ""), resource)
        left = [key for key, values in LEFT_ALONE.items() if annotations.get(key) in values]
        if left and keeper is Keeper.FLUX_KUSTOMIZE:
            words = f"{keeper.value} {name} made it, and leaves it alone ({left[0]}: {annotations[left[0]]})."
            made = structs.replace(made, reverts=False, resource=None, sentence=safe_text(words))
        yield made


def _helm(labels: Document, annotations: Document) -> Iterator[Ownership]:
    release = annotations.get("meta.helm.sh/release-name")
    if labels.get("app.kubernetes.io/managed-by") == "Helm" and release:
        yield Ownership(
            Keeper.HELM,
            str(release),
            str(annotations.get("meta.helm.sh/release-namespace") or ""),
            safe_text(f"Helm release {release} made it: the next upgrade of the release goes over the change."),
            reverts=False,
        )


def _appliers(metadata: Document) -> Iterator[Ownership]:
    """Tell who else applies the pod template (server-side apply), where nothing says more."""
    for entry in _entries(metadata.get("managedFields")):
        fields = _object(_object(entry.get("fieldsV1")).get("f:spec"))
        manager = str(entry.get("manager") or "")
        if entry.get("operation") == "Apply" and "f:template" in fields and manager not in OURS:
            words = f"{manager} applies its pod template: its next apply goes over the change."
            yield Ownership(Keeper.OTHER, manager, "", safe_text(words))


def _managed(keeper: Keeper, name: str, namespace: str, resource: Resource) -> Ownership:
    words = f"{keeper.value} keeps it as {_called(keeper, name)} says: it may undo the change."
    return Ownership(keeper, name, namespace, safe_text(words), resource)


def _called(keeper: Keeper, name: str) -> str:
    return f"application {name}" if keeper is Keeper.ARGO_CD else name


def _argo_policy(ownership: Ownership, document: Document) -> Ownership:
    """Say what an Application's sync policy means; only what nobody else would put back can be held off."""
    policy = _at(document, "spec", "syncPolicy", "automated")
    name = f"Argo CD (application {ownership.name})"
    if not isinstance(policy, Mapping) or policy.get("enabled") is False:
        words = f"{name} shows it as out of sync; the next sync by hand undoes it."
        return structs.replace(ownership, reverts=False, sentence=safe_text(words))
    if policy.get("selfHeal"):
        words = f"{name} will undo it in about 5 s."
    else:
        words = f"{name} leaves it until the next commit or parameter change, and then undoes it."
    owner = next((one for one in _entries(_at(document, "metadata", "ownerReferences")) if one.get("controller")), None)
    parent = owner or TRACKING in _object(_at(document, "metadata", "annotations"))
    told = structs.replace(ownership, reverts=bool(policy.get("selfHeal")))
    if parent:
        held = "its sync policy is itself kept by another, so it cannot be held off from here: change it in Git."
        return structs.replace(told, sentence=safe_text(f"{words[:-1]}; {held}"))
    off, on = {"spec": {"syncPolicy": {"automated": None}}}, {"spec": {"syncPolicy": {"automated": dict(policy)}}}
    return structs.replace(
        told,
        sentence=safe_text(words),
        suspend=_patch(document, APPLICATIONS, off, f"suspend auto-sync of application {ownership.name}"),
        resume=_patch(document, APPLICATIONS, on, f"resume auto-sync of application {ownership.name}", again=True),
    )


def _flux_policy(ownership: Ownership, document: Document) -> Ownership:
    """Say what a Kustomization or HelmRelease will do; a HelmRelease corrects drift only where it is told to."""
    resource, name = ownership.resource, f"{ownership.keeper.value} {ownership.name}"
    if resource is None:
        return ownership
    if _at(document, "spec", "suspend"):
        words = f"{name} is suspended: nothing undoes it until that is resumed."
        return structs.replace(ownership, reverts=False, sentence=safe_text(words))
    every = str(_at(document, "spec", "interval") or "its interval")
    drift = _at(document, "spec", "driftDetection", "mode")
    if ownership.keeper is Keeper.FLUX_HELM and drift != "enabled":
        words = f"{name} does not correct drift: the next upgrade of the release goes over the change."
        return structs.replace(ownership, reverts=False, sentence=safe_text(words))
    words = f"{name} will undo what differs from Git within {every}."
    return structs.replace(
        ownership,
        reverts=True,
        sentence=safe_text(words),
        suspend=_patch(document, resource, {"spec": {"suspend": True}}, f"suspend {name}"),
        resume=_patch(document, resource, {"spec": {"suspend": None}}, f"resume {name}", again=True),
    )


def _patch(document: Document, resource: Resource, body: object, what: str, *, again: bool = False) -> Write:
    """Return a merge patch of the keeper as it was read; `again` for later, when only its identity is the same."""
    metadata = _object(document.get("metadata"))
    version = str(document.get("apiVersion") or resource.api_version).rpartition("/")[2]
    served = Resource(resource.group, version, resource.plural, resource.kind, resource.namespaced)
    return Write(
        "PATCH",
        served.path(str(metadata.get("namespace") or ""), str(metadata.get("name") or "")),
        what,
        msgspec.json.encode(body),
        "application/merge-patch+json",
        uid=str(metadata.get("uid") or ""),
        resource_version="" if again else str(metadata.get("resourceVersion") or ""),
        spec="" if again else spec_digest(document),
    )


def _managers(metadata: Document) -> set[str]:
    return {str(entry.get("manager") or "") for entry in _entries(metadata.get("managedFields"))}


def _at(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _object(value: object) -> Document:
    return value if isinstance(value, Mapping) else {}


def _entries(value: object) -> list[Document]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
