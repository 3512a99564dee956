"""Asks the cluster what the keepers of an object will do, as far as this user may read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.errors import Problem
from services.kubernetes.gitops import Ownership, keeper_among, known, owners
from services.model.ref import Ref, Resource


class Reads(Protocol):
    """What is needed of the hands (`services.actions.spec.Hands`)."""

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Mapping[str, Any]]:
        """The objects of a kind; a kind the server lacks has none."""
        ...


async def keepers(document: Mapping[str, Any], ref: Ref, reads: Reads) -> tuple[Ownership, ...]:
    """Return who keeps an object, with what they will do where their own documents may be read. Raises nothing.

    One that is looked for in every namespace and found in none, or in several, stays as its traces tell it.
    """
    return tuple([await _told(one, reads) for one in owners(document, ref)])


async def _told(ownership: Ownership, reads: Reads) -> Ownership:
    if ownership.resource is None:
        return ownership
    try:
        found = await reads.find(
            ownership.resource, ownership.namespace, fieldSelector=f"metadata.name={ownership.name}"
        )
    except Problem:
        return ownership
    keeper = keeper_among(ownership, found)
    return known(ownership, keeper) if keeper is not None else ownership
