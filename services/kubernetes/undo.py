"""Decides which revision a workload goes back to and with which patch, or why not: kubectl's rules, minus its traps.

Sources: kubectl pkg/polymorphichelpers/rollback.go and history.go. On purpose unlike kubectl: without a number the
target is never just the second highest one, and annotations of the workload stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from services.errors import Problem
from services.kubernetes.history import CAUSE, HASHES, HELD_BY_REPLICASETS, INFERRED, diff_templates, revisions
from services.model.workload import Healthy, Revision
from services.sanitize import safe_text

JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Document = Mapping[str, Any]


class CannotUndo(Problem):
    """There is nothing to go back to, in kubectl's words. `skipped`: it is already as it was asked to be."""

    skipped = False


class Grounds(StrEnum):
    """Why a revision is the target: somebody named it, it was observed healthy, or the cluster's marks speak for it."""

    ASKED = "asked"
    OBSERVED = "observed healthy"
    INFERRED = "inferred"


class Part(StrEnum):
    """What of a pod template a difference is about."""

    IMAGE = "image"
    ENVIRONMENT = "environment"
    CONFIG = "config"
    OTHER = "other"


class Difference(Struct, frozen=True):
    """One field of the pod template that going back changes; "" where it is missing on a side, secrets masked."""

    part: Part
    path: str
    now: str
    then: str


class Rollback(Struct, frozen=True):
    """The way back: to which revision, on which grounds (`words` says them), by which patch, changing what.

    `overwritten` says that `kubectl apply` managed the workload: its next apply works from the newer manifest.
    """

    revision: Revision
    grounds: Grounds
    words: str
    body: bytes
    content_type: str
    differences: tuple[Difference, ...]
    overwritten: bool = False


def rollback(
    workload: Document,
    holders: Sequence[Document],
    *,
    to: int = 0,
    observed: Mapping[int, Healthy] | None = None,
    cause: str = "",
) -> Rollback:
    """Return the way back to revision `to`, or with 0 to the best one there is. Raises CannotUndo.

    `workload` is a Deployment, StatefulSet, DaemonSet or Rollout, `holders` the ReplicaSets or ControllerRevisions
    beside it, all as the server sent them. Without a number, `observed` are the revisions that were seen healthy, by
    the number they had then. `cause` becomes the Deployment's change-cause.
    """
    known = candidates(workload, holders)
    now = _present(workload, holders, known)
    if to:
        found, grounds, words = _named(known, to), Grounds.ASKED, "as asked for"
    else:
        found, grounds, words = _best(workload, now, known, observed or {})
    if _at(workload, "kind") == "Deployment" and _at(workload, "spec", "paused"):
        raise _cannot(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
        )
    holder = next(one for one in holders if _at(one, "metadata", "uid") == found.uid)
    then = _template(holder, now)
    if _plain(now) == _plain(then):
        problem = _cannot(f"skipped rollback (current template already matches revision {found.number})")
        problem.skipped = True
        raise problem
    body, content_type = _patch(workload, holder, then, cause)
    annotations = _at(workload, "metadata", "annotations") or {}
    return Rollback(found, grounds, words, body, content_type, differences(now, then), APPLIED in annotations)


def _present(workload: Document, holders: Sequence[Document], known: Sequence[Revision]) -> Document:
    """Return the present template, as revisions are compared with it.

    A Rollout's has none of the defaults that the server gives to its ReplicaSets': the present one of those stands for
    it, once the controller has seen the spec.
    """
    now: Document = _at(workload, "spec", "template") or {}
    seen = str(_at(workload, "status", "observedGeneration")) == str(_at(workload, "metadata", "generation"))
    if _at(workload, "kind") != "Rollout" or not seen:
        return now
    uid = next((one.uid for one in known if one.current), "")
    holder = next((one for one in holders if uid and _at(one, "metadata", "uid") == uid), None)
    return _template(holder, now) if holder is not None else now


def candidates(workload: Document, holders: Sequence[Document]) -> list[Revision]:
    """Return every revision that the workload itself controls, newest first; those without a number are left out."""
    raw = msgspec.json.encode({"items": list(holders)})
    return revisions(msgspec.json.encode(workload), raw, str(_at(workload, "kind") or ""))


def differences(now: Document, then: Document) -> tuple[Difference, ...]:
    """Return the fields in which two pod templates differ, images first, then environment, config and the rest."""
    found = [
        Difference(_part(one.path), one.path, one.old, one.new)
        for one in diff_templates(msgspec.json.encode(now), msgspec.json.encode(then))
        if not one.path.endswith(tuple(f"labels.{name}" for name in HASHES))
    ]
    return tuple(sorted(found, key=lambda one: list(Part).index(one.part)))


def rolled_back_from(known: Sequence[Revision]) -> frozenset[int]:
    """Return the revisions that were left by going back to an older one, whose number moved on then."""
    numbers = {one.number for one in known}
    chosen = [[*_numbers(one.was), one.number] for one in known]
    ever = sorted(numbers.union(*chosen)) if chosen else []
    left = {max((n for n in ever if n < later), default=0) for given in chosen for later in given[1:]}
    return frozenset(left & numbers)


