"""From a frozen target to a result: the plan read, the answer given, the run watched, the end told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from services.actions.guard import OLDEST, Consent, Deny, consents
from services.actions.registry import Listed
from services.actions.runner import Orders
from services.errors import Problem
from services.model.action import Ended, Outcome, Plan, Progress, Target
from services.ports import Snapshot
from tui.aiming import OF_ALERTING, Watched, moved
from tui.blocked import show_blocked
from tui.presenters.action import Where, asks_for, named, present_end, present_plan, present_progress, present_title
from tui.presenters.lens import Lens, age
from tui.presenters.steps import present_steps
from widgets.dialog import MessageDialog, sentence_lines
from widgets.form import Field
from widgets.plan_dialog import PlanDialog, RunDialog
from widgets.viewmodels import KeyHint, Line, Span, Tone

if TYPE_CHECKING:
    from tui.acting import Acting, Planned, Words
    from tui.app import QuarterdeckApp

CONFIRM, STOP = "y", "s"
STOPPED = "stopped, as asked"
LOOKS_AGAIN = "this console looks again"

_LEAVE = KeyHint("esc", "leave")
_GOES_ON = KeyHint("esc", "leave it running")


def _about(listed: Listed, target: Target) -> str:
    """Return under what a reason that was typed is kept, until the action is over."""
    return f"{listed.id} {target.ref.uid}"


class Flow:
    """One action from its target to the plan that is confirmed. All of it runs on the screen's loop."""

    def __init__(
        self, app: QuarterdeckApp, acting: Acting, listed: Listed, target: Target, given: Mapping[str, str]
    ) -> None:
        self._app = app
        self._acting = acting
        self._listed = listed
        self._target = target
        self._given = given
        self._dialog: PlanDialog | None = None
        self._watched: Watched | None = None
        self._before = app.console_state.feed.snapshot()

    @classmethod
    def after(
        cls, app: QuarterdeckApp, acting: Acting, listed: Listed, target: Target
    ) -> Callable[[Mapping[str, str]], None]:
        """Return what begins it with the answers of a form."""
        return lambda given: cls(app, acting, listed, target, given).ask()

    def ask(self) -> None:
        """Ask the server what it would change; leaving the dialog asks no further."""
        lens = self._app.console_state.lens()
        title = (Span(self._listed.title, Tone.STRONG), Span(f"  {named(self._target, lens)}", Tone.MUTED))
        of_alerting = self._target.resource in OF_ALERTING
        asks = "the Alertmanagers what it would hide" if of_alerting else "the server what it would change"
        old = lens.now - self._target.as_of if self._target.as_of else 0.0
        said = f"; what is shown is {age(old)} old" if old > OLDEST else ""
        waiting = RunDialog(title, ((Span(f"asking {asks}{said}", Tone.MUTED),),), (_LEAVE,))
        open_still = [True]

        def left(_answer: str | None) -> None:
            open_still[0] = False

        def planned(found: Planned | None, problem: Problem | None) -> None:
            if not open_still[0]:
                return
            waiting.answer("")
            self._app.call_later(self._show, found, problem)

        self._app.push_screen(waiting, left)
        self._app.work(lambda: self._acting.plan(self._listed.id, self._target, self._given), planned)

    def _show(self, found: Planned | None, problem: Problem | None) -> None:
        if found is None:
            self._refused(problem.sentence if problem is not None else "the server did not answer")
        elif isinstance(found.verdict, Deny) and found.plan.blocked == found.verdict.reason:
            again = Flow.after(self._app, self._acting, self._listed, self._target)
            show_blocked(
                self._app, found.plan, self._where(found.plan), listed=self._listed, given=self._given, again=again
            )
        elif isinstance(found.verdict, Deny):
            self._refused(found.verdict.reason)
        else:
            self._confirm(found)

    def _refused(self, sentence: str) -> None:
        lens = self._app.console_state.lens()
        title = (Span(f"{self._listed.title}: not here", Tone.STRONG),)
        self._app.push_screen(MessageDialog(title, sentence_lines(lens.text(sentence, 600))))

    def _confirm(self, found: Planned) -> None:
        app, plan = self._app, found.plan
        assert not isinstance(found.verdict, Deny)  # noqa: S101 - asked for by the caller
        allow, lens = found.verdict, app.console_state.lens()
        where = self._where(plan)
        policy = self._acting.policy
        wanted = asks_for(plan, allow, reason=policy.wants_reason(plan.action), ticket=policy.ticket)
        said = self._given.get("comment", "").strip()
        asked = [one for one in wanted if one[0] != "reason" or not said]
        about = _about(self._listed, self._target)
        kept = app.reasons.get(about, "")
        fields = [Field(name, label, kept if name == "reason" else "", (), True) for name, label in asked]

        def submit(values: Mapping[str, str]) -> None:
            consent = Consent(values.get("reason", "").strip() or said, values.get("typed", "").strip())
            missing = consents(allow, plan, self._acting.policy, consent)
            if dialog.disarmed or missing:
                dialog.refuse(dialog.disarmed or missing)
                return
            confirmed.append(consent)
            dialog.accept()

        def left(answer: bool | None) -> None:
            app.confirming = None
            app.reasons[about] = dialog.values.get("reason", "")
            if answer and confirmed:
                self.begin(Orders(plan, confirmed[0]))

        confirmed: list[Consent] = []
        title, lines = present_title(plan, where, lens), present_plan(plan, allow, where, lens)
        dialog = PlanDialog(title, lines, fields, submit, key=CONFIRM, label=self._listed.title)
        dialog.list_steps(present_steps(plan.steps, lens))
        self._dialog = dialog
        app.confirming = self
        app.push_screen(dialog, left)
        snapshot = app.console_state.feed.snapshot()
        self._watched = Watched(plan, snapshot) if "wanted" in plan.parameters else None
        self.look(snapshot)
        self._offer_holding(plan, dialog)

    def _offer_holding(self, plan: Plan, dialog: PlanDialog) -> None:
        from tui.holding import offer_holding

        again = Flow(self._app, self._acting, self._listed, self._target, self._given)
        offer_holding(self._app, self._acting, plan, dialog, again.ask)

    def look(self, snapshot: Snapshot) -> None:
        """Take the confirm key away where the object is no longer what the plan was made for."""
        if self._dialog is None:
            return
        lens = self._app.console_state.lens()
        changed = moved(self._target, snapshot, lambda who: lens.name("user", who), self._before)
        if said := changed or (self._watched.news(snapshot) if self._watched is not None else ""):
            self._dialog.disarm(lens.text(said, 400))

    def _where(self, plan: Plan) -> Where:
        scope = self._app.console_state.scope
        command = plan.command
        if plan.target.resource not in OF_ALERTING:
            command = scope.command(plan.target.ref.namespace, command)
        return Where(scope.cluster, scope.environment, command, self._acting.tells(plan))

    def begin(self, orders: Orders) -> None:
        """Run what was confirmed."""
        where = self._where(orders.plan)
        Run(self._app, self._acting, orders, where, listed=self._listed, target=self._target, over=self.over).begin()

    def over(self, run: Run, ended: Ended) -> None:
        """Take the end of the run; one that was begun for the sake of another goes back to that."""


