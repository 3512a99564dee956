"""From a key to a plan that is asked for: what is under the cursor frozen, and what has to be known first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from services.actions.registry import BY_ID, Listed, action, listed_for
from services.errors import Problem
from services.model.action import Parameter, Target, Undo
from services.model.ref import ALERTS
from services.ports import Snapshot
from tui.aiming import Aim, aims, freeze, replaced, row_of
from tui.bindings import printed
from tui.flows import CONFIRM, Flow
from tui.presenters.action import named
from tui.presenters.lens import Lens, moment
from tui.screens.cursor import CursorScreen
from widgets.dialog import ChoiceMenu
from widgets.form import FormDialog
from widgets.viewmodels import Choice, Span, Tone

if TYPE_CHECKING:
    from cache.ledger.undoable import Undoable
    from tui.acting import Acting
    from tui.app import QuarterdeckApp

OF_INVERSES = frozenset({"wanted", "until", "ids"})
"""What only the inverse of an action is given: it is exactly what was before, and nothing needs to be asked for it."""


UNDO, UNDO_KEY = "undo", "U"
"""The entry of the action menu that undoes what was last done to the object, and its key there."""


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

    def choice(one: Listed, aim: Aim, forbidden: Mapping[str, str]) -> Choice:
        grey = forbidden.get(one.id) or _grey(acting, one, aim.row, snapshot)
        text = one.text if aim is found[0] else f"{named(aim.target, lens)}: {one.text}"
        return Choice(one.id, one.label, text, one.key, lens.text(grey))

    def show(answers: tuple[Mapping[str, str], Undoable | None] | None, _problem: Problem | None) -> None:
        if app.front is not front or app.screen is not front or app.asked_menu is not asked:
            return
        forbidden, last = answers or ({}, None)
        choices = [choice(one, aim, forbidden) for one, aim in offered.values()]
        choices += [_to_undo(last, acting, forbidden, lens)] if last is not None else []
        title = (Span("Actions", Tone.STRONG), Span(f"  {named(found[0].target, lens)}", Tone.MUTED))
        menu = ChoiceMenu(title, choices, empty="nothing can be done to it")
        app.push_screen(menu, lambda answer: _chosen(app, acting, offered, answer, last))

    async def ask() -> tuple[Mapping[str, str], Undoable | None]:
        forbidden = {name: why for aim in found for name, why in (await acting.forbidden(aim.target)).items()}
        return forbidden, await acting.last_undoable(found[-1].target)

    asked = app.asked_menu = object()
    app.work(ask, show)


def _chosen(
    app: QuarterdeckApp,
    acting: Acting,
    offered: Mapping[str, tuple[Listed, Aim]],
    answer: str | None,
    last: Undoable | None,
) -> None:
    if answer == UNDO and last is not None:
        undo(app, acting, last.undo)
    elif answer:
        listed, aim = offered[answer]
        begin(app, acting, listed, aim.target, aim.given)


def _to_undo(last: Undoable, acting: Acting, forbidden: Mapping[str, str], lens: Lens) -> Choice:
    """Return the entry that undoes what was last done: the result that offered it may have been left long ago."""
    grey = forbidden.get(last.undo.action) or acting.why_not(last.undo.action)
    said = f"{last.undo.words} ({lens.age(last.at)} ago, {last.who})"
    return Choice(UNDO, "undo", lens.text(said, 200), UNDO_KEY, lens.text(grey))


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
    if not missing or given.keys() & OF_INVERSES:
        Flow(app, acting, listed, target, given).ask()
        return
    if listed.id == "silence" and target.resource == ALERTS:
        from tui.silencing import Silencing

        Silencing(app, acting.policy, target, given, Flow.after(app, acting, listed, target)).ask()
        return
    _ask_for(app, acting, listed, target, given, missing=missing)


def _ask_for(
    app: QuarterdeckApp,
    acting: Acting,
    listed: Listed,
    target: Target,
    given: Mapping[str, str],
    *,
    missing: Sequence[Parameter],
) -> None:
    """Ask for what is missing in a form, then plan with it."""
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
    title = (Span(listed.title, Tone.STRONG), Span(f"  {named(target, lens)}", Tone.MUTED))
    form = FormDialog(title, fields, filled, key=CONFIRM, label="look at the plan")
    app.push_screen(form, left)


def undo(app: QuarterdeckApp, acting: Acting, inverse: Undo) -> None:
    """Begin the inverse of what was done, on the same object, guarded and confirmed like everything else."""
    now = app.console_state.clock.now()
    if inverse.until and now > inverse.until:
        app.say(f"too late to undo it: it was possible until {moment(inverse.until, now)}")
        return
    target = Target(inverse.ref, inverse.resource, as_of=now)
    row = row_of(inverse.ref, app.console_state.feed.snapshot())
    frozen = freeze(row, app.console_state.feed.snapshot()) if row is not None else None
    if frozen is not None and frozen.ref.uid == inverse.ref.uid:
        target = structs.replace(frozen, ref=inverse.ref)
    begin(app, acting, BY_ID[inverse.action], target, inverse.parameters)


def _grey(acting: Acting, listed: Listed, row: object, snapshot: Snapshot) -> str:
    return acting.why_not(listed.id) or action(listed.id).available(row, snapshot)
