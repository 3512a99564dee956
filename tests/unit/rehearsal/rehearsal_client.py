"""A plain HTTP client for the estate, so that the tests see bytes and not the program's own decoder."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.rehearsal.server import Rehearsal

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
Json = dict[str, Any]
PATIENCE = 60.0


class Client:
    """Requests as one account."""

    def __init__(self, estate: Rehearsal, account: str = "admin") -> None:
        context = ssl.create_default_context(cadata=estate.address.authority.decode())
        headers = {"Authorization": f"Bearer {estate.address.tokens[account]}"}
        self.http = httpx.AsyncClient(base_url=estate.address.url, verify=context, headers=headers, timeout=PATIENCE)

    async def get(self, path: str, accept: str = "application/json", **query: str | int) -> httpx.Response:
        return await self.http.get(path, params={k: str(v) for k, v in query.items()}, headers={"Accept": accept})

    async def json(self, path: str, accept: str = "application/json", **query: str | int) -> Json:
        answer = await self.get(path, accept, **query)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    @asynccontextmanager
    async def watch(self, path: str, accept: str = "application/json", **query: str | int) -> AsyncIterator[Frames]:
        params = {"watch": "1", **{k: str(v) for k, v in query.items()}}
        async with self.http.stream("GET", path, params=params, headers={"Accept": accept}) as answer:
            yield Frames(answer)


class Frames:
    """The frames of one watch, with a deadline for each."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Json:
        async with asyncio.timeout(PATIENCE):
            frame: Json = json.loads(await anext(self._lines))
            return frame

    async def take(self, count: int) -> list[Json]:
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Json]:
        async with asyncio.timeout(PATIENCE):
            return [json.loads(line) async for line in self._lines]


def names(listed: Json) -> list[tuple[str, str]]:
    return [(one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in listed["items"]]
