"""The recorded scene with everything in its texts that a hostile cluster could put there."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import msgspec

from cache.live import LiveState
from screenshots import scene, scene_runtime
from services.clock import ManualClock
from services.model.cluster import ApiResource, KubeEvent, TableInfo
from services.model.ref import Ref, Resource
from services.model.timeline import Event
from services.model.workload import Revision
from services.ports import LogLine, LogOptions, Replace

T = TypeVar("T")

TRICKS = (
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b[2J\x1b[H\x1b[31mFAKE\x1b[0m",
    "\x9b31m\x9d0;owned\x9c\x90q\x9c",
    "\x1b]8;;http://evil.example\x1b\\press\x1b]8;;\x1b\\",
    "\u202egnp.exe\u202c\u2066x\u2069\u200f",
    "[/][red]x[/red][bold",
    "[@click=app.quit]press[/]",
    "\r\nall clear\t\x0b\x0c\x85\u2028",
    "\x00\x07\x08\x7f",
    "宽字符" * 40,
    "👩‍👩‍👧‍👦🏳️‍🌈e" + "\u0301" * 60,
    "\ud800\udfff\udc80",
    "A" * 10_000,
)
KEPT = frozenset({"kind", "group", "cluster", "uid", "type", "id", "namespace"})
"""Fields that other rows, or the program, are joined by."""

_turn = itertools.count()


def nasty(text: str) -> str:
    """Return a text with the next trick in its middle."""
    middle = len(text) // 2
    return f"{text[:middle]}{TRICKS[next(_turn) % len(TRICKS)]}{text[middle:]}"


def spoil(thing: T) -> T:
    """Return a thing with a trick in each of its texts, however deep; what joins rows stays."""
    if isinstance(thing, Enum):
        return thing
    if isinstance(thing, str):
        return nasty(thing) if thing else thing  # type: ignore[return-value]
    if isinstance(thing, Ref):
        return msgspec.structs.replace(thing, name=nasty(thing.name))
    if isinstance(thing, Resource):
        return thing
    if isinstance(thing, msgspec.Struct):
        fields = {name: getattr(thing, name) for name in thing.__struct_fields__}
        return msgspec.structs.replace(thing, **{key: spoil(value) for key, value in fields.items() if key not in KEPT})
    if isinstance(thing, tuple):
        return tuple(spoil(one) for one in thing)  # type: ignore[return-value]
    return thing


def spoilt_rows(rows: Mapping[str, T]) -> dict[str, T]:
    """Return a table's rows spoilt, under the names they now have."""
    spoilt = [spoil(row) for row in rows.values()]
    return {f"{number}{nasty('row')}": row for number, row in enumerate(spoilt)}


def spoilt_scene(clock: ManualClock | None = None) -> LiveState:
    """Return live state that holds the scene, spoilt."""
    feed = scene.live(clock)
    tables: dict[str, Mapping[str, Any]] = {
        "rollouts": dict(list(scene.workloads().items())[:30]),
        "pods": scene.pods(),
        "replicasets.apps": scene.replicasets(),
        "symptoms": scene.symptoms(),
        **{name: rows for name, rows in scene.cluster_tables().items() if name != "columns"},
    }
    for name, rows in tables.items():
        feed.apply("scene", Replace(name, spoilt_rows(rows)))
    feed.happened([_spoilt_event(event) for event in scene.events()])
    return feed


def _spoilt_event(event: Event) -> Event:
    return msgspec.structs.replace(spoil(event), id=f"x{event.id}")


class SpoiltSession(scene_runtime.SceneSession):
    """Answers with the scene's answers, spoilt."""

    async def resources(self) -> Sequence[ApiResource]:
        """Return kinds with nasty names."""
        return [spoil(one) for one in await super().resources()]

    async def describe(self, ref: Ref, resource: Resource) -> Sequence[str]:
        """Return nasty lines."""
        return [*(await super().describe(ref, resource)), *(nasty("line") for _ in TRICKS)]

    async def yaml(self, resource: Resource, namespace: str, name: str) -> str:
        """Return a nasty manifest."""
        return await super().yaml(resource, namespace, name) + "\n".join(TRICKS)

    async def history(self, ref: Ref) -> Sequence[Revision]:
        """Return nasty revisions; their templates stay the JSON that a decoder let through."""
        revisions = await super().history(msgspec.structs.replace(ref, name="cart"))
        trick = b'"\\u001b]52;c;eA==\\u0007\\u202e[/]0.1'
        return [msgspec.structs.replace(spoil(one), template=one.template.replace(b'"0.1', trick)) for one in revisions]

    async def events(self, refs: Sequence[Ref]) -> Sequence[KubeEvent]:
        """Return nasty events."""
        return [spoil(one) for one in await super().events(refs) for _ in TRICKS]

    async def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        """Yield nasty lines."""
        del namespace, options
        for pod in pods:
            yield [LogLine(pod, "app", scene.NOW - 30 + at, f"ERROR {trick}") for at, trick in enumerate(TRICKS)]

    async def table(self, resource: Resource, namespace: str) -> tuple[TableInfo, Mapping[str, Any]]:
        """Return a nasty table."""
        info, rows = await super().table(resource, namespace)
        return spoil(info), spoilt_rows(rows)
