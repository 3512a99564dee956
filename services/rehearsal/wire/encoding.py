"""One resource's objects, lists and watch events in the shape that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.wire import table
from services.rehearsal.wire.bookmarks import bookmark_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.rehearsal.resources import Resource
    from services.rehearsal.store import Entry
    from services.rehearsal.wire.negotiation import Accepted


class Encoder:
    """Writes one resource in one shape; `convert` maps stored bytes to those of another version of the resource."""

    def __init__(
        self,
        resource: Resource,
        accepted: Accepted,
        include: table.Include,
        now: Callable[[], float],
        convert: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._resource = resource
        self._accepted = accepted
        self._include = include
        self._now = now
        self._convert = convert
        self._prefix = table.kind_prefix(resource)
        self._columns_sent = False

    def one(self, entry: Entry) -> bytes:
        """Return a single object."""
        if self._accepted.shape == "table":
            return self._table({"resourceVersion": str(entry.version)}, [self._row(entry)])
        if self._accepted.shape == "partial":
            return table.partial(entry)
        return self._prefix + self._stored(entry)[1:]

    def many(self, entries: Sequence[Entry], metadata: Json, foreign: Sequence[bytes] = ()) -> bytes:
        """Return a list; `foreign` are raw items that a test has put in."""
        if self._accepted.shape == "table":
            return self._table(metadata, [self._row(entry) for entry in entries])
        if self._accepted.shape == "partial":
            head = (
                b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/%b"' % self._accepted.version.encode()
            )
            items = [table.partial(entry) for entry in entries]
        else:
            head = b'{"kind":"%bList","apiVersion":"%b"' % (
                self._resource.kind.encode(),
                self._resource.api_version.encode(),
            )
            items = [self._item(entry) for entry in entries]
        items.extend(foreign)
        listed = b"[%b]" % b",".join(items) if items or self._accepted.shape == "object" else b"null"
        return b"".join((head, b',"metadata":', encode(metadata), b',"items":', listed, b"}"))

    def event(self, kind: str, entry: Entry) -> bytes:
        """Return one frame of a watch."""
        if self._accepted.shape == "table":
            metadata = {"resourceVersion": str(entry.version)}
            return frame(kind, self._table(metadata, [self._row(entry)]))
        return frame(kind, self.one(entry))

    def bookmark(self, version: int, *, initial_end: bool = False) -> bytes:
        """Return a BOOKMARK frame."""
        metadata: Json = {"resourceVersion": str(version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self._accepted.shape == "table":
            own = {"resourceVersion": str(version)}
            return frame("BOOKMARK", self._table(own, [table.bookmark_row(self._resource, metadata)]))
        if self._accepted.shape == "partial":
            return frame("BOOKMARK", table.partial_of(metadata))
        return frame("BOOKMARK", self._prefix + encode(bookmark_object(self._resource, metadata))[1:])

    def _item(self, entry: Entry) -> bytes:
        stored = self._stored(entry)
        return self._prefix + stored[1:] if self._resource.custom else stored

    def _stored(self, entry: Entry) -> bytes:
        return self._convert(entry.raw) if self._convert else entry.raw

    def _row(self, entry: Entry) -> bytes:
        return table.row(self._resource, entry, self._include, self._now())

    def _table(self, metadata: Json, rows: list[bytes]) -> bytes:
        definitions = None if self._columns_sent else table.columns(self._resource)
        self._columns_sent = True
        return table.table(metadata, definitions, rows, self._accepted.version)


def frame(kind: str, obj: bytes) -> bytes:
    """Return one line of a watch stream."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), obj)


def event_as_v1(raw: bytes) -> bytes:
    """Turn a stored core event into events.k8s.io/v1 (kubernetes pkg/apis/events/v1/conversion.go)."""
    old = decode(raw)
    new: Json = {
        "metadata": old["metadata"],
        "eventTime": old.get("eventTime"),
        "reportingController": old.get("reportingComponent", ""),
        "reportingInstance": old.get("reportingInstance", ""),
        "reason": old.get("reason", ""),
        "regarding": old.get("involvedObject", {}),
        "note": old.get("message", ""),
        "type": old.get("type", ""),
    }
    for there, here in (
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
        ("series", "series"),
        ("action", "action"),
        ("related", "related"),
    ):
        if there in old:
            new[here] = old[there]
    return encode(new)
