"""The recorded scene of a cluster whose every name is one that must not be seen: each holds the word canary."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import TypeVar

import msgspec

from cache.live import LiveState
from screenshots import scene, scene_runtime
from services.clock import ManualClock
from services.model.cluster import KubeEvent, TableInfo
from services.model.ref import Ref, Resource
from services.model.source import SourceStatus
from services.model.timeline import Event
from services.model.workload import Revision
from services.ports import LogLine, LogOptions, Replace

T = TypeVar("T")

SAID = (
    "dial tcp 10.66.6.6:5432 to db.canary-corp.example as canary.person@canary-corp.example in account 666655554444, "
    "arn:aws:iam::666655554444:user/canaryadmin, node canarynode-007 of canarycluster, namespace canaryshop; "
    'User "canaryoperator" cannot list; etcd-canarynode-003 https://canary:pw@git.canary.example/x [2001:db8::66]'
)
"""What a cluster's free texts may hold of each kind of name."""

NAMES = {
    "node-0": "canarynode-0",
    scene.CLUSTER: "canarycluster",
    "ci-deployer": "canaryperson",
    "registry.example": "registry.canary.example",
    "shop.example": "shop.canary.example",
    "10.4.": "10.66.",
    "10.0.0.": "10.66.0.",
    **{name: f"canary{name}" for name in scene.NAMESPACES_USED if name not in ("search", "data")},
    "data/": "canarydata/",
}
FREE = frozenset({"what", "cause", "last_words", "message", "reason", "change_cause", "last_message", "error"})
"""Fields that hold sentences of the cluster's own."""

SEEN = ("canary", "10.66.", "6666", "2001:db8")
"""What must be nowhere on a shared screen, upper or lower case."""


@cache
def renamed(text: str) -> str:
    """Return a text with the names of this cluster."""
    for name, stand_in in NAMES.items():
        if stand_in not in text:
            text = re.sub(rf"(?<![a-z]){re.escape(name)}", stand_in, text)
    return "canarydata" if text == "data" else text


def canary(thing: T, field: str = "") -> T:
    """Return a thing of the scene with canaries for names, however deep; what joins rows still joins them."""
    if isinstance(thing, Enum):
        return thing
    if isinstance(thing, str):
        name = renamed(thing)
        return f"{name} {SAID}" if field in FREE and thing else name  # type: ignore[return-value]
    if isinstance(thing, Resource | TableInfo):
        return thing
    if isinstance(thing, msgspec.Struct):
        fields = {name: getattr(thing, name) for name in thing.__struct_fields__}
        return msgspec.structs.replace(thing, **{key: canary(value, key) for key, value in fields.items()})
    if isinstance(thing, tuple):
        return tuple(canary(one, field) for one in thing)  # type: ignore[return-value]
    return thing


def canary_rows(rows: Mapping[str, T]) -> dict[str, T]:
    """Return a table's rows, under the names they now have."""
    return {renamed(key): canary(row) for key, row in rows.items()}


@cache
def _recorded() -> tuple[dict[str, dict[str, object]], list[Event], tuple[SourceStatus, ...]]:
    """Return tables, events and sources of the scene with canaries in them; nobody changes a row."""
    snapshot = scene.live(ManualClock(scene.NOW)).publish()
    tables = {table: dict(rows) if table == "columns" else canary_rows(rows) for table, rows in snapshot.tables.items()}
    return tables, [canary(event) for event in snapshot.events], tuple(snapshot.sources.values())


def canary_scene(clock: ManualClock | None = None) -> LiveState:
    """Return live state that holds the scene with canaries in it."""
    feed = LiveState(clock or ManualClock(scene.NOW))
    tables, events, sources = _recorded()
    for table, rows in tables.items():
        feed.apply("scene", Replace(table, dict(rows)))
    feed.happened(list(events))
    for status in sources:
        feed.status(status)
    feed.publish()
    return feed


class CanarySession(scene_runtime.SceneSession):
    """Answers with the scene's answers, canaries in them."""

    async def describe(self, ref: Ref, resource: Resource) -> Sequence[str]:
        """Return lines that name everything."""
        return [*(await super().describe(ref, resource)), f"  Node:  canarynode-007/10.66.6.6 {SAID}"]

    async def yaml(self, resource: Resource, namespace: str, name: str) -> str:
        """Return a manifest that names everything."""
        return await super().yaml(resource, namespace, name) + f"spec:\n  nodeName: canarynode-003\n  note: {SAID}\n"

    async def history(self, ref: Ref) -> Sequence[Revision]:
        """Return revisions by somebody."""
        found = await super().history(ref)
        return [msgspec.structs.replace(canary(one), template=renamed(one.template.decode()).encode()) for one in found]

    async def events(self, refs: Sequence[Ref]) -> Sequence[KubeEvent]:
        """Return events that name everything."""
        return [canary(one) for one in await super().events(refs)]

    async def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        """Yield lines that name everything."""
        del namespace, options
        for pod in pods:
            yield [LogLine(pod, "app", scene.NOW - 30, f"ERROR {SAID}")]


class CanarySteering(scene_runtime.SceneSteering):
    """Knows contexts with canaries for names."""

    def contexts(self) -> tuple[str, ...]:
        """Return two contexts."""
        return ("canarycluster", "canarystaging-2")
