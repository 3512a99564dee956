"""What the command's exit code says, for scripts and for `status` above all."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The codes of every sub-command.

    0 to 2 are also the answer of `status`: all clear on fresh data, something is failing, could not tell. Whatever
    keeps the program from its work (a bad configuration, no terminal, a wrong flag) is "could not tell" as well.
    """

    OK = 0
    FAILING = 1
    UNKNOWN = 2
    USAGE = 2
    CONFIG = 2
    NO_TERMINAL = 2
    UNVERIFIED = 3
    """What `act` did may have happened, and could not be verified."""
    CRASH = 70
    """EX_SOFTWARE of sysexits.h: an error of the program itself."""
    INTERRUPTED = 130
    """128 + SIGINT."""

    @staticmethod
    def of_signal(number: int) -> int:
        """Return the code of a process that ended because of a signal: 128 + its number (129 HUP, 143 TERM)."""
        return 128 + number
