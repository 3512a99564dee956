"""What went wrong, in a sentence an operator can act on."""

from __future__ import annotations

from services.model.text import SafeText


class Problem(Exception):  # noqa: N818 - it is what the operator has, not what the program threw
    """Something failed that the operator should read about: what, why and what to do next, in one sentence.

    `status` is the HTTP status where a server answered, else 0.
    """

    def __init__(self, sentence: SafeText, status: int = 0) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class Halted(Problem):
    """Nothing more may be sent: the lock is no longer ours, or somebody asked to stop. What was sent goes on."""
