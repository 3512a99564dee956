"""Watches: no gap and no duplicate after a version, bookmarks, and 410 when history is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.rehearsal.clock import wait_until
from services.rehearsal.jsonic import encode
from services.rehearsal.wire import errors
from services.rehearsal.wire.encoding import Encoder, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.rehearsal.clock import Clock
    from services.rehearsal.store import Change, Collection, Entry, Store
    from services.rehearsal.wire.options import ListOptions

BOOKMARK_EVERY = 55.0
DEFAULT_TIMEOUT = 45 * 60.0


class Watch:
    """One running watch over one resource."""

    def __init__(
        self, store: Store, collection: Collection, options: ListOptions, encoder: Encoder, clock: Clock
    ) -> None:
        self._store = store
        self._collection = collection
        self._encoder = encoder
        self._clock = clock
        self._options = options
        self._wanted: Callable[[Entry], bool] | None = options.selection.predicate
        self._wake = asyncio.Event()
        self._closed = False
        self._pushed: list[bytes] = []
        self._initial: list[Entry] | None = None
        self._position = self._start()

    def _start(self) -> int:
        """Find where to begin; raise ApiError 410 for a forgotten version. One of the future waits in silence."""
        version, collection = self._options.version, self._collection
        if self._options.initial_events or (self._options.initial_events is None and not version):
            entries = collection.ordered()
            self._initial = [one for one in entries if self._wanted is None or self._wanted(one)]
            return collection.first + len(collection.changes)
        if not version:
            return collection.first + len(collection.changes)
        if version < collection.floor:
            raise errors.expired(f"too old resource version: {version} ({collection.floor + 1})")
        return collection.after(version)

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self._wake.set()

    def push(self, resource_key: str, raw: bytes) -> None:
        """Send a raw object as a MODIFIED event, when the watch is over that resource."""
        if resource_key == self._collection.resource.key:
            self._pushed.append(frame("MODIFIED", raw))
            self._wake.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the stream, one or more whole frames at a time."""
        deadline = self._clock.now() + (self._options.timeout or DEFAULT_TIMEOUT)
        bookmark = self._clock.now() + BOOKMARK_EVERY if self._options.bookmarks else deadline
        self._collection.wakers.add(self._wake.set)
        try:
            yield self._opening()
            while not self._closed:
                self._wake.clear()
                if self._position < self._collection.first:
                    yield gone(f"too old resource version: {self._collection.floor}")
                    return
                frames = self._take()
                if frames:
                    yield frames
                    continue
                now = self._clock.now()
                if now >= deadline:
                    break
                if now >= bookmark:
                    bookmark = now + BOOKMARK_EVERY
                    yield self._encoder.bookmark(self._store.version)
                    continue
                await wait_until(self._clock, self._wake, min(deadline, bookmark))
            if self._options.bookmarks and not self._closed:
                yield self._encoder.bookmark(self._store.version)
        finally:
            self._collection.wakers.discard(self._wake.set)

    def _opening(self) -> bytes:
        frames = [self._encoder.event("ADDED", entry) for entry in self._initial or ()]
        if self._initial is not None and self._options.bookmarks:
            frames.append(self._encoder.bookmark(self._store.version, initial_end=True))
        self._initial = None
        return b"".join(frames)

    def _take(self) -> bytes:
        changes = self._collection.changes[self._position - self._collection.first :]
        self._position += len(changes)
        frames = [shown for shown in map(self._shown, changes) if shown]
        frames += self._pushed
        self._pushed = []
        return b"".join(frames)

    def _shown(self, change: Change) -> bytes:
        if change.version <= (self._options.version or 0):
            return b""
        if self._wanted is None:
            return self._encoder.event(change.type, change.entry)
        now = change.type != "DELETED" and self._wanted(change.entry)
        before = change.before is not None and self._wanted(change.before)
        if now:
            return self._encoder.event("MODIFIED" if before else "ADDED", change.entry)
        return self._encoder.event("DELETED", change.entry) if before else b""


def gone(message: str) -> bytes:
    """Return the ERROR frame that tells a client to list again."""
    return frame("ERROR", encode(errors.expired(message).status()))


async def only(chunk: bytes) -> AsyncIterator[bytes]:
    """Yield one chunk and end."""
    yield chunk
