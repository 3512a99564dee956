"""Shows any kind the server knows, with the columns the server itself prints."""

from __future__ import annotations

from services.model.cluster import TableInfo, TableRow
from services.model.ref import Resource
from services.model.severity import Severity
from tui.presenters.lens import Lens
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Row, Span, Tone

INFO_TABLE = "columns"
"""The live-state table that holds the columns of each kind shown this way."""


def generic_view(resource: Resource, info: TableInfo | None) -> View:
    """Return the view of a kind; before its columns are known it has the name alone."""
    named = info.columns if info is not None else ()
    columns = [Column("namespace", "NAMESPACE", 10, weight=1, priority=1)] if resource.namespaced else []
    for index, column in enumerate(named):
        first = index == 0
        columns.append(
            Column(
                f"c{index}",
                column.name.upper(),
                18 if first else max(5, len(column.name)),
                weight=3 if first else 1,
                priority=0 if first else column.priority * 20 + index,
                right=column.type in ("integer", "number"),
            )
        )

    def row(key: str, obj: TableRow, lens: Lens) -> Row:
        cells = [Span(lens.text(cell)) for cell in obj.cells]
        if resource.namespaced:
            cells.insert(0, Span(lens.text(obj.ref.namespace), Tone.MUTED))
        return Row(key, tuple(cells))

    return View(
        id=resource.table,
        title=resource.kind,
        noun=resource.kind,
        table=resource.printed,
        sources=(resource.printed,),
        columns=tuple(columns) or (Column("name", "NAME", 20, weight=1),),
        row=row,
        subject=lambda obj: Subject(
            f"{obj.ref.namespace}/{' '.join(obj.cells)}", obj.ref.namespace, Severity.OK, obj.labels
        ),
        ref=lambda obj: obj.ref,
        ranks={
            "name": lambda obj: (obj.ref.namespace, obj.ref.name),
            "age": lambda obj: -obj.created_at,
            "namespace": lambda obj: (obj.ref.namespace, obj.ref.name),
        },
        resource=resource,
        empty=f"no {resource.plural} here",
    )
