"""What the app does to tell people: the key, drafts that were not sent, and what became of what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from services.model.message import OUTBOX

if TYPE_CHECKING:
    from services.model.message import Message
    from services.ports import Changes
    from tui.navigation import Navigation
    from tui.telling import Followed

    _Base = Navigation
else:
    _Base = object


class Tells(_Base):
    """The part of the app that tells. `drafts` holds what was typed and not sent, by what it is about.

    `reasons` are those typed for actions that were not done, by action and object.
    """

    if TYPE_CHECKING:

        def say(self, sentence: str) -> None:
            """Show one sentence in the footer for a while."""

    def begin_telling(self) -> None:
        """Begin with nothing told."""
        self.drafts: dict[str, Mapping[str, str]] = {}
        self.followed: list[Followed] = []
        self.reasons: dict[str, str] = {}

    def do_tell(self) -> None:
        """Tell people about what is under the cursor at this moment."""
        from tui.telling import tell

        tell(self, self.front.topic() if self.front is not None else None)  # type: ignore[arg-type]

    def follow(self, messages: Sequence[Message]) -> None:
        """Say what becomes of messages as soon as it is known."""
        from tui.telling import Followed

        followed = Followed(messages)
        self.followed.append(followed)
        self.say(followed.begun())

    def look_after(self, changes: Changes) -> None:
        """Say what became of what was told from here."""
        if not self.followed or OUTBOX not in changes.keys:
            return
        lens = self.console_state.lens()
        for one in self.followed:
            if words := one.look(changes.snapshot, lens):
                self.say(words)
        self.followed = [one for one in self.followed if not one.over]
