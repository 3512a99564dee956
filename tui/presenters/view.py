"""What a full-screen table is made of; one module a kind fills it, and nothing else needs to know the kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from services.model.ref import Ref, Resource
from services.model.severity import Severity
from services.ports import Snapshot
from tui.presenters.lens import Lens
from tui.presenters.terms import Subject
from widgets.viewmodels import Column, Row

Rank = Callable[[Any], Any]


def picture_of(table: str, rows: Mapping[str, Any]) -> Snapshot:
    """Return a picture of one table, for a driver whose rows come from an answer and not from a watch."""
    return Snapshot(revision=0, tables={table: rows}, sources={})


class View(Struct, frozen=True):
    """A table an operator can ask for by name.

    `table` is the live-state table it shows, `sources` the tables that must be watched for it. `ranks` are its orders
    by name, the first being the one it opens with (worst first); `ref` gives an object's identity. `optional` are
    tables that it is made from too, where the server has them.
    """

    id: str
    title: str
    noun: str
    table: str
    sources: tuple[str, ...]
    columns: tuple[Column, ...]
    row: Callable[[str, Any, Lens], Row]
    subject: Callable[[Any], Subject]
    ref: Callable[[Any], Ref]
    ranks: Mapping[str, Rank]
    aliases: tuple[str, ...] = ()
    resource: Resource | None = None
    severity: Callable[[Any], Severity] | None = None
    resource_of: Callable[[Any], Resource | None] = lambda _: None
    empty: str = ""
    optional: tuple[str, ...] = ()

    @property
    def first_rank(self) -> str:
        """The name of the order the view opens with."""
        return next(iter(self.ranks))

    def resource_for(self, obj: Any) -> Resource | None:  # noqa: ANN401 - objects of every kind
        """Return the kind an object is fetched by, for describe and YAML."""
        return self.resource or self.resource_of(obj)
