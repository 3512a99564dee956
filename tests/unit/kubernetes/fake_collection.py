"""One collection of an API server, small enough to be told to misbehave in every way a real one does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from scripted_server import Answer, Request, status

PAGE = 3

Entry = tuple[int, str, dict[str, Any]]


class Collection:
    """Namespaces with a label that counts their changes; serves list (paged) and watch over `handle`."""

    def __init__(self) -> None:
        self.version = 10
        self.objects: dict[str, dict[str, Any]] = {}
        self.log: list[Entry] = []
        self.compacted = 0
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.expire_continues = 0
        self.listed = 0
        self.whole_lists = 0
        self.watches: list[dict[str, str]] = []
        self.opened = asyncio.Event()
        self._snapshots: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._feeds: list[asyncio.Queue[str | Entry]] = []

    @property
    def content(self) -> dict[str, str]:
        return {name: obj["metadata"]["labels"]["v"] for name, obj in self.objects.items()}

    def put(self, name: str) -> None:
        self.version += 1
        kind = "MODIFIED" if name in self.objects else "ADDED"
        made = {
            "kind": "Namespace",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "uid": f"uid-{name}",
                "resourceVersion": str(self.version),
                "labels": {"v": str(self.version)},
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "status": {"phase": "Active"},
        }
        self.objects[name] = made
        self._append(kind, made)

    def delete(self, name: str) -> None:
        gone = self.objects.pop(name, None)
        if gone is not None:
            self.version += 1
            metadata = {**gone["metadata"], "resourceVersion": str(self.version)}
            self._append("DELETED", {**gone, "metadata": metadata})

    def bookmark(self) -> None:
        self._append("BOOKMARK", {"kind": "Namespace", "metadata": {"resourceVersion": str(self.version)}})

    def garbage(self) -> None:
        self.version += 1
        metadata = {"name": 7, "resourceVersion": str(self.version)}
        self._append("MODIFIED", {"kind": "Namespace", "metadata": metadata})

    def order(self, what: str) -> None:
        """Tell every open watch: "end", "cut" or "expired"."""
        for feed in self._feeds:
            feed.put_nowait(what)

    def compact(self) -> None:
        self.version += 1
        self.compacted = self.version
        self.log.clear()
        self.order("expired")

    def _append(self, kind: str, obj: dict[str, Any]) -> None:
        entry = (self.version, kind, obj)
        if kind != "BOOKMARK":
            self.log.append(entry)
        for feed in self._feeds:
            feed.put_nowait(entry)

    async def handle(self, request: Request, answer: Answer) -> None:
        if self.refusals:
            code, headers = self.refusals.pop(0)
            await answer.json(status(code, f"refused with {code}"), code, headers)
        elif request.params.get("watch") == "true":
            await self._watch(request, answer)
        else:
            await self._list(request, answer)

    async def _list(self, request: Request, answer: Answer) -> None:
        token = request.params.get("continue", "")
        if token and (self.expire_continues or token not in self._snapshots):
            self.expire_continues -= 1
            await answer.json(status(410, "the provided continue parameter is too old", reason="Expired"), 410)
            return
        self.listed += not token
        self.whole_lists += "limit" not in request.params
        version, left = self._snapshots.pop(token) if token else (self.version, list(self.objects.values()))
        page, rest = (left[:PAGE], left[PAGE:]) if "limit" in request.params else (left, [])
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if rest:
            following = f"{version}/{len(rest)}/{self.listed}"
            self._snapshots[following] = (version, rest)
            metadata |= {"continue": following, "remainingItemCount": len(rest)}
        await answer.json({"kind": "NamespaceList", "apiVersion": "v1", "metadata": metadata, "items": page})

    async def _watch(self, request: Request, answer: Answer) -> None:
        self.watches.append(request.params)
        self.opened.set()
        place = int(request.params["resourceVersion"])
        if place < self.compacted:
            await answer.json(status(410, "too old resource version", reason="Expired"), 410)
            return
        feed: asyncio.Queue[str | Entry] = asyncio.Queue()
        for entry in self.log:
            if entry[0] > place:
                feed.put_nowait(entry)
        self._feeds.append(feed)
        try:
            await answer.start()
            while True:
                waiting = [await feed.get()]
                while not feed.empty():
                    waiting.append(feed.get_nowait())
                lines = [
                    json.dumps({"type": each[1], "object": each[2]}) for each in waiting if isinstance(each, tuple)
                ]
                if lines:
                    await answer.raw(("\n".join(lines) + "\n").encode())
                for order in waiting:
                    if isinstance(order, str):
                        await self._obey(order, answer)
                        return
        finally:
            self._feeds.remove(feed)

    async def _obey(self, order: str, answer: Answer) -> None:
        if order == "cut":
            await answer.raw(b'{"type":"MODIFIED","object":{"metadata":{"name":"hal')
            answer.cut()
            return
        if order == "expired":
            await answer.line({"type": "ERROR", "object": status(410, "too old resource version", reason="Expired")})
        await answer.end()
