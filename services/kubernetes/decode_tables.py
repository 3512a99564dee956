"""Reads any kind through the server's own Table, and the server's list of kinds, so that no kind is unknown here."""

from __future__ import annotations

import json
from sys import intern
from typing import Any

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from services.kubernetes.decode import FAILURES, Undecodable, WatchEvent, decode_plain_event
from services.kubernetes.wire import WireMeta, epoch, labels_of, ref_of
from services.model.cluster import ApiResource, TableColumn, TableInfo, TableRow
from services.model.ref import Resource
from services.sanitize import safe_text


class _Column(Struct, frozen=True, gc=False):
    name: str = ""
    type: str | None = None
    priority: int | None = None


class _Partial(Struct, frozen=True, gc=False):
    metadata: WireMeta | None = None


class _Row(Struct, frozen=True):
    cells: list[Any] | None = None
    object: _Partial | None = None


class _TableMeta(Struct, frozen=True, gc=False, rename="camel"):
    resource_version: str | None = None
    continue_token: str | None = field(default=None, name="continue")


class _Table(Struct, frozen=True, rename="camel"):
    metadata: _TableMeta | None = None
    column_definitions: list[_Column] | None = None
    rows: list[_Row] | None = None


_table: Decoder[_Table] = Decoder(_Table)


class DecodedTable(Struct, frozen=True):
    """One page of a Table: its columns (none after the first page of a watch), its rows by key."""

    info: TableInfo
    rows: dict[str, TableRow]
    resource_version: str
    continue_token: str


def decode_table(resource: Resource, body: bytes, cluster: str) -> DecodedTable:
    """Decode a list answered as a Table with `includeObject=Metadata`; raises `Undecodable`.

    Cells become strings whatever they were. A row whose object has no name is left out.
    """
    try:
        table = _table.decode(body)
        meta = table.metadata or _TableMeta()
        columns = tuple(
            TableColumn(each.name, each.type or "string", each.priority or 0) for each in table.column_definitions or ()
        )
        rows = {}
        for wire in table.rows or ():
            if wire.object and wire.object.metadata and wire.object.metadata.name:
                row = _row(wire, wire.object.metadata, resource, cluster)
                rows[row.ref.key] = row
    except FAILURES as error:
        raise Undecodable(safe_text(error)) from error
    return DecodedTable(TableInfo(resource, columns), rows, meta.resource_version or "", meta.continue_token or "")


def decode_table_event(resource: Resource, line: bytes, cluster: str) -> WatchEvent:
    """Decode one line of a watch answered as Tables of one row each; raises `Undecodable`."""
    version = ""

    def convert(raw: Raw) -> TableRow:
        nonlocal version
        table = _table.decode(raw)
        wire = table.rows[0] if table.rows else _Row()
        if not wire.object or not wire.object.metadata:
            raise ValueError("the table has no row with an object")
        version = wire.object.metadata.resource_version or ""
        return _row(wire, wire.object.metadata, resource, cluster)

    try:
        event = decode_plain_event(line, convert)
    except Undecodable as error:
        raise Undecodable(error.reason, error.resource_version or version, error.key) from error
    if event.type == "BOOKMARK" and not event.resource_version:
        return WatchEvent("BOOKMARK", resource_version=_bookmark_version(line), initial_end=event.initial_end)
    if event.obj is None:
        return event
    return WatchEvent(event.type, event.key, event.obj, version or event.resource_version)


class _TableLine(Struct, frozen=True, gc=False):
    object: _Table


_table_line: Decoder[_TableLine] = Decoder(_TableLine)


def _bookmark_version(line: bytes) -> str:
    try:
        rows = _table_line.decode(line).object.rows
    except FAILURES:
        return ""
    partial = rows[0].object if rows else None
    return (partial.metadata.resource_version or "") if partial and partial.metadata else ""


def _row(wire: _Row, meta: WireMeta, resource: Resource, cluster: str) -> TableRow:
    return TableRow(
        ref_of(meta, resource, cluster),
        tuple(_cell(value) for value in wire.cells or ()),
        epoch(meta.creation_timestamp),
        labels_of(meta.labels),
    )


def _cell(value: object) -> str:
    """Return a cell as kubectl would print it: null is empty, booleans in lower case, structures as compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return intern(value) if len(value) < 32 else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


class _ResponseKind(Struct, frozen=True, gc=False):
    kind: str = ""


class _Discovered(Struct, frozen=True, gc=False, rename="camel"):
    resource: str = ""
    response_kind: _ResponseKind | None = None
    scope: str | None = None
    singular_resource: str | None = None
    short_names: list[str] | None = None
    verbs: list[str] | None = None
    categories: list[str] | None = None


class _Version(Struct, frozen=True, gc=False):
    version: str = ""
    resources: list[_Discovered] | None = None


class _GroupMeta(Struct, frozen=True, gc=False):
    name: str | None = None


class _Group(Struct, frozen=True, gc=False):
    metadata: _GroupMeta | None = None
    versions: list[_Version] | None = None


class _GroupList(Struct, frozen=True, gc=False):
    items: list[_Group] | None = None


_groups: Decoder[_GroupList] = Decoder(_GroupList)


def decode_discovery(body: bytes) -> list[ApiResource]:
    """Decode an APIGroupDiscoveryList (aggregated discovery, apidiscovery.k8s.io/v2); raises `Undecodable`.

    Of several versions of a group only the preferred one (the first) is kept for each kind.
    """
    try:
        groups = _groups.decode(body).items or []
    except FAILURES as error:
        raise Undecodable(safe_text(error)) from error
    found: dict[tuple[str, str], ApiResource] = {}
    for group in groups:
        name = (group.metadata.name if group.metadata else None) or ""
        for version in group.versions or ():
            for wire in version.resources or ():
                if wire.resource and (name, wire.resource) not in found:
                    found[name, wire.resource] = _api_resource(name, version.version, wire)
    return list(found.values())


class _OldResource(Struct, frozen=True, gc=False, rename="camel"):
    name: str = ""
    kind: str = ""
    namespaced: bool | None = None
    singular_name: str | None = None
    short_names: list[str] | None = None
    verbs: list[str] | None = None
    categories: list[str] | None = None


class _OldList(Struct, frozen=True, gc=False, rename="camel"):
    group_version: str = ""
    resources: list[_OldResource] | None = None


_old: Decoder[_OldList] = Decoder(_OldList)


def decode_resource_list(body: bytes) -> list[ApiResource]:
    """Decode an APIResourceList (`/api/v1`, `/apis/GROUP/VERSION`), subresources left out; raises `Undecodable`."""
    try:
        listed = _old.decode(body)
    except FAILURES as error:
        raise Undecodable(safe_text(error)) from error
    group, slash, version = listed.group_version.partition("/")
    if not slash:
        group, version = "", group
    return [
        ApiResource(
            Resource(group, version, wire.name, wire.kind, bool(wire.namespaced)),
            wire.singular_name or "",
            tuple(wire.short_names or ()),
            tuple(wire.verbs or ()),
            tuple(wire.categories or ()),
        )
        for wire in listed.resources or ()
        if wire.name and "/" not in wire.name
    ]


def _api_resource(group: str, version: str, wire: _Discovered) -> ApiResource:
    kind = wire.response_kind.kind if wire.response_kind else ""
    return ApiResource(
        Resource(group, version, wire.resource, kind, wire.scope != "Cluster"),
        wire.singular_resource or "",
        tuple(wire.short_names or ()),
        tuple(wire.verbs or ()),
        tuple(wire.categories or ()),
    )
