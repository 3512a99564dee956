"""Shows what is about to happen and asks for it: a text that may still change, what must be said, one confirm key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from widgets.dialog import ARMED_AFTER
from widgets.form import Field, FormDialog
from widgets.live_table import LiveTable
from widgets.modal import Modal
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, KeyHint, Line, Span, TableVM, TextVM, Tone

WIDE = 150
"""The most cells of a dialog that has a table."""

LEAST = 4
"""The rows that a table keeps where there is little room, its header among them."""


class StepTable(LiveTable):
    """What an action does object by object, below its text; as high as its rows, hidden while there are none."""

    DEFAULT_CSS = """
    StepTable { height: auto; margin-top: 1; }
    """

    def __init__(self, vm: TableVM | None) -> None:
        super().__init__(classes="plan--steps")
        self.display = False
        if vm is not None:
            self.show(vm)

    def show(self, vm: TableVM) -> None:
        """Show other rows."""
        self.display = bool(vm.order)
        self.set_vm(vm)

    @property
    def rows(self) -> int:
        """The lines it wants: a blank one, the header, its rows."""
        return len(self.vm.order) + 2 if self.display else 0

    def share(self, text: TextView, rows: int, width: int) -> None:
        """Divide rows with the text above: that has what it wants as long as the table keeps its least."""
        if not self.display:
            return
        mine = min(self.rows, max(rows - text.rows_at(width - 1), min(self.rows, LEAST)))
        text.styles.height = max(1, rows - mine)
        self.styles.height = max(1, mine - 1)


class PlanDialog(FormDialog):
    """A plan, the fields that must be filled in, and Cancel, which stands focused, beside the one confirm key.

    While the answers or a field have the keys, pgdn and pgup turn the pages of the plan where it does not fit, and then
    those of the table below it. What is broken off a line stands below the text before, not below its label.

    The key is live `armed_after` seconds after the answers were reached. `disarm` takes it away for good and says why:
    what was read no longer holds. Keys that are `offer`ed leave the dialog for something else.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "turn(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
    ]

    def __init__(
        self,
        title: Line,
        lines: Sequence[Line],
        fields: Sequence[Field],
        submit: Callable[[Mapping[str, str]], None],
        *,
        key: str,
        label: str,
        clock: Callable[[], float] = time.monotonic,
        armed_after: float = ARMED_AFTER,
    ) -> None:
        super().__init__(title, fields, submit, key=key, label=label, clock=clock, armed_after=armed_after)
        self.table = StepTable(None)
        self.text = TextView(TextVM((), lines), wrap=True, hang=LABEL_CELLS, focusable=False, classes="-fits")
        self.disarmed = ""
        self._cut = False
        self._extra: dict[str, KeyHint] = {}
        self._offered: Callable[[str], None] | None = None

    def body(self) -> Iterable[Widget]:
        """Return the plan above the fields."""
        yield self.text
        yield self.table
        yield from super().body()

    def body_rows(self, width: int) -> int:
        """Return the rows of the plan."""
        return self.text.rows_at(width - 1) + self.table.rows

    def share(self, rows: int, width: int) -> None:
        """Divide the rows between the plan's text and its table."""
        super().share(rows, width)
        self.table.share(self.text, rows, width)
        self._cut = self.body_rows(width) > rows
        self._show_keys()

    @property
    def fixed_rows(self) -> int:
        """A row a field, the note, the answers."""
        return len(self._fields) + 2

    def opened(self) -> None:
        """Begin with the first field, else with the answers."""
        self._show_keys()
        super().opened()

    @property
    def _at_end(self) -> bool:
        """Whether the last page of all is shown."""
        order = self.table.vm.order if self.table.display else ()
        return self.text.top == self.text.last_top and (not order or self.table.target_key == order[-1])

    def _show_keys(self) -> None:
        more = (KeyHint("pgup", "back") if self._at_end else KeyHint("pgdn", "more"),) if self._cut else ()
        self.set_hints((*more, *self._extra.values(), KeyHint("esc", "cancel")))

    @property
    def armed(self) -> bool:
        """Whether the confirm key is live."""
        return self.answers.armed

    def action_turn(self, pages: int) -> None:
        """Turn a page of the plan, or of its table where the plan has no more pages that way."""
        turned: TextView | StepTable = self.text
        if self.text.top == (self.text.last_top if pages > 0 else 0) and self.table.display:
            turned = self.table
        if pages > 0:
            turned.action_page_down()
        else:
            turned.action_page_up()
        self.call_after_refresh(self._show_keys)

    def list_steps(self, table: TableVM) -> None:
        """Show a table below the plan; called before it is opened."""
        self.table.show(table)
        self.widest = WIDE if self.table.display else self.widest

    def offer(self, keys: Iterable[KeyHint], chosen: Callable[[str], None]) -> None:
        """Let these keys leave the dialog, unconfirmed, for what `chosen` does; called before it is opened."""
        self._extra, self._offered = {one.key: one for one in keys}, chosen

    def disarm(self, reason: str) -> None:
        """Let nothing be confirmed any more, and say why."""
        if not self.disarmed:
            self.disarmed = reason
            self.answers.disable()
            self._say((Span(reason, Tone.WARN),))

    def on_key(self, event: events.Key) -> None:
        """Answer one of the extra keys, where no field is being typed into."""
        typed = event.character if event.character in self._extra else event.key
        hint = self._extra.get(typed)
        if hint is not None and self.answers.has_focus:
            event.stop()
            self.answer(False)
            if self._offered is not None:
                self.app.call_later(self._offered, typed)