class Run:
    """One confirmed plan until its end, which is said where the operator is by then; the service thread does the work.

    `over` is told of its end; of one that nobody knows it is not.
    """

    def __init__(
        self,
        app: QuarterdeckApp,
        acting: Acting,
        orders: Orders,
        where: Where,
        *,
        listed: Listed,
        target: Target,
        over: Callable[[Run, Ended], None],
    ) -> None:
        self._app = app
        self._acting = acting
        self._orders = orders
        self._where = where
        self._listed = listed
        self._target = target
        self._then = over
        self._seen: list[Progress] = []
        self._dialog: RunDialog | None = None
        self._ended: Ended | None = None
        self._words: Words | None = None
        self._stopped = ""

    def begin(self) -> None:
        """Show the run, and let the service thread do it."""
        app, orders = self._app, self._orders
        stays = {STOP: self._stop} if orders.plan.steps else {}
        title = present_title(orders.plan, self._where, app.console_state.lens())
        dialog = self._dialog = RunDialog(title, (), (_GOES_ON,), stays=stays)
        loop = asyncio.get_running_loop()

        async def note(progress: Progress) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._progress, progress)

        def left(answer: str | None) -> None:
            self._dialog = None
            self._answered(answer or "")

        app.running.append(self)
        app.push_screen(dialog, left)
        app.work(lambda: self._acting.run(orders, note, lambda: self._stopped), self._over)

    @property
    def words(self) -> str:
        """What runs, for whoever wants to leave."""
        return f"{self._listed.label} {self._target.ref.key}"

    def _progress(self, progress: Progress) -> None:
        self._seen.append(progress)
        if self._dialog is not None and self._ended is None:
            lens = self._app.console_state.lens()
            table = present_steps(progress.steps, lens, running=True) if progress.steps else None
            stop = (KeyHint(STOP, "stop"),) if progress.steps and not self._stopped else ()
            self._dialog.show(present_progress(self._seen, lens), (*stop, _GOES_ON), table=table)

    def _stop(self) -> None:
        """Ask for nothing more; what was asked for goes on."""
        self._stopped = STOPPED

    def leave(self) -> bool:
        """Close what shows the run; False where that was left already."""
        if self._dialog is None:
            return False
        self._dialog.answer("")
        return True

    def _over(self, ended: Ended | None, problem: Problem | None) -> None:
        with contextlib.suppress(ValueError):
            self._app.running.remove(self)
        if ended is None:
            said = problem.sentence if problem is not None else "the service thread has ended"
            self._end(Ended(Outcome.UNKNOWN, said))
        else:
            self._end(ended)
            self._then(self, ended)

    def _end(self, ended: Ended) -> None:
        app, plan = self._app, self._orders.plan
        self._ended = ended
        if ended.outcome is not Outcome.CANCELLED:
            app.reasons.pop(_about(self._listed, self._target), None)
        app.log_action(plan, self._where.command, ended)
        if ended.outcome is Outcome.UNKNOWN:
            app.look_again()
        if self._dialog is None:
            app.say(f"{self.words}: {ended.outcome.value}: {ended.text}")
            return
        lens = app.console_state.lens()
        self._words = self._acting.words_of(self._orders, ended)
        said = present_end(ended, lens, again=LOOKS_AGAIN)
        lines: list[Line] = [
            *present_progress(self._seen, lens, over=True, well=ended.outcome is Outcome.OK),
            (),
            *said,
        ]
        self._dialog.show([*lines, *self._told(lens)], self._keys(ended))

    def _told(self, lens: Lens) -> list[Line]:
        """Return what is told of it, as its readers will see it, or has been told already."""
        if self._words is None:
            return []
        from tui.presenters.outbox import draft

        head = "told, as the configuration says:" if self._words.told else "T tells:"
        config = self._words.outgoing.config
        return [(), (Span(head, Tone.NOTICE),), *draft(self._words.messages, config.notify, lens)]

    def _keys(self, ended: Ended) -> tuple[KeyHint, ...]:
        keys = [KeyHint("T", "tell")] if self._words is not None and not self._words.told else []
        keys += [KeyHint("U", "undo")] if ended.undo is not None else []
        return (*keys, KeyHint("c", "copy the command"), KeyHint("esc", "close"))

    def _answered(self, key: str) -> None:
        if key == "c":
            self._app.copy(self._where.command)
        elif key == "T" and (words := self._words) is not None:
            from tui.telling import tell_words

            tell_words(self._app, words)
        elif key == "U" and self._ended is not None and self._ended.undo is not None:
            from tui.beginning import undo

            undo(self._app, self._acting, self._ended.undo)
        elif self._ended is None and not key:
            self._app.say(f"{self.words} goes on; its end will be said here")
