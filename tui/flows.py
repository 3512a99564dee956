"""From a key to a result: the target frozen, the plan read, the answer given, the run watched, the end told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from services.actions.guard import OLDEST, Consent, Deny, consents
from services.actions.registry import BY_ID, Listed, listed_for
from services.actions.runner import Orders
from services.errors import Problem
from services.model.action import Ended, Outcome, Plan, Progress, Target, Undo
from services.model.ref import ALERTS
from services.ports import Snapshot
from tui.aiming import OF_ALERTING, Aim, Watched, aims, freeze, moved, replaced, row_of
from tui.bindings import printed
from tui.blocked import show_blocked
from tui.presenters.action import Where, asks_for, named, present_end, present_plan, present_progress, present_title
from tui.presenters.lens import Lens, age
from tui.presenters.steps import present_steps
from tui.screens.cursor import CursorScreen
from widgets.dialog import ChoiceMenu, MessageDialog, sentence_lines
from widgets.form import Field, FormDialog
from widgets.plan_dialog import PlanDialog, RunDialog
from widgets.viewmodels import Choice, KeyHint, Line, Span, Tone

if TYPE_CHECKING:
    from tui.acting import Acting, Planned, Words
    from tui.app import QuarterdeckApp

CONFIRM, STOP = "y", "s"
STOPPED = "stopped, as asked"


def acting_of(app: QuarterdeckApp) -> Acting | None:
    """Return the console's hands, or say why it has none."""
    console = app.console_state
    hands = console.acting() if console.acting is not None else None
    if hands is None:
        app.say("nothing can be done here: no cluster is connected yet")
    return hands


def open_menu(app: QuarterdeckApp) -> None:
    """Show every action of the thing under the cursor, with its key, and grey with its reason where it is off."""
    front, acting = app.front, acting_of(app)
    if front is None or acting is None:
        return
    subject, snapshot = front.acted_on(), app.console_state.feed.snapshot()
    found = aims(subject, snapshot, acting.cluster)
    if not found:
        app.say("there is no object under the cursor that anything could be done to")
        return
    if unseen := replaced(found[0].target, subject, front.seen_identity()):
        app.say(unseen)
        return
    lens = app.console_state.lens()
    offered = {one.id: (one, aim) for aim in found for one in listed_for(aim.target.ref.group, aim.target.ref.kind)}

    def chosen(answer: str | None) -> None:
        if answer:
            listed, aim = offered[answer]
            begin(app, acting, listed, aim.target, aim.given)

    def choice(one: Listed, aim: Aim, forbidden: Mapping[str, str]) -> Choice:
        grey = forbidden.get(one.id) or _grey(acting, one, aim.row, snapshot)
        text = one.text if aim is found[0] else f"{named(aim.target, lens)}: {one.text}"
        return Choice(one.id, one.label, text, one.key, lens.text(grey))

    def show(forbidden: Mapping[str, str] | None, _problem: Problem | None) -> None:
        if app.front is not front or app.screen is not front or app.asked_menu is not asked:
            return
        choices = [choice(one, aim, forbidden or {}) for one, aim in offered.values()]
        title = (Span("Actions", Tone.STRONG), Span(f"  {named(found[0].target, lens)}", Tone.MUTED))
        app.push_screen(ChoiceMenu(title, choices, empty="nothing can be done to it"), chosen)

    async def forbidden() -> Mapping[str, str]:
        return {name: why for aim in found for name, why in (await acting.forbidden(aim.target)).items()}

    asked = app.asked_menu = object()
    app.work(forbidden, show)


def act(app: QuarterdeckApp, name: str) -> None:
    """Begin an action on the thing that is shown under the cursor at this very moment."""
    listed = BY_ID[name]
    if isinstance(app.front, CursorScreen) and app.front.target() is None:
        app.say(f"{listed.label}: nothing is under the cursor")
        return
    if app.why_not_act(name) is None and (cousin := app.console_state.keymap.hint_of(listed.key)):
        app.say(f"{printed(listed.key)} {cousin}")
        return
    front, acting = app.front, acting_of(app)
    if front is None or acting is None:
        return
    snapshot = app.console_state.feed.snapshot()
    subject = front.acted_on()
    found = aims(subject, snapshot, acting.cluster)
    aim = next((one for one in found if (one.target.ref.group, one.target.ref.kind) in listed.fits), None)
    if aim is None:
        what = found[-1].target.ref.kind if found else "what is under the cursor"
        app.say(f"{listed.label}: not for {what}")
        return
    if grey := _grey(acting, listed, aim.row, snapshot) or replaced(aim.target, subject, front.seen_identity()):
        app.say(f"{listed.label}: {grey}")
        return
    begin(app, acting, listed, aim.target, aim.given)