class RunDialog(Modal[str]):
    """Shows something that goes on: `show` replaces its text, and the keys that answer it now. Esc answers "".

    Leaving it does not end what goes on. A key that `stays` does something and leaves the dialog open.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", show=False),
        Binding("enter", "leave", show=False),
    ]

    def __init__(
        self,
        title: Line,
        lines: Sequence[Line],
        keys: Sequence[KeyHint] = (),
        *,
        table: TableVM | None = None,
        stays: Mapping[str, Callable[[], None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        armed_after: float = ARMED_AFTER,
    ) -> None:
        super().__init__(title, keys)
        self.table = StepTable(table)
        self.widest = WIDE if self.table.display else self.widest
        self._stays = stays or {}
        self._keys = {one.key: one for one in keys}
        self._clock = clock
        self._armed_after = armed_after
        self._changed_at = clock()
        self.text = TextView(TextVM((), lines), wrap=True, hang=LABEL_CELLS, classes="-fits")

    def body(self) -> Iterable[Widget]:
        """Return the text, and the table."""
        yield self.text
        yield self.table

    def body_rows(self, width: int) -> int:
        """Return the rows of both."""
        return self.text.rows_at(width - 1) + self.table.rows

    def share(self, rows: int, width: int) -> None:
        """Divide the rows between text and table."""
        super().share(rows, width)
        self.table.share(self.text, rows, width)

    def opened(self) -> None:
        """Let the table take the keys that scroll, where there is one, else the text; it may be over already."""
        self.set_hints(tuple(self._keys.values()))
        (self.table if self.table.display else self.text).focus()

    @property
    def armed(self) -> bool:
        """Whether its keys are live."""
        return self._clock() - self._changed_at >= self._armed_after

    def show(
        self, lines: Sequence[Line], keys: Sequence[KeyHint] = (), aside: Line = (), table: TableVM | None = None
    ) -> None:
        """Show another text, and another table where one is given; new keys are live only a while later."""
        if {one.key for one in keys} - set(self._keys):
            self._changed_at = self._clock()
        self._keys = {one.key: one for one in keys}
        self.text.set_vm(TextVM((), lines))
        if table is not None:
            shown = self.table.display
            self.table.show(table)
            self.widest = WIDE if self.table.display else self.widest
            if self.is_mounted and self.table.display and not shown:
                self.table.focus()
        if self.is_mounted:
            self.set_hints(keys, aside)
            self.fit()

    def action_leave(self) -> None:
        """Leave it going on."""
        self.answer("")

    def on_key(self, event: events.Key) -> None:
        """Answer with one of its keys, once it is live; one that is off says why."""
        typed = event.character if event.character in self._keys else event.key
        hint = self._keys.get(typed)
        if hint is None or typed == "escape":
            return
        event.stop()
        if hint.reason:
            self.set_hints(tuple(self._keys.values()), (Span(hint.reason, Tone.WARN),))
        elif self.armed and typed in self._stays:
            self._stays[typed]()
        elif self.armed:
            self.answer(typed)
