"""What all dialogs share: a framed box over the screen below, which stays as it is and gets none of their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widget import Widget

from widgets.bars import FooterBar
from widgets.pane import Pane
from widgets.viewmodels import FooterVM, KeyHint, Line, PaneVM

Answer = TypeVar("Answer")

WIDEST = 100
_FRAME_ROWS = 2


class Box(Pane):
    """The frame of a dialog."""

    SCOPED_CSS = False  # the class -ascii is set far above it

    DEFAULT_CSS = """
    Box { height: auto; padding: 0 1; border: round $border; }
    Box.-ascii, .-ascii Box, .-ascii Box:focus-within { border: ascii $border; }
    """

    def compose(self) -> ComposeResult:
        """Yield what is framed and nothing else: each widget more delays the first paint."""
        yield from self._content

    def _show_face(self) -> None:
        """Leave what is framed as it is: a dialog always has something to say."""


class Modal(ModalScreen[Answer], Generic[Answer]):
    """A dialog: title in the frame, `body`, and the keys that answer it in the last row.

    The box is as high as the body wants (`body_rows` at a width) and the screen allows. The screen below is not
    repainted, and the key that gives the answer ends here.
    """

    DEFAULT_CSS = """
    Modal { align: center middle; }
    """

    widest = WIDEST
    beside = 2
    """The cells left free at the sides of the box, where the screen has more than 60."""

    def __init__(self, title: Line, hints: Iterable[KeyHint] = ()) -> None:
        super().__init__()
        self._foot = FooterBar()
        self._box: Box | None = None
        self._title_line = title
        self._hints = tuple(hints)
        self._answered = False
        self._once_in_front: Callable[[], None] | None = None

    def body(self) -> Iterable[Widget]:
        """Return the widgets between the title and the keys; the one to be fitted has the class `-fits`."""
        return ()

    def body_rows(self, width: int) -> int:
        """Return the rows that the body wants in so many cells."""
        raise NotImplementedError

    @property
    def fixed_rows(self) -> int:
        """The rows of the body besides the one that is fitted."""
        return 0

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        self._box = Box(*self.body(), self._foot)
        yield self._box

    def on_mount(self) -> None:
        """Say title and keys."""
        self.styles.background = "transparent"
        self.set_title(self._title_line)
        self.set_hints(self._hints)
        self.fit()
        self.opened()

    def opened(self) -> None:
        """Begin; the body is there."""

    def set_title(self, title: Line, state: Line = ()) -> None:
        """Show a title in the frame, and something at its right."""
        self._title_line = title
        if self._box is not None:
            self._box.set_vm(PaneVM("", title, state))

    def set_hints(self, hints: Iterable[KeyHint], aside: Line = ()) -> None:
        """Show the keys that answer, and something at their right."""
        self._hints = tuple(hints)
        self._foot.set_vm(FooterVM(self._hints, aside))

    def hide_keys(self, *, hidden: bool = True) -> None:
        """Take the row of keys away while the body has its own, or bring it back."""
        self._foot.display = not hidden

    def on_resize(self, _event: events.Resize) -> None:
        """Fit the box to the screen."""
        self.fit()

    def fit(self) -> None:
        """Give box and body the size they can have."""
        width, height = self.app.size
        outer = min(self.widest, width - self.beside if width > 60 else width)
        rows = min(max(1, self.body_rows(outer - 4)), height - _FRAME_ROWS - 1 - self.fixed_rows)
        if self._box is not None:
            self._box.styles.width = outer
            self.share(max(1, rows), outer - 4)

    def share(self, rows: int, _width: int) -> None:
        """Give the rows there are to what is to be fitted, in a body of so many cells."""
        for widget in self.query(".-fits"):
            widget.styles.height = rows

    def answer(self, result: Answer) -> None:
        """Give the answer, once: when this dialog is in front, since Textual (8.2.8) closes the one that is."""
        if self._answered:
            return
        if self.app.screen is self:
            self._answered = True
            self.dismiss(result)
        else:
            self._once_in_front = partial(self.answer, result)

    def on_screen_resume(self) -> None:
        """Give the answer that had to wait for a dialog above this one."""
        if self._once_in_front is not None:
            self._once_in_front()