def begin(app: QuarterdeckApp, acting: Acting, listed: Listed, target: Target, given: Mapping[str, str]) -> None:
    """Ask for what an action needs to know, then plan it; what is put back knows it already."""
    if listed.id == "shell":
        from tui.shell import open_shell

        open_shell(app, acting, listed, target, given)
        return
    why = {"comment"} if acting.policy.wants_reason(listed.id) else set()
    missing = [one for one in listed.parameters if (one.required or one.name in why) and not given.get(one.name)]
    if not missing or given.keys() & {"wanted", "until", "ids"}:
        Flow(app, acting, listed, target, given).ask()
        return
    if listed.id == "silence" and target.resource == ALERTS:
        from tui.silencing import Silencing

        Silencing(app, acting.policy, target, given, Flow.after(app, acting, listed, target)).ask()
        return
    from tui.prefilled import fields_of

    fields = fields_of(listed, target, given, missing, app.console_state.feed.snapshot())
    values: dict[str, str] = {}

    def filled(found: Mapping[str, str]) -> None:
        from tui.silencing import lacking

        lacks = lacking(acting.policy, listed.id, found["comment"]) if found.get("comment") else ""
        values.update({name: text.strip() for name, text in found.items() if text.strip()})
        if lacks:
            form.refuse(lacks)
        else:
            form.accept()

    def left(confirmed: bool | None) -> None:
        if confirmed:
            Flow(app, acting, listed, target, {**given, **values}).ask()

    lens = app.console_state.lens()
    title = (Span(listed.label.capitalize(), Tone.STRONG), Span(f"  {named(target, lens)}", Tone.MUTED))
    form = FormDialog(title, fields, filled, key=CONFIRM, label="look at the plan")
    app.push_screen(form, left)


