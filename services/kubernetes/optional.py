"""Finds out which of the kinds that not every server has are there, and asks for none that is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.decode import Undecodable
from services.kubernetes.decode_tables import decode_resource_list
from services.kubernetes.transport import Transport
from services.model.ref import ARGO_ROLLOUTS, Resource

OPTIONAL: Mapping[str, Resource] = {ARGO_ROLLOUTS.table: ARGO_ROLLOUTS}
"""Kinds with a type of their own that a custom resource definition brings, by live-state table."""

AGAIN = 300.0
"""Seconds between two looks: a definition may come or go while a console is open."""

SOON = 10.0
WHAT = "learn the server's kinds"


class _Version(Struct, rename="camel"):
    group_version: str = ""


class _Group(Struct):
    versions: list[_Version] = []


class _Groups(Struct):
    groups: list[_Group] = []


class Offered:
    """Which `OPTIONAL` kinds one server has: None until it has answered. `changed` is called when that changes."""

    def __init__(self, transport: Transport, clock: Clock, changed: Callable[[], None]) -> None:
        self.tables: frozenset[str] | None = None
        self._transport = transport
        self._clock = clock
        self._changed = changed

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            pause = AGAIN
            found: frozenset[str] | None = None
            try:
                found = await offered(self._transport)
            except Problem as problem:
                pause = AGAIN if problem.status == 403 else SOON
                found = self.tables if problem.status != 403 else frozenset()
            if found != self.tables:
                self.tables = found
                self._changed()
            await self._clock.sleep(pause)


async def offered(transport: Transport) -> frozenset[str]:
    """Return which `OPTIONAL` kinds a server has, by table: the groups are asked for, and a group's kinds where it is.

    Raises Problem.
    """
    answer = await transport.request("GET", "/apis", what=WHAT)
    try:
        groups = msgspec.json.decode(answer.body, type=_Groups).groups
    except (msgspec.MsgspecError, RecursionError):
        return frozenset()
    served = {version.group_version for group in groups for version in group.versions}
    found = set()
    for api in sorted({one.api_version for one in OPTIONAL.values()} & served):
        listed = await transport.request("GET", f"/apis/{api}", what=WHAT)
        try:
            kinds = {one.resource.table for one in decode_resource_list(listed.body)}
        except Undecodable:
            continue
        found |= kinds & OPTIONAL.keys()
    return frozenset(found)
