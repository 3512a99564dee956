"""The key that masks names for others to look on, and what else leaves the screen: the clipboard."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

from services.errors import Problem
from tui.clipboard import copy_to_terminal
from tui.navigation import Navigation

if TYPE_CHECKING:
    from tui.console import Console

    _Base = Navigation
else:
    _Base = object

AGAIN_WITHIN = 5.0
"""Seconds in which a second press shows real names again."""


class ShareMode(_Base):
    """Mixed into the app. Names go out of sight at one key; they come back at two, since a room looks on."""

    _unmask_until = float("-inf")

    def copy(self, text: str) -> None:
        """Send a text to the terminal's clipboard, and show it, since nothing tells whether it arrived."""
        console = self.console_state
        outcome = copy_to_terminal(self, text, console.redaction)
        masked = ", names masked (share mode)" if console.sharing is not None else ""
        self.say(f"{outcome}{masked}" if "\n" in text else f"{outcome}{masked}: {text}")

    def do_share(self) -> None:
        """Mask names for others to look on; a second press within a few seconds shows them again."""
        console, now = self.console_state, self.console_state.clock.monotonic()
        key = console.keymap.key("share")
        if console.sharing is not None:
            if now > self._unmask_until:
                self._unmask_until = now + AGAIN_WITHIN
                self.say(f"share mode is on; {key} again shows real names to everybody who looks on")
                return
            console.sharing, self._unmask_until = None, float("-inf")
            self.rebuild()
            self.say("share mode is off: real names are on screen")
        else:
            self._share()
            self._learn()

    def _learn(self) -> None:
        """Learn what must be read: the salt, and the names of other clusters. All that is known is masked before."""
        console = self.console_state
        begun = console.sharing
        if console.runtime is None or (console.salt is None and console.steering is None):
            return

        def told(learnt: tuple[bytes, str, tuple[str, ...]] | None, _: Problem | None) -> None:
            if learnt is None or console.sharing is not begun or begun is None:
                return
            salt, why, contexts = learnt
            if salt or why:
                self._share(salt, why, contexts)
            elif set(contexts) - {console.scope.context}:
                begun.learn("cluster", contexts)
                self._redraw()

        self.work(partial(_read, console), told)

    def _share(self, salt: bytes = b"", why: str = "", contexts: tuple[str, ...] = ()) -> None:
        self.console_state.share(salt, contexts)
        self._redraw(why)

    def _redraw(self, why: str = "") -> None:
        self.rebuild()
        key = self.console_state.keymap.key("share")
        own = f"; names are this session's own: {why}" if why else ""
        self.say(f"share mode: hosts, addresses, accounts and names are masked{own}; {key} twice ends it")


async def _read(console: Console) -> tuple[bytes, str, tuple[str, ...]]:
    """Return the salt, why there is none ("" where none was asked for), and the contexts of the kubeconfig."""
    salt, why = b"", ""
    contexts: tuple[str, ...] = ()
    if console.salt is not None:
        try:
            salt = await console.salt()
        except Exception as error:  # noqa: BLE001 - whatever it is, names stay masked and the operator reads why
            why = getattr(error, "sentence", "the salt could not be read")
    if console.steering is not None:
        with contextlib.suppress(Problem):
            contexts = await asyncio.to_thread(console.steering.contexts)
    return salt, why, contexts
