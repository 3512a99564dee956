"""Compiles regular expressions that come from outside so that none can hang the console."""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 512
MOST_UNBOUNDED = 3
LONGEST_SUBJECT = 1024

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
# What means something else to Python than to RE2, or does not exist there.
_FOREIGN = re.compile(r"\\[1-9pPzQCZ]|\(\?[=!<#(]|\[\[:|\(\?[a-zA-Z-]+[:)]")
# Inside a class, Python keeps these for operations on sets.
_SETS = ("[", "--", "&&", "~~", "||")
_NESTED = re.compile(r"\)\s*[*+{]")
_UNBOUNDED = re.compile(r"[*+]|\{\d+,\}")


@lru_cache(maxsize=512)
def bounded(pattern: str) -> re.Pattern[str] | None:
    """Return a fully anchored RE2 expression as Python's, None where it is foreign to Python or may run for long.

    Taken are expressions of at most 512 characters with at most three unbounded repeats, none of a group: matching a
    text of 1,024 characters stays within milliseconds, where RE2 itself would be linear.
    """
    if len(pattern) > LONGEST or _FOREIGN.search(pattern):
        return None
    unescaped = _ESCAPED.sub("x", pattern)
    if "[[" in unescaped or any(sign in each[1:] for each in _CLASS.findall(unescaped) for sign in _SETS):
        return None
    plain = _CLASS.sub("x", unescaped)
    if _NESTED.search(plain) or len(_UNBOUNDED.findall(plain)) > MOST_UNBOUNDED:
        return None
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, OverflowError, RecursionError):
        return None


def matched(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the match of the whole text; a text that is too long to be tried does not match."""
    return pattern.fullmatch(text) if len(text) <= LONGEST_SUBJECT else None
