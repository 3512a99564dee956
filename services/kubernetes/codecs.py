"""The two ways a kind is asked for and read: as typed objects, or as the server's own Table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.kubernetes.decode import DecodedList, WatchEvent, decode_event, decode_list
from services.kubernetes.decode_tables import decode_table, decode_table_event
from services.kubernetes.listwatch import PAGE
from services.kubernetes.transport import JSON, TABLE
from services.model.cluster import TableInfo
from services.model.ref import Resource


class TypedCodec:
    """Objects of a kind this console has a type for."""

    accept = JSON
    params: Mapping[str, str] = {}

    def __init__(self, table: str, cluster: str, limit: int = PAGE) -> None:
        self.limit = limit
        self._table = table
        self._cluster = cluster

    def page(self, body: bytes) -> DecodedList:
        """Decode one page of a list."""
        return decode_list(self._table, body, self._cluster)

    def event(self, line: bytes) -> WatchEvent:
        """Decode one watch event."""
        return decode_event(self._table, line, self._cluster)


class TableCodec:
    """Any other kind, in the columns the server prints; `on_columns` is told them with each list."""

    accept = TABLE
    limit = PAGE
    params: Mapping[str, str] = {"includeObject": "Metadata"}

    def __init__(self, resource: Resource, cluster: str, on_columns: Callable[[TableInfo], None]) -> None:
        self._resource = resource
        self._cluster = cluster
        self._on_columns = on_columns

    def page(self, body: bytes) -> DecodedList:
        """Decode one page of a list."""
        table = decode_table(self._resource, body, self._cluster)
        if table.info.columns:
            self._on_columns(table.info)
        rows: dict[str, Any] = dict(table.rows)
        return DecodedList(rows, table.resource_version, table.continue_token, 0, [])

    def event(self, line: bytes) -> WatchEvent:
        """Decode one watch event."""
        return decode_table_event(self._resource, line, self._cluster)
