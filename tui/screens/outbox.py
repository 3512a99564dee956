"""What is told to people outside: what waits, what came to nothing and why; tried again or dropped by a key."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from services.errors import Problem
from services.model.message import OUTBOX, Message, OutboxRow, OutboxState
from tui.bindings import Command
from tui.outgoing import Outgoing
from tui.presenters.freshness import Reading, read_ledger
from tui.presenters.outbox import came_to_nothing, present_message
from tui.screens.table import TableScreen

CHANGES = frozenset({"outbox_retry", "outbox_drop"})


class OutboxScreen(TableScreen):
    """The list; r tries a message again, K drops one that waits, or lets one be that came to nothing."""

    place = "outbox"

    def reading(self) -> Reading:
        """Return whether the outbox can be read: its words do not age."""
        return read_ledger(self.console.feed.snapshot().sources.get(OUTBOX))

    def why_not(self, command: Command) -> str | None:
        """Say why a message can neither be tried again nor dropped."""
        if command.id not in CHANGES:
            return super().why_not(command)
        row = self._message()
        if row is None:
            return "no message is under the cursor"
        if self.console.outgoing is None:
            return "there is no ledger here"
        if command.id == "outbox_drop":
            free = row.waits and row.state is not OutboxState.SENDING
            return "" if free or came_to_nothing(row) else f"it is {row.state.value}"
        return "" if row.state not in (OutboxState.ACCEPTED, OutboxState.SENDING) else f"it is {row.state.value}"

    def do_open(self) -> None:
        """Show all of the message: what became of it, and what it says."""
        row, made = self._message(), self.console.outgoing
        if row is None or made is None:
            return
        outgoing = made()

        def arrived(said: Message | None, problem: Problem | None) -> None:
            if problem is not None:
                self.quarterdeck.say(problem.sentence)
                return
            channels = outgoing.config.notify
            self.quarterdeck.open_lines(
                f"Message {row.subject}", lambda lens: present_message(row, said, channels, lens), wrap=True
            )

        self.quarterdeck.work(lambda: outgoing.said(row), arrived)

    def do_copy(self) -> None:
        """Copy the message's id and subject."""
        row = self._message()
        if row is not None:
            self.quarterdeck.copy(f"{row.id} {row.subject}")

    def do_outbox_retry(self) -> None:
        """Try the message again, now."""
        self._act(lambda outgoing, row: outgoing.retry(row), "it is tried again")

    def do_outbox_drop(self) -> None:
        """Never send the message."""
        self._act(lambda outgoing, row: outgoing.drop(row), "it is dropped")

    def _act(self, act: Callable[[Outgoing, OutboxRow], Coroutine[Any, Any, None]], done: str) -> None:
        row, made = self._message(), self.console.outgoing
        if row is None or made is None:
            return
        outgoing = made()

        def arrived(_: None, problem: Problem | None) -> None:
            self.quarterdeck.say(problem.sentence if problem is not None else done)

        self.quarterdeck.work(lambda: act(outgoing, row), arrived)

    def _message(self) -> OutboxRow | None:
        target = self.target()
        return target[1] if target is not None and isinstance(target[1], OutboxRow) else None
