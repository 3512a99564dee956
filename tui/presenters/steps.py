"""What an action does object by object, as a table: a drain's pods with their verdicts, and how far each is; pure."""

from __future__ import annotations

from collections.abc import Sequence

from services.model.action import Step
from services.model.severity import Severity
from tui.presenters.lens import TONES, Lens
from widgets.viewmodels import Column, Row, Span, TableVM, Tone

PLANNED = (
    Column("name", "POD", 20, weight=3),
    Column("fate", "VERDICT", 7),
    Column("seconds", "GRACE", 5, priority=3, right=True),
    Column("limit", "MAY GO", 15, weight=1, priority=1),
    Column("why", "WHY", 28, weight=5, priority=2),
)
RUNNING = (
    Column("name", "POD", 22, weight=3),
    Column("fate", "NOW", 21),
    Column("limit", "BUDGET", 12, weight=1, priority=3),
    Column("why", "WHY", 24, weight=5, priority=1),
)


def present_steps(steps: Sequence[Step], lens: Lens, *, running: bool = False) -> TableVM:
    """Return the table of what is planned for each object, or of how far each is."""
    columns = RUNNING if running else PLANNED
    known = {one.name: one for one in steps}

    def row(key: str) -> Row:
        return _row(known[key], columns, lens)

    return TableVM(columns, tuple(known), row, empty="no pods")


def _row(step: Step, columns: Sequence[Column], lens: Lens) -> Row:
    tone = TONES[step.severity]
    said = {
        "name": Span(lens.text(step.name, 120)),
        "fate": Span(lens.text(step.fate, 40), tone),
        "seconds": Span(f"{step.seconds:.0f} s" if step.seconds else "", Tone.MUTED),
        "limit": Span(lens.text(step.limit, 120)),
        "why": Span(lens.text(step.why, 300), tone if step.severity is not Severity.OK else Tone.MUTED),
    }
    return Row(step.name, tuple(said[one.key] for one in columns))
