"""What every action does first: read the very object that was shown, and see what the server would make of a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.actions.spec import Document, Hands, Refused
from services.errors import Problem
from services.kubernetes.history import diff_templates
from services.kubernetes.writing import WriteFault, WriteProblem, digest_for
from services.model.action import Edit, Fact, Target, Write
from services.model.severity import Severity
from services.sanitize import safe_text

UNSEEN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
"""Metadata that every change moves, and that nobody asked for."""

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def spoken(target: Target) -> str:
    """Return the object as sentences name it: "deployment shop/cart"."""
    return f"{target.ref.kind.lower()} {target.ref.key}"


def slashed(target: Target) -> str:
    """Return the object as commands name it: "deployment/cart"."""
    return f"{target.ref.kind.lower()}/{target.ref.name}"


async def fetch(target: Target, hands: Hands) -> Document:
    """Return the object as it is on the server now. Raises Refused where it is no longer the one that was shown."""
    ref = target.ref
    try:
        document = await hands.get(target.resource, ref.namespace, ref.name)
    except Problem as problem:
        if problem.status == 404:
            raise Refused(safe_text(f"{spoken(target)} is gone: nothing was changed."), 404) from None
        raise
    uid = str(at(document, "metadata", "uid") or "")
    if ref.uid and uid != ref.uid:
        raise Refused(
            safe_text(f"{spoken(target)} was deleted and made anew since it was shown: look again before you act.")
        )
    return document


def check_owner(document: Document, target: Target) -> None:
    """Refuse an object that a controller would put back at once. Raises Refused."""
    for owner in entries(at(document, "metadata", "ownerReferences")):
        if owner.get("controller"):
            whose = f"{owner.get('kind', '')} {owner.get('name', '')}"
            raise Refused(safe_text(f"{spoken(target)} is managed by {whose}, which would undo it: act on {whose}."))


def patch(target: Target, document: Document, body: object, content_type: str = MERGE, subresource: str = "") -> Write:
    """Return a patch of the object as it was read: its uid, version and spec are the preconditions."""
    ref = target.ref
    path, encoded = target.resource.path(ref.namespace, ref.name, subresource), msgspec.json.encode(body)
    return Write(
        method="PATCH",
        path=path,
        what=f"change {spoken(target)}",
        body=encoded,
        content_type=content_type,
        uid=str(at(document, "metadata", "uid") or ""),
        resource_version=str(at(document, "metadata", "resourceVersion") or ""),
        spec=digest_for(path, encoded, document),
    )


async def rehearse(write: Write, before: Document, hands: Hands) -> tuple[tuple[Edit, ...], tuple[Fact, ...]]:
    """Ask the server to do it without doing it: what would change, and the warning where it cannot be asked.

    Raises Problem where the server refuses, with its reason.
    """
    try:
        after = await hands.send(write, dry_run=True)
    except WriteProblem as problem:
        if problem.kind is not WriteFault.UNREHEARSABLE:
            raise
        return (), (Fact("dry run", problem.sentence, Severity.WARN),)
    return edits(before, after), (Fact("dry run", "the server would take it"),)


def edits(before: Document, after: Document) -> tuple[Edit, ...]:
    """Return the fields that differ, status and the server's own bookkeeping left out; secret values masked."""
    found = diff_templates(_asked(before), _asked(after))
    return tuple(Edit(one.path, one.old, one.new) for one in found)


def _asked(document: Document) -> bytes:
    kept = {name: value for name, value in document.items() if name != "status"}
    metadata = {name: value for name, value in mapping(document.get("metadata")).items() if name not in UNSEEN}
    return msgspec.json.encode({**kept, "metadata": metadata})


def at(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what lies at a path of a document, None where nothing does."""
    for step in path:
        value = mapping(value).get(step)
    return value


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object of a document, {} for anything else."""
    return value if isinstance(value, dict) else {}


def entries(value: object) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list of a document, () for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else ()
