"""The filter's little language: what an operator types after `/`, as a test over rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from services.model.severity import Severity

STATES = {
    "crit": (Severity.CRIT,),
    "warn": (Severity.WARN,),
    "note": (Severity.NOTICE,),
    "ok": (Severity.OK,),
    "bad": (Severity.CRIT, Severity.WARN),
    "unknown": (Severity.UNKNOWN,),
}
DOINGS = ("firing", "pending", "silenced", "inhibited", "muted", "ended", "active", "expired")
"""States that only some rows have: those of alerts and silences."""


class Subject(Struct, frozen=True):
    """What a filter may look at in one row; `doing` are those of `DOINGS` that hold.

    `namespace` is "" for what is about the whole cluster; `besides` are others that it lies in too.
    """

    text: str
    namespace: str
    severity: Severity
    labels: Sequence[str] = ()
    doing: Sequence[str] = ()
    besides: Sequence[str] = ()


Test = Callable[[Subject], bool]


class FilterError(ValueError):
    """The filter cannot be read; the text says why."""


def parse_filter(source: str) -> Test | None:
    """Return the test for a filter text, None for an empty one.

    Terms are separated by spaces and all must hold. A term is text (a regular expression where it is one, case
    ignored), `!term` its inverse, `key=value`, `key!=value` or `label:key` a label, `-l a=b,c=d` label terms as kubectl
    writes them, `-f text` letters in order, `is:crit|warn|note|ok|bad` a state (of alerts also
    `is:firing|pending|silenced|inhibited|muted|ended`), `ns:shop` a namespace,
    `kind:rollout` (in the timeline) what kind of thing happened.
    Raises FilterError.
    """
    words = source.split()
    tests: list[Test] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word in ("-l", "-f"):
            position += 1
            if position >= len(words):
                raise FilterError(f"{word} wants something after it")
            tests += _labels(words[position]) if word == "-l" else [_fuzzy(words[position])]
        else:
            tests.append(_term(word))
        position += 1
    if not tests:
        return None
    return lambda subject: all(test(subject) for test in tests)


def _term(word: str) -> Test:
    if word.startswith("!") and len(word) > 1:
        inner = _term(word[1:])
        return lambda subject: not inner(subject)
    if word.startswith("is:"):
        return _state(word[3:])
    if word.startswith("ns:"):
        wanted = word[3:]
        return lambda subject: subject.namespace == wanted or (bool(wanted) and subject.namespace.startswith(wanted))
    if word.startswith("kind:"):
        start = f"kind={word[5:]}"
        return lambda subject: any(label.startswith(start) for label in subject.labels)
    if word.startswith("label:"):
        return _label(word[6:])
    if re.fullmatch(r"[\w./-]+(?:!=|==?)[\w.-]*", word):
        return _label(word)
    return _text(word)


def _state(name: str) -> Test:
    if name in DOINGS:
        return lambda subject: name in subject.doing
    wanted = STATES.get(name)
    if wanted is None:
        raise FilterError(f"is:{name} is not a state; there are {', '.join(STATES)}")
    return lambda subject: subject.severity in wanted


def _labels(selector: str) -> list[Test]:
    return [_label(part) for part in selector.split(",") if part]


def _label(term: str) -> Test:
    if "!=" in term:
        unwanted = term.replace("!=", "=", 1)
        return lambda subject: unwanted not in subject.labels
    if "=" in term:
        wanted = term.replace("==", "=", 1)
        return lambda subject: wanted in subject.labels
    start = term + "="
    return lambda subject: any(label.startswith(start) for label in subject.labels)


def _fuzzy(letters: str) -> Test:
    pattern = re.compile(".*?".join(map(re.escape, letters)), re.IGNORECASE)
    return lambda subject: pattern.search(subject.text) is not None


def _text(word: str) -> Test:
    if re.fullmatch(r"[\w/:. -]*", word):
        needle = word.casefold()
        return lambda subject: needle in subject.text.casefold()
    try:
        pattern = re.compile(word, re.IGNORECASE)
    except re.error as error:
        raise FilterError(f"{word} is not a regular expression: {error.msg}") from None
    return lambda subject: pattern.search(subject.text) is not None
