"""Cuts an endless HTTP answer into lines and reads ahead of whoever takes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

BUFFERED = 4 << 20
MAX_LINE = 64 << 20


class LinePump:
    """Reads an endless answer ahead of its reader, cut into lines; lines of any length up to 64 MiB."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._lines: list[bytes] = []
        self._size = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """Yield every complete line that has arrived, until the answer ends; raises what reading raised."""
        while True:
            if self._lines:
                lines, self._lines, self._size = self._lines, [], 0
                self._room.set()
                yield lines
            elif self._task.done():
                self._task.result()
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    async def close(self) -> None:
        """End the answer now."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(Exception):
            await self._answer.aclose()

    async def _read(self) -> None:
        pieces: list[bytes] = []
        held = 0
        try:
            async for chunk in self._answer.aiter_raw():
                *lines, rest = chunk.split(b"\n")
                if lines:
                    lines[0] = b"".join((*pieces, lines[0]))
                    pieces, held = [], 0
                    self._take([line for line in lines if line])
                if rest:
                    pieces.append(rest)
                    held += len(rest)
                if held > MAX_LINE:
                    raise OSError("a line of more than 64 MiB")
                if self._size > BUFFERED:
                    self._room.clear()
                    await self._room.wait()
            if pieces:
                self._take([b"".join(pieces)])
        finally:
            self._changed.set()

    def _take(self, lines: list[bytes]) -> None:
        self._lines.extend(lines)
        self._size += sum(map(len, lines))
        self._changed.set()
