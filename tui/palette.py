"""What the palette, the help and the menus offer, and what their answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from services.errors import Problem
from services.model.cluster import ApiResource
from tui.bindings import K9S, Command, Group, Kin, printed
from tui.presenters.goto import Going, choices, find_resource, read_going
from tui.presenters.views import view_named
from widgets.help_screen import HelpScreen
from widgets.history import History
from widgets.palette import Palette
from widgets.viewmodels import Choice, HelpEntry, HelpSection, Span, Tone

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp

Take = Callable[[Sequence[Choice]], None]

NO_RESTART = "another cluster, no restart"
REMEMBERED = History()
"""What was typed into the palette, for the life of the program."""


def open_palette(app: QuarterdeckApp) -> None:
    """Offer every view, kind, namespace, context and command.

    The contexts come in when the kubeconfig was read, the kinds of the server when it has answered.
    """
    console = app.console_state
    contexts: tuple[str, ...] = ()

    def offered() -> list[Choice]:
        place = app.front.place if app.front is not None else "deck"
        namespaces = sorted(console.feed.snapshot().tables.get("namespaces", {}))
        return choices(console.keymap.commands_for(place), console.kinds, namespaces, contexts, console.lens())

    def more(take: Take) -> None:
        def named(names: tuple[str, ...]) -> None:
            nonlocal contexts
            contexts = names
            take(offered())

        def arrived(kinds: Sequence[ApiResource] | None, _: Problem | None) -> None:
            if kinds is not None:
                console.kinds = tuple(kinds)
                take(offered())

        _name_contexts(app, named)
        if not console.kinds and console.runtime is not None:
            app.ask(lambda session: session.resources(), arrived)

    app.push_screen(Palette(offered(), history=REMEMBERED, more=more), lambda answer: _answered(app, answer))


def _name_contexts(app: QuarterdeckApp, named: Callable[[tuple[str, ...]], None]) -> None:
    """Read the contexts' names on a thread, because a kubeconfig may be long or far away; `named` gets them here."""
    steering = app.console_state.steering

    def read(names: tuple[str, ...] | None, _: Problem | None) -> None:
        if names:
            named(names)

    if steering is not None:
        app.work(partial(asyncio.to_thread, steering.contexts), read)


def _answered(app: QuarterdeckApp, answer: str | None) -> None:
    if answer is None:
        return
    kind, _, rest = answer.partition(" ")
    if kind == "key" and rest:
        command = app.console_state.keymap.named(rest)
        if command is not None:
            app.run_command(command)
    elif kind == "view" and rest:
        go(app, read_going(rest))
    else:
        go(app, read_going(answer))


def go(app: QuarterdeckApp, going: Going) -> None:
    """Go where a palette text leads; what cannot be found is said, and nothing changes."""
    console = app.console_state
    if going.context and going.context != console.scope.context:
        app.go_to_context(going.context, then=partial(go, app, structs.replace(going, context="")))
        return
    if going.namespace is not None:
        app.enter_namespace(going.namespace)
    if going.scope is not None:
        app.enter_scope(*going.scope)
    if going.page:
        app.open_what(going.page)
    elif going.command == "deck":
        app.go_home()
    elif going.command == "contexts":
        open_contexts(app)
    elif going.command:
        getattr(app, f"do_{going.command}")()
    elif going.view:
        _open(app, going)
    elif going.filter:
        app.open_view("pods", going.filter)


def _open(app: QuarterdeckApp, going: Going) -> None:
    if view_named(going.view) is not None:
        app.open_view(going.view, going.filter)
        return
    if going.said and app.open_page(going.said):
        return

    def arrived(kinds: Sequence[ApiResource] | None, problem: Problem | None) -> None:
        if kinds is None:
            app.say(problem.sentence if problem is not None else "The server was not asked.")
            return
        app.console_state.kinds = tuple(kinds)
        found = find_resource(going.view, kinds)
        if found is None:
            app.open_recorded(going.said, partial(_say_unknown, app, going))
        elif "list" not in found.verbs:
            app.say(f"{found.resource.plural} cannot be listed.")
        elif (view := view_named(found.resource.plural)) is not None and view.table == found.resource.table:
            app.open_view(view.id, going.filter)
        else:
            app.open_kind(found.resource, going.filter)

    if find_resource(going.view, app.console_state.kinds) is not None:
        arrived(app.console_state.kinds, None)
    else:
        app.ask(lambda session: session.resources(), arrived)


def _say_unknown(app: QuarterdeckApp, going: Going) -> None:
    app.say_long(f"The server knows no kind {going.view}{app.near(going.said)}")


def open_contexts(app: QuarterdeckApp) -> None:
    """Offer the contexts alone."""
    lens = app.console_state.lens()

    def more(take: Take) -> None:
        def named(names: tuple[str, ...]) -> None:
            take([Choice(f"ctx {name}", lens.name("cluster", name), NO_RESTART) for name in names])

        _name_contexts(app, named)

    palette = Palette((), title="Context", prompt="@", free_text=False, more=more)
    app.push_screen(palette, lambda answer: _answered(app, answer))


def _typed(command: Command) -> str:
    """Return what opens a command that no key does: enough of its name for the palette."""
    return f":{command.label.split()[0]}"


def open_help(app: QuarterdeckApp) -> None:
    """Show the keys that work here, by what they are for, and what the k9s keys do."""
    front = app.front
    if front is None:
        return
    keymap, sections = app.console_state.keymap, []
    for group in Group:
        rows = tuple(
            HelpEntry(" ".join(map(printed, command.keys)) or _typed(command), command.label, command.text)
            for command in keymap.commands_for(front.place)
            if command.group is group and front.why_not(command) is not None
        )
        if rows:
            sections.append(HelpSection(group.value, rows))
    strange: dict[str, list[str]] = {}
    for cousin in K9S:
        if cousin.kin is not Kin.SAME and cousin.where in ("*", "logs" if front.place == "logs" else "table"):
            strange.setdefault(keymap.says(cousin), []).append(printed(cousin.key))
    sections.append(
        HelpSection("From k9s", tuple(HelpEntry(" ".join(keys), "", hint) for hint, keys in strange.items()))
    )
    title = (Span("Keys", Tone.STRONG), Span(f"  {front.place}", Tone.MUTED))
    app.push_screen(HelpScreen(title, sections))
