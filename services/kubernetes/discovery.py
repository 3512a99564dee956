"""Learns every kind a server knows: in two requests where it aggregates, else group by group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.decode import Undecodable
from services.kubernetes.decode_tables import decode_discovery, decode_resource_list
from services.kubernetes.problems import STRANGER, foreign_answer
from services.kubernetes.transport import JSON, Transport
from services.model.cluster import ApiResource
from services.sanitize import safe_text

AGGREGATED = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        JSON,
    )
)
KEPT = 300.0
AT_ONCE = 6


class _GroupVersion(Struct, rename="camel"):
    group_version: str = ""


class _Group(Struct, rename="camel"):
    preferred_version: _GroupVersion | None = None


class _Root(Struct):
    kind: str = ""
    versions: list[str] | None = None
    groups: list[_Group] | None = None


class Discovery:
    """The kinds of one cluster, kept for five minutes."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._found: Sequence[ApiResource] = ()
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def resources(self) -> Sequence[ApiResource]:
        """Return every kind, core group first; raises Problem. A group whose server is down is left out."""
        async with self._lock:
            if self._found and self._clock.monotonic() - self._asked_at < KEPT:
                return self._found
            core, groups = await asyncio.gather(self._root("/api"), self._root("/apis"))
            self._found = [*core, *groups]
            self._asked_at = self._clock.monotonic()
            return self._found

    async def _root(self, path: str) -> Sequence[ApiResource]:
        answer = await self._transport.request("GET", path, accept=AGGREGATED, what="learn the server's kinds")
        try:
            root = msgspec.json.decode(answer.body, type=_Root)
            if root.kind == "APIGroupDiscoveryList":
                return decode_discovery(answer.body)
        except (msgspec.DecodeError, Undecodable) as error:
            why = STRANGER if foreign_answer(answer.body) else f"{error}."
            raise Problem(safe_text(f"Could not read the server's list of kinds: {why}")) from None
        paths = [f"/api/{version}" for version in root.versions or ()]
        paths += [
            f"/apis/{group.preferred_version.group_version}" for group in root.groups or () if group.preferred_version
        ]
        gate = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(self._group(path, gate) for path in paths))
        return [resource for resources in found for resource in resources]

    async def _group(self, path: str, gate: asyncio.Semaphore) -> list[ApiResource]:
        async with gate:
            try:
                answer = await self._transport.request("GET", path, what="learn the server's kinds")
                return decode_resource_list(answer.body)
            except (Problem, Undecodable):
                return []
