"""From a key to a shell: which container, the plan like that of every action, the terminal lent, and back in place."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

from textual.app import SuspendNotSupported

from services.actions.registry import Listed, action
from services.actions.runner import Orders
from services.actions.shell import Container, Left, Shell
from services.errors import Problem
from services.model.action import Target
from services.sanitize import safe_text
from tui.aiming import row_of
from tui.flows import Flow
from tui.presenters.action import named
from widgets.dialog import ChoiceMenu
from widgets.viewmodels import Choice, Span, Tone

if TYPE_CHECKING:
    from tui.acting import Acting
    from tui.app import QuarterdeckApp


def open_shell(app: QuarterdeckApp, acting: Acting, listed: Listed, target: Target, given: Mapping[str, str]) -> None:
    """Ask for the container where there are several, then for the shell in it."""
    if given.get("container"):
        ShellFlow(app, acting, listed, target, given).ask()
        return
    front = app.front

    def chosen(one: Container) -> None:
        ShellFlow(app, acting, listed, one.pod, {"container": one.name}).ask()

    def arrived(found: Sequence[Container] | None, problem: Problem | None) -> None:
        if app.front is not front or app.screen is not front:
            return
        if not found:
            app.say(problem.sentence if problem is not None else f"{listed.label}: there is no pod to open it in")
        elif len(found) == 1 and not found[0].reason:
            chosen(found[0])
        else:
            lens = app.console_state.lens()
            offered = [
                Choice(str(number), lens.text(f"{one.pod.ref.name}  {one.name}", 200), one.image, "", one.reason)
                for number, one in enumerate(found)
            ]
            title = (Span("Shell", Tone.STRONG), Span(f"  {named(target, lens)}", Tone.MUTED))
            app.push_screen(ChoiceMenu(title, offered), lambda answer: chosen(found[int(answer)]) if answer else None)

    selector = getattr(getattr(row_of(target.ref, app.console_state.feed.snapshot()), "workload", None), "selector", "")
    app.work(lambda: acting.containers(target, selector), arrived)


class ShellFlow(Flow):
    """An action whose middle is the operator's: the console stands aside until the shell has ended."""

    def begin(self, orders: Orders) -> None:
        """Lend the terminal in the middle of the run."""
        loop, app = asyncio.get_running_loop(), self._app
        environment = {**os.environ, **self._acting.kubectl_environment}

        async def terminal(words: Sequence[str]) -> Left:
            answer: Future[Left] = Future()
            loop.call_soon_threadsafe(lambda: _lend(app, words, environment, answer))
            return await asyncio.wrap_future(answer)

        cast(Shell, action(orders.plan.action)).lend(terminal)
        super().begin(orders)


def _lend(app: QuarterdeckApp, words: Sequence[str], environment: Mapping[str, str], answer: Future[Left]) -> None:
    """Give the terminal to a command, wait for its end, and paint the screen anew where it was."""
    clock = app.console_state.clock
    began = clock.monotonic()
    try:
        with app.suspend(), _Unmoved():
            sys.stdout.write("\n")
            sys.stdout.flush()
            with subprocess.Popen(words, env=dict(environment), stderr=subprocess.PIPE) as child:  # noqa: S603 - no shell
                said = child.stderr.read() if child.stderr is not None else b""
            left = Left(child.returncode, said.decode("utf-8", "replace"), clock.monotonic() - began)
    except (SuspendNotSupported, OSError) as error:
        answer.set_exception(Problem(safe_text(f"The terminal could not be given to kubectl: {error}")))
        return
    app.refresh(layout=True)
    answer.set_result(left)


class _Unmoved:
    """While a command has the terminal its interrupts are its own: this program is not ended by them."""

    def __enter__(self) -> None:
        self._before = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, lambda *_: None)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
