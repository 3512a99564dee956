"""Lists in pages that are all of one moment, however much changes between them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.wire import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.rehearsal.clock import Clock
    from services.rehearsal.store import Collection, Entry, Key, Store
    from services.rehearsal.wire.options import ListOptions

SNAPSHOT_LIFE = 300.0
_KEPT = 16
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries and the list metadata that goes with them."""

    entries: Sequence[Entry]
    metadata: Json


@dataclass(slots=True)
class _Snapshot:
    entries: list[Entry]
    until: float


class Pager:
    """Cuts lists into pages and keeps the moments that clients still read from."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._snapshots: dict[tuple[str, int], _Snapshot] = {}

    def page(self, collection: Collection, options: ListOptions) -> Page:
        """Return the page that the options ask for; raise ApiError 400, 410 or 504."""
        if options.token:
            entries, version, start = self._resumed(collection, options)
        else:
            entries, version, start = self._begun(collection, options), self._store.version, None
        position = 0 if start is None else _position(entries, start)
        wanted, limit = options.selection.predicate, options.limit
        if options.version == 0 and not options.token:
            limit = 0
        chosen: list[Entry] = []
        for index in range(position, len(entries)):
            entry = entries[index]
            if wanted is not None and not wanted(entry):
                continue
            if limit and len(chosen) == limit:
                return self._more(collection, entries, version=version, chosen=chosen, options=options, index=index)
            chosen.append(entry)
        return Page(chosen, {"resourceVersion": str(version)})

    def forget(self) -> None:
        """Drop every kept moment, as compaction does."""
        self._snapshots.clear()

    def _begun(self, collection: Collection, options: ListOptions) -> list[Entry]:
        version = options.version
        if version is not None and version > self._store.version:
            raise errors.version_too_large(version, self._store.version)
        if options.match == "Exact" and version != self._store.version and version is not None:
            kept = self._snapshots.get((collection.resource.key, version))
            if kept is None:
                raise errors.expired(f"The resourceVersion for the provided list is too old: {version}")
            return kept.entries
        return collection.ordered()

    def _more(
        self,
        collection: Collection,
        entries: list[Entry],
        *,
        version: int,
        chosen: list[Entry],
        options: ListOptions,
        index: int,
    ) -> Page:
        self._keep(collection.resource.key, version, entries)
        metadata: Json = {"resourceVersion": str(version), "continue": _token(version, chosen[-1].key)}
        if not options.selection.narrow:
            wanted = options.selection.predicate
            rest = entries[index:]
            metadata["remainingItemCount"] = len(rest) if wanted is None else sum(map(wanted, rest))
        return Page(chosen, metadata)

    def _keep(self, key: str, version: int, entries: list[Entry]) -> None:
        now = self._clock.now()
        for old in [one for one, kept in self._snapshots.items() if kept.until <= now]:
            del self._snapshots[old]
        if (key, version) not in self._snapshots:
            while len(self._snapshots) >= _KEPT:
                del self._snapshots[next(iter(self._snapshots))]
            self._snapshots[key, version] = _Snapshot(entries, now + SNAPSHOT_LIFE)

    def _resumed(self, collection: Collection, options: ListOptions) -> tuple[list[Entry], int, Key]:
        if options.version:
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        version, start = _read_token(options.token)
        if version < 0:
            return collection.ordered(), self._store.version, start
        kept = self._snapshots.get((collection.resource.key, version))
        if kept is None or kept.until <= self._clock.now():
            error = errors.expired(_EXPIRED)
            error.continuation = _token(-1, start)
            raise error
        return kept.entries, version, start


def _position(entries: list[Entry], after: Key) -> int:
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if entries[middle].key <= after:
            low = middle + 1
        else:
            high = middle
    return low


def _token(version: int, last: Key) -> str:
    content = encode({"v": "meta.k8s.io/v1", "rv": version, "start": f"{last[0]}/{last[1]}\u0000"})
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _read_token(text: str) -> tuple[int, Key]:
    try:
        content = decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = content["start"].rstrip("\u0000").partition("/")
        return int(content["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, msgspec.DecodeError):
        raise errors.bad_request(
            "invalid continue token: continue key is not valid: encoded continue key is malformed"
        ) from None
