"""Objects as immutable bytes under one growing resourceVersion, with a bounded history for watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from services.rehearsal import fields
from services.rehearsal.jsonic import Json, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from services.rehearsal.resources import Resource

HISTORY = 4096
Key = tuple[str, str]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Entry:
    """One version of one object: its bytes (without kind and apiVersion) and what selectors need."""

    __slots__ = ("fields", "labels", "name", "namespace", "owner", "raw", "row", "seen", "uid", "version")

    def __init__(self, obj: Json, version: int, raw: bytes, values: dict[str, str]) -> None:
        metadata = obj["metadata"]
        self.raw = raw
        self.version = version
        self.namespace: str = metadata.get("namespace", "")
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.labels: dict[str, str] = metadata.get("labels") or {}
        self.fields = values
        self.owner: tuple[str, str, str] | None = None
        self.row: object = None
        self.seen: Json | None = None
        for reference in metadata.get("ownerReferences", ()):
            if reference.get("controller"):
                self.owner = (reference["kind"], reference["name"], reference["uid"])

    @property
    def key(self) -> Key:
        """Return (namespace, name)."""
        return (self.namespace, self.name)

    def look(self) -> Json:
        """Return the object to look at; it is shared and must not be changed."""
        if self.seen is None:
            self.seen = self.read()
        return self.seen

    def read(self) -> Json:
        """Decode a fresh copy, free to be changed."""
        obj: Json = decode(self.raw)
        return obj


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a resource's history."""

    version: int
    type: ChangeType
    entry: Entry
    before: Entry | None


class Collection:
    """All objects of one resource and its recent history."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.entries: dict[Key, Entry] = {}
        self.children: dict[str, dict[Key, None]] = {}
        self.changes: list[Change] = []
        self.first = 0
        """Sequence number of `changes[0]`; a watch holds the number it wants next."""
        self.floor = 0
        """Version of the newest change that has been forgotten."""
        self.wakers: set[Callable[[], None]] = set()
        self.extract = fields.extractor(resource)
        self._names: list[Key] | None = None
        self._ordered: list[Entry] | None = None

    def ordered(self) -> list[Entry]:
        """Return the entries by namespace and name, as etcd keeps them; the list is not to be changed."""
        if self._ordered is None:
            if self._names is None:
                self._names = sorted(self.entries)
            self._ordered = [self.entries[key] for key in self._names]
        return self._ordered

    def after(self, version: int) -> int:
        """Return the sequence number of the first change newer than `version`."""
        low, high = 0, len(self.changes)
        while low < high:
            middle = (low + high) // 2
            if self.changes[middle].version <= version:
                low = middle + 1
            else:
                high = middle
        return self.first + low

    def apply(self, change: Change) -> None:
        """Take a change into entries, index and history, and wake the watches."""
        entry = change.entry
        if change.type == "DELETED":
            del self.entries[entry.key]
            if entry.owner:
                self.children.get(entry.owner[2], {}).pop(entry.key, None)
        else:
            self.entries[entry.key] = entry
            if entry.owner:
                self.children.setdefault(entry.owner[2], {})[entry.key] = None
        self._ordered = None
        if change.type != "MODIFIED":
            self._names = None
        self.changes.append(change)
        if len(self.changes) > 2 * HISTORY:
            self.forget(HISTORY)
        for wake in self.wakers:
            wake()

    def forget(self, keep: int) -> None:
        """Drop all but the newest `keep` changes."""
        dropped = len(self.changes) - keep
        if dropped > 0:
            self.floor = self.changes[dropped - 1].version
            self.first += dropped
            del self.changes[:dropped]


class ConflictError(Exception):
    """An object of that name is there already."""


class Store:
    """Every object of the estate. Reads hand out copies; writes that change nothing make no version."""

    def __init__(self, resources: Iterable[Resource], new_uid: Callable[[], str], stamp: Callable[[], str]) -> None:
        self.collections = {resource.key: Collection(resource) for resource in resources}
        self.version = 1000
        self.listeners: list[Callable[[Resource, Change], None]] = []
        self._new_uid = new_uid
        self._stamp = stamp

    def collection(self, resource: Resource) -> Collection:
        """Return the collection of a resource; raise KeyError when it is not served."""
        return self.collections[resource.key]

    def add_resource(self, resource: Resource) -> None:
        """Begin to serve a resource."""
        self.collections.setdefault(resource.key, Collection(resource))

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """Return a copy of an object, or None."""
        entry = self.collections[resource.key].entries.get((namespace, name))
        return None if entry is None else entry.read()

    def owned(self, resource: Resource, uid: str) -> Iterator[Json]:
        """Yield the objects whose controller has this uid, to look at: they must not be changed."""
        for entry in self.owned_entries(resource, uid):
            yield entry.look()

    def owned_entries(self, resource: Resource, uid: str) -> list[Entry]:
        """Return what is stored of the objects whose controller has this uid."""
        collection = self.collections[resource.key]
        return [collection.entries[key] for key in collection.children.get(uid, ())]

    def create(self, resource: Resource, obj: Json) -> Json:
        """Store a new object, giving it uid, time and version; raise ConflictError when its name is taken."""
        metadata = obj["metadata"]
        if (metadata.get("namespace", ""), metadata["name"]) in self.collections[resource.key].entries:
            raise ConflictError(f'{resource.plural} "{metadata["name"]}" already exists')
        metadata.setdefault("uid", self._new_uid())
        metadata.setdefault("creationTimestamp", self._stamp())
        self._commit(resource, "ADDED", obj, None)
        return obj

    def update(self, resource: Resource, obj: Json) -> bool:
        """Store a new version of an object; return whether it differed. A vanished object stays vanished."""
        metadata = obj["metadata"]
        before = self.collections[resource.key].entries.get((metadata.get("namespace", ""), metadata["name"]))
        if before is None or before.uid != metadata["uid"]:
            return False
        metadata["resourceVersion"] = str(before.version)
        if encode(obj) == before.raw:
            return False
        self._commit(resource, "MODIFIED", obj, before)
        return True

    def print_ahead(self, resource: Resource, obj: Json, row: object) -> None:
        """Keep the printed row of an object that has just been stored, so that no table needs to decode it."""
        metadata = obj["metadata"]
        self.collections[resource.key].entries[metadata.get("namespace", ""), metadata["name"]].row = row

    def delete(self, resource: Resource, namespace: str, name: str) -> bool:
        """Remove an object; return whether it was there."""
        before = self.collections[resource.key].entries.get((namespace, name))
        if before is None:
            return False
        self._commit(resource, "DELETED", before.read(), before)
        return True

    def compact(self, resource: Resource | None = None) -> None:
        """Forget the history of one resource or of all: older watches get 410 Gone."""
        chosen = self.collections.values() if resource is None else (self.collections[resource.key],)
        for collection in chosen:
            collection.forget(0)
            collection.floor = self.version
            for wake in collection.wakers:
                wake()

    def _commit(self, resource: Resource, change: ChangeType, obj: Json, before: Entry | None) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        collection = self.collections[resource.key]
        entry = Entry(obj, self.version, encode(obj), collection.extract(obj))
        done = Change(self.version, change, entry, before)
        collection.apply(done)
        for listener in self.listeners:
            listener(resource, done)
