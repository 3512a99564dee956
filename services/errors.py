"""What went wrong, in a sentence an operator can act on."""

from __future__ import annotations

import contextlib

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


def own_fault(error: BaseException) -> str:
    """Return the words for an error of this program itself, and hand it to the running loop's exception handler.

    Its type alone is named: what else it says may hold anything. The handler keeps the whole of it, scrubbed, for a
    report.
    """
    import asyncio

    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "a fault of this program", "exception": error})
    return f"a fault of this program ({type(error).__name__})"