def _named(known: Sequence[Revision], to: int) -> Revision:
    for one in known:
        if one.number == to:
            return one
    moved = next((one.number for one in known if to in _numbers(one.was)), 0)
    hint = f": its template is revision {moved} now" if moved else ""
    raise _cannot(f"unable to find specified revision {to} in history{hint}")


def _best(
    workload: Document, present: Document, known: Sequence[Revision], observed: Mapping[int, Healthy]
) -> tuple[Revision, Grounds, str]:
    now = _plain(present)
    if len([one for one in known if _plain(_decoded(one)) != now]) == 0:
        raise _cannot(_no_history(workload))
    others = [one for one in known if _unrestarted(_decoded(one)) != _unrestarted(now)]
    if not others:
        raise _cannot("every other revision is the same template, only restarted: there is nothing to go back to")
    seen = [(_until(one, observed), one.number, one) for one in others]
    healthy = [entry for entry in seen if entry[0] > 0]
    if healthy:
        return max(healthy, key=lambda entry: entry[:2])[2], Grounds.OBSERVED, "the last one observed healthy"
    marked = next((one for one in others if one.mark == INFERRED), None)
    if marked is not None:
        why = "it still has ready pods" if marked.ready else "it was chosen to go back to, or rolled out whole, before"
        why = "it is the stable one" if _at(workload, "status", "stableRS") else why
        return marked, Grounds.INFERRED, f"inferred: {why}"
    left = rolled_back_from(known)
    allowed = next((one for one in others if one.number not in left), None)
    if allowed is None:
        numbers = ", ".join(str(one.number) for one in others)
        raise _cannot(f"every other revision ({numbers}) was left by a roll-back: name the one to go back to")
    return allowed, Grounds.INFERRED, "inferred: the newest other one; nobody observed it healthy"


def _no_history(workload: Document) -> str:
    if _at(workload, "kind") in HELD_BY_REPLICASETS:
        kind = str(_at(workload, "kind")).lower()
        return f'no rollout history found for {kind} "{_at(workload, "metadata", "name")}"'
    return "no last revision to roll back to"


def _until(one: Revision, observed: Mapping[int, Healthy]) -> float:
    """Return when a revision was last seen healthy, infinity for now, 0 for never."""
    marks = [observed[number] for number in (one.number, *_numbers(one.was)) if number in observed]
    marks += [one.healthy] if one.healthy is not None else []
    return max((mark.until or float("inf") for mark in marks), default=0.0)


def _patch(workload: Document, holder: Document, template: Document, cause: str) -> tuple[bytes, str]:
    if _at(workload, "kind") not in HELD_BY_REPLICASETS:
        return msgspec.json.encode(holder.get("data")), STRATEGIC
    patch: list[dict[str, Any]] = [{"op": "replace", "path": "/spec/template", "value": template}]
    if cause and _at(workload, "kind") == "Deployment":
        if not _at(workload, "metadata", "annotations"):
            patch.append({"op": "add", "path": "/metadata/annotations", "value": {}})
        pointer = CAUSE.replace("~", "~0").replace("/", "~1")
        patch.append({"op": "add", "path": f"/metadata/annotations/{pointer}", "value": cause})
    return msgspec.json.encode(patch), JSON_PATCH


def _template(holder: Document, now: Document) -> dict[str, Any]:
    """Return a holder's pod template as it was written, without what the controller added to it."""
    held = _at(holder, "data", "spec", "template") if "data" in holder else _at(holder, "spec", "template")
    template = {name: value for name, value in dict(held or now).items() if name != "$patch"}
    labels = dict(_at(template, "metadata", "labels") or {})
    if not labels.keys().isdisjoint(HASHES):
        kept = {name: value for name, value in labels.items() if name not in HASHES}
        template["metadata"] = {**template["metadata"], "labels": kept}
    return template


def _plain(template: Document) -> Document:
    """Return a template without what tells nothing apart: the hash label, and fields that are null or empty."""
    plain: Document = _without_nulls(_template({"spec": {"template": template}}, {}))
    return plain


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        kept = {name: _without_nulls(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, {}, [])}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _unrestarted(template: Document) -> Document:
    annotations = {
        name: value for name, value in (_at(template, "metadata", "annotations") or {}).items() if name != RESTARTED
    }
    return _plain({**template, "metadata": {**(template.get("metadata") or {}), "annotations": annotations}})


def _decoded(one: Revision) -> dict[str, Any]:
    return msgspec.json.decode(one.template, type=dict[str, Any]) if one.template else {}


def _part(path: str) -> Part:
    if path.endswith(".image"):
        return Part.IMAGE
    if ".env[" in path or ".envFrom" in path:
        return Part.ENVIRONMENT
    return Part.CONFIG if "volumes[" in path or ".volumeMounts" in path else Part.OTHER


def _numbers(history: str) -> list[int]:
    return [int(part) for part in history.split(",") if part.strip().isdecimal()]


def _cannot(sentence: str) -> CannotUndo:
    return CannotUndo(safe_text(sentence))


def _at(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
