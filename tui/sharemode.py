"""The key that masks names for others to look on, and what else leaves the screen: the clipboard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from tui.clipboard import copy_to_terminal
from tui.navigation import Navigation

if TYPE_CHECKING:
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
        elif console.salt is None or console.runtime is None:
            self._share(b"")
        else:
            self._ask_for_salt(console.salt())

    def _ask_for_salt(self, asking: Coroutine[Any, Any, bytes]) -> None:
        loop, runtime = asyncio.get_running_loop(), self.console_state.runtime
        assert runtime is not None  # noqa: S101 - asked by the caller

        def told(future: Future[bytes]) -> None:
            error = None if future.cancelled() else future.exception()
            salt = b"" if future.cancelled() or error is not None else future.result()
            why = getattr(error, "sentence", "the salt could not be read") if error is not None else ""
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._share, salt, why)

        runtime.submit(asking).add_done_callback(told)

    def _share(self, salt: bytes, why: str = "") -> None:
        self.console_state.share(salt)
        self.rebuild()
        key = self.console_state.keymap.key("share")
        own = f"; names are this session's own: {why}" if why else ""
        self.say(f"share mode: hosts, addresses, accounts and names are masked{own}; {key} twice ends it")