class Flow:
    """One action from its plan to its end. All of it runs on the screen's loop; the work itself on the service's."""

    def __init__(
        self, app: QuarterdeckApp, acting: Acting, listed: Listed, target: Target, given: Mapping[str, str]
    ) -> None:
        self._app = app
        self._acting = acting
        self._listed = listed
        self._target = target
        self._given = given
        self._seen: list[Progress] = []
        self._dialog: PlanDialog | None = None
        self._run: RunDialog | None = None
        self._ended: Ended | None = None
        self._words: Words | None = None
        self._stopped = ""
        self._watched: Watched | None = None
        self._before = app.console_state.feed.snapshot()

    @classmethod
    def after(
        cls, app: QuarterdeckApp, acting: Acting, listed: Listed, target: Target
    ) -> Callable[[Mapping[str, str]], None]:
        """Return what begins it with the answers of a form."""
        return lambda given: cls(app, acting, listed, target, given).ask()

    @property
    def _what(self) -> str:
        return f"{self._listed.id} {self._target.ref.uid}"

    # The plan

    def ask(self) -> None:
        """Ask the server what it would change; leaving the dialog asks no further."""
        lens = self._app.console_state.lens()
        title = (Span(self._listed.label.capitalize(), Tone.STRONG), Span(f"  {named(self._target, lens)}", Tone.MUTED))
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
        title = (Span(f"{self._listed.label.capitalize()}: not here", Tone.STRONG),)
        self._app.push_screen(MessageDialog(title, sentence_lines(lens.text(sentence, 600))))

    # The confirmation

    def _confirm(self, found: Planned) -> None:
        app, plan = self._app, found.plan
        assert not isinstance(found.verdict, Deny)  # noqa: S101 - asked for by the caller
        allow, lens = found.verdict, app.console_state.lens()
        where = self._where(plan)
        policy = self._acting.policy
        wanted = asks_for(plan, allow, reason=policy.wants_reason(plan.action), ticket=policy.ticket)
        said = self._given.get("comment", "").strip()
        asked = [one for one in wanted if one[0] != "reason" or not said]
        kept = app.reasons.get(self._what, "")
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
            app.reasons[self._what] = dialog.values.get("reason", "")
            if answer and confirmed:
                self._begin(Orders(plan, confirmed[0]))

        confirmed: list[Consent] = []
        title, lines = present_title(plan, where, lens), present_plan(plan, allow, where, lens)
        dialog = PlanDialog(title, lines, fields, submit, key=CONFIRM, label=self._listed.label.capitalize())
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
            command = f"{scope.kubectl(plan.target.ref.namespace)} {command}"
        return Where(scope.cluster, scope.environment, command, self._acting.tells(plan))

    # The run

    def _begin(self, orders: Orders) -> None:
        app, lens = self._app, self._app.console_state.lens()
        where = self._where(orders.plan)
        stays = {STOP: self._stop} if orders.plan.steps else {}
        run = self._run = RunDialog(present_title(orders.plan, where, lens), (), (_GOES_ON,), stays=stays)
        loop = asyncio.get_running_loop()

        async def note(progress: Progress) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._progress, progress)

        def left(answer: str | None) -> None:
            self._run = None
            self._answered(answer or "", where)

        app.running.append(self)
        app.push_screen(run, left)
        app.work(
            lambda: self._acting.run(orders, note, lambda: self._stopped),
            lambda ended, problem: self._over(ended, problem, orders, where),
        )

    @property
    def words(self) -> str:
        """What runs, for whoever wants to leave."""
        return f"{self._listed.label} {self._target.ref.key}"

    def _progress(self, progress: Progress) -> None:
        self._seen.append(progress)
        if self._run is not None and self._ended is None:
            lens = self._app.console_state.lens()
            table = present_steps(progress.steps, lens, running=True) if progress.steps else None
            stop = (KeyHint(STOP, "stop"),) if progress.steps and not self._stopped else ()
            self._run.show(present_progress(self._seen, lens), (*stop, _GOES_ON), table=table)

    def _stop(self) -> None:
        """Ask for nothing more; what was asked for goes on."""
        self._stopped = STOPPED

    def _over(self, ended: Ended | None, problem: Problem | None, orders: Orders, where: Where) -> None:
        app = self._app
        with contextlib.suppress(ValueError):
            app.running.remove(self)
        if ended is None:
            said = problem.sentence if problem is not None else "the service thread has ended"
            ended = Ended(Outcome.UNKNOWN, said)
        self._ended = ended
        if ended.outcome is not Outcome.CANCELLED:
            app.reasons.pop(self._what, None)
        app.log_action(orders.plan, where.command, ended)
        if self._run is None:
            app.say(f"{self.words}: {ended.outcome.value}: {ended.text}")
            return
        lens = app.console_state.lens()
        self._words = self._acting.words_of(orders, ended)
        lines: list[Line] = [*present_progress(self._seen, lens, over=True), (), *present_end(ended, lens)]
        self._run.show([*lines, *self._told(lens)], self._keys(ended))

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

    def _answered(self, key: str, where: Where) -> None:
        if key == "c":
            self._app.copy(where.command)
        elif key == "T" and (words := self._words) is not None:
            from tui.telling import tell_words

            tell_words(self._app, words)
        elif key == "U" and self._ended is not None and self._ended.undo is not None:
            undo(self._app, self._acting, self._ended.undo)
        elif self._ended is None and not key:
            self._app.say(f"{self.words} goes on; its end will be said here")


def undo(app: QuarterdeckApp, acting: Acting, inverse: Undo) -> None:
    """Begin the inverse of what was done, on the same object, guarded and confirmed like everything else."""
    now = app.console_state.clock.now()
    if inverse.until and now > inverse.until:
        app.say(f"the time to {inverse.words} is over")
        return
    target = Target(inverse.ref, inverse.resource, as_of=now)
    row = row_of(inverse.ref, app.console_state.feed.snapshot())
    frozen = freeze(row, app.console_state.feed.snapshot()) if row is not None else None
    if frozen is not None and frozen.ref.uid == inverse.ref.uid:
        target = structs.replace(frozen, ref=inverse.ref)
    begin(app, acting, BY_ID[inverse.action], target, inverse.parameters)


def _grey(acting: Acting, listed: Listed, row: object, snapshot: Snapshot) -> str:
    from services.actions.registry import action

    return acting.why_not(listed.id) or action(listed.id).available(row, snapshot)


_LEAVE = KeyHint("esc", "leave")
_GOES_ON = KeyHint("esc", "leave it running")
