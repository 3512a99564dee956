"""What the app does with the console's hands: keys of actions, the menu, arming, what runs, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from services.actions.registry import BY_ID, LISTED
from services.model.alert import Alert, Silence
from services.model.ref import SILENCES, Ref, ref_of
from tui.rights import Rights, hands_are_there
from tui.screens.cursor import CursorScreen
from tui.settling import Settling
from widgets.viewmodels import BarVM

if TYPE_CHECKING:
    from services.model.action import Altered, Ended, Plan
    from services.ports import Changes
    from tui.acting import Acting
    from tui.flows import Flow, Run
    from widgets.live_table import LiveTable


_SILENCE = (SILENCES.group, SILENCES.kind)


class Done(Struct, frozen=True):
    """One line of the action log: what was done when, its exact kubectl command (raw), how it ended."""

    at: float
    title: str
    command: str
    ended: Ended


class Acts(Settling):
    """The part of the app that acts. `confirming` is the flow whose plan is on screen, `running` is what was begun."""

    if TYPE_CHECKING:

        def leave(self) -> None:
            """Keep the place and end."""

        def copy(self, text: str) -> None:
            """Send a text to the terminal's clipboard."""

    confirming: Flow | None = None
    _leaving: object = None
    asked_menu: object = None
    """Which asking for the menu is the last one: what an earlier one finds is about another row."""

    def begin_acting(self) -> None:
        """Begin with nothing done."""
        self.running: list[Run] = []
        self.done: list[Done] = []
        self.rights = Rights(self.console_state.clock, self.work, self._rights_changed)
        self._greyed: tuple[str, ...] = ()
        self._aim: tuple[object, ...] = ()

    def act(self, name: str) -> None:
        """Begin an action on what is shown under the cursor at this moment, or say why that key is off."""
        from tui.beginning import act

        if self._slipped() or self._others_marked():
            return
        ref = self._aimed_at()
        if ref is not None and (reason := self.rights.why_not(name, ref)):
            self.rights.doubt(ref)
            self.say(f"{BY_ID[name].label}: {reason}")
            return
        act(self, name)  # type: ignore[arg-type]

    def note_aim(self) -> None:
        """Note what is under the cursor as a key is taken: until it is answered another thing may have been painted."""
        self._aim = self._seen()

    @property
    def _aimed_table(self) -> LiveTable | None:
        """The table whose row a key is about, where the screen has one."""
        driver = self.front.driver if isinstance(self.front, CursorScreen) else None
        return driver.widget if driver is not None else None

    def _seen(self) -> tuple[object, ...]:
        front, table = self.front, self._aimed_table
        key = table.target_key if table is not None else ""
        return (front, key, front.seen_identity() if front is not None else "")

    def _slipped(self) -> bool:
        """Tell whether something else came under the cursor since the key was taken, and say so."""
        slipped = bool(self._aim) and self._aim != self._seen()
        if slipped:
            self.say("the row under the cursor has changed in this very moment: look again")
        return slipped

    def _others_marked(self) -> bool:
        """Tell whether other rows are marked than the one under the cursor, and say so."""
        table = self._aimed_table
        others = table.marks - {table.target_key} if table is not None else frozenset()
        if others:
            rows = "1 other row is" if len(others) == 1 else f"{len(others)} other rows are"
            self.say(f"{rows} marked, and an action takes one row: esc takes the marks away")
        return bool(others)

    def look_ahead(self) -> None:
        """Find out what may not be done to the thing under the cursor; once a second, once the hands are there."""
        front, console = self.front, self.console_state
        if front is None or not self._handed:
            return
        from tui.aiming import freeze

        subject = front.subject()
        target = freeze(subject, console.feed.snapshot()) if subject is not None else None
        acting = console.acting() if console.acting is not None else None
        if target is not None and acting is not None:
            self.rights.look(target, acting.forbidden)
        ref = target.ref if target is not None else None
        greyed = tuple(self._off(one.id, ref, acting) for one in LISTED if one.footer)
        if greyed != self._greyed:
            self._greyed = greyed
            front.show_footer()

    def why_off(self, name: str) -> str:
        """Return why an action that fits is off all the same: this user's rights, the policy, data that is too old."""
        console = self.console_state
        acting = console.acting() if console.acting is not None and self._handed else None
        return self._off(name, self._aimed_at(), acting)

    def _off(self, name: str, ref: Ref | None, acting: Acting | None) -> str:
        return (self.rights.why_not(name, ref) if ref is not None else "") or (
            acting.why_not(name) if acting is not None else ""
        )

    @property
    def _handed(self) -> bool:
        """Whether what acts has been loaded already: nothing is shown earlier for want of it."""
        return self.console_state.acting is not None and hands_are_there()

    def _rights_changed(self) -> None:
        if self.front is not None and self.front.is_attached:
            self.front.show_footer()

    def _aimed_at(self) -> Ref | None:
        """Return the object under the cursor, or the one that an alert there speaks of."""
        subject = self.front.subject() if self.front is not None else None
        if isinstance(subject, Alert) and self._handed:
            from tui.aiming import freeze

            target = freeze(subject, self.console_state.feed.snapshot())
            return target.ref if target is not None else None
        return ref_of(subject)

    def why_not_act(self, name: str) -> str | None:
        """Return why an action is off here, "" where it may begin, None where it is not for what is shown."""
        front = self.front
        subject = front.subject() if front is not None else None
        if isinstance(subject, Alert):
            return ""
        kind = _SILENCE if isinstance(subject, Silence) else None
        if (ref := ref_of(subject)) is not None:
            kind = (ref.group, ref.kind)
        return "" if kind in BY_ID[name].fits else None

    def do_actions(self) -> None:
        """Show everything that can be done to the thing under the cursor."""
        from tui.beginning import open_menu

        if not self._slipped() and not self._others_marked():
            open_menu(self)  # type: ignore[arg-type]

    def do_arm(self) -> None:
        """Arm actions for a while, or end it."""
        from tui.arming import toggle_armed

        toggle_armed(self)  # type: ignore[arg-type]

    def may_leave(self) -> bool:
        """Return whether nothing runs; where something does, say what goes on and what ends, and ask."""
        if not self.running:
            return True
        if self.screen is self._leaving:
            return False
        from widgets.dialog import ConfirmDialog, sentence_lines
        from widgets.viewmodels import Span, Tone

        def answered(leave: bool | None) -> None:
            if leave:
                self.leave()

        names = ", ".join(run.words for run in self.running)
        lens = self.console_state.lens()
        lines = (
            *sentence_lines(lens.text(f"Still running: {names}.", 300)),
            *sentence_lines("What was sent to the cluster goes on there; nobody here watches it any more."),
            *sentence_lines("It stays open in the audit trail, and the next start finds out how it ended."),
        )
        title = (Span("Leave while something runs", Tone.STRONG),)
        self._leaving = ConfirmDialog(title, lines, key="y", label="leave")
        self.push_screen(self._leaving, answered)
        return False

    def put_back(self, left: Altered) -> None:
        """Begin the inverse of what was left altered."""
        from tui.beginning import acting_of, undo

        acting = acting_of(self)  # type: ignore[arg-type]
        if acting is not None:
            undo(self, acting, left.undo)  # type: ignore[arg-type]

    def look_under(self, changes: Changes) -> None:
        """Take the confirm key away where what it would confirm has changed."""
        if self.confirming is not None:
            self.confirming.look(changes.snapshot)

    def log_action(self, plan: Plan, command: str, ended: Ended) -> None:
        """Remember what was done, for the action log."""
        self.done.append(Done(ended.at or self.console_state.clock.now(), plan.title, command, ended))
        if self.front is not None and self.front.is_attached:
            self.front.show_done()

    def log_settled(self, found: Sequence[Ended]) -> None:
        """Let the action log say of what was done from here how it has ended, once that was found out."""
        known = {ended.intent: ended for ended in found if ended.intent}
        ends = [(one, known.get(one.ended.intent)) for one in self.done]
        self.done = [structs.replace(one, ended=ended) if ended is not None else one for one, ended in ends]
        if self.front is not None and self.front.is_attached:
            self.front.show_done()

    def last_done(self) -> BarVM:
        """Return the line of the last action, without anything where that is long ago."""
        if not self.done:
            return BarVM(())
        from tui.presenters.done import present_strip

        return present_strip(self.done, self.console_state.lens())

    def do_done(self) -> None:
        """Show the commands of all that was done from here; the one that is chosen is copied."""
        from tui.presenters.done import present_log
        from widgets.dialog import ChoiceMenu
        from widgets.viewmodels import Span, Tone

        def chosen(answer: str | None) -> None:
            if answer:
                self.copy(self.done[int(answer)].command)

        title = (Span("Done from this console", Tone.STRONG), Span("  enter copies the command", Tone.MUTED))
        listed = present_log(self.done, self.console_state.lens())
        self.push_screen(ChoiceMenu(title, listed, empty="nothing was done from here yet"), chosen)
