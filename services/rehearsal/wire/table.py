"""Objects as meta.k8s.io/v1 Tables and as PartialObjectMetadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from services.rehearsal.columns.base import Cell, Conditions, Row, Since
from services.rehearsal.columns.registry import print_row, printer
from services.rehearsal.jsonic import Json, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.rehearsal.resources import Resource
    from services.rehearsal.store import Entry

Include = Literal["None", "Metadata", "Object"]
_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


def kind_prefix(resource: Resource) -> bytes:
    """Return the opening of an object of this resource, to be followed by its stored bytes less one brace."""
    return b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.api_version.encode())


def partial(entry: Entry) -> bytes:
    """Return an entry as PartialObjectMetadata."""
    return partial_of(decode(entry.raw)["metadata"])


def partial_of(metadata: Json) -> bytes:
    """Return metadata alone as PartialObjectMetadata."""
    return _PARTIAL + encode(metadata) + b"}"


def columns(resource: Resource) -> list[Json]:
    """Return the wire form of a resource's columns."""
    return [column.definition() for column in printer(resource).columns]


def row(resource: Resource, entry: Entry, include: Include, now: float) -> bytes:
    """Return one row; ages are as of `now` (seconds since the epoch)."""
    cells, conditions = _printed(resource, entry)
    shown = [cell.text(now) if isinstance(cell, Since) else cell for cell in cells]
    if include == "None":
        embedded = b"null"
    elif include == "Metadata":
        embedded = partial(entry)
    else:
        embedded = kind_prefix(resource) + entry.raw[1:]
    extra = b',"conditions":' + encode(conditions) if conditions else b""
    return b'{"cells":' + encode(shown) + extra + b',"object":' + embedded + b"}"


def table(metadata: Json, definitions: list[Json] | None, rows: Iterable[bytes], version: str = "v1") -> bytes:
    """Return a whole Table; `definitions` is None in all but the first event of a watch."""
    head = b'{"kind":"Table","apiVersion":"meta.k8s.io/%b","metadata":' % version.encode()
    return b"".join(
        (head, encode(metadata), b',"columnDefinitions":', encode(definitions), b',"rows":[', b",".join(rows), b"]}")
    )


def bookmark_row(resource: Resource, metadata: Json) -> bytes:
    """Return the row of an object that has nothing but a version, as the server prints bookmarks."""
    empty: Json = {"metadata": metadata}
    try:
        cells = printer(resource).cells(empty)
    except (KeyError, TypeError):
        cells = [None for _ in printer(resource).columns]
    shown: list[Cell] = ["<unknown>" if isinstance(cell, Since) else cell for cell in cells]
    return b'{"cells":' + encode(shown) + b',"object":' + partial_of(metadata) + b"}"


def _printed(resource: Resource, entry: Entry) -> tuple[Row, Conditions]:
    if entry.row is None:
        entry.row = print_row(resource, entry.read())
    return cast("tuple[Row, Conditions]", entry.row)
