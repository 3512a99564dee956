"""Matchers of silences: read and written as amtool does, and tried on labels as an Alertmanager tries them. Pure.

Source: prometheus/alertmanager, pkg/labels/{matcher,parse}.go and silence/silence.go (`validateSilence`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from services.alerts.patterns import LONGEST_SUBJECT, bounded
from services.model.alert import Matcher, Pairs

OPERATORS = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
"""How a matcher is written, by `(is_regex, is_equal)`."""

MOST = 50
"""Matchers of one silence that are read from a text."""

_KINDS = {sign: kind for kind, sign in OPERATORS.items()}
_ONE = re.compile(
    r"""\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<sign>=~|!=|!~|=)\s*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s",{}]+))\s*(?:,|$|(?=\s)|(?<=\s))""",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


class Unreadable(ValueError):  # noqa: N818 - it is what the text is
    """A text that holds no matchers: why, as the end of a sentence."""


def spelled(matcher: Matcher) -> str:
    """Return a matcher as amtool takes it, its value quoted: `node=~"node-00[1-4]"`; raw."""
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{matcher.name}{OPERATORS[matcher.is_regex, matcher.is_equal]}"{value}"'


def spelled_all(matchers: Iterable[Matcher]) -> str:
    """Return matchers in one line, the alert's name first, the others by name; raw."""
    return " ".join(map(spelled, ordered(matchers)))


def ordered(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Return matchers in the order they are shown in: the alert's name first."""
    return tuple(sorted(matchers, key=lambda one: (one.name != "alertname", one.name, one.value)))


def read(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a text such as `alertname="X" node=~"a|b"`, with or without commas and braces.

    Raises Unreadable where there are none, or something else stands between them.
    """
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    found: list[Matcher] = []
    while rest:
        match = _ONE.match(rest)
        if match is None:
            raise Unreadable(f'{rest[:40]!r} is no matcher: write name="value", with =, !=, =~ or !~')
        is_regex, is_equal = _KINDS[match["sign"]]
        value = match["bare"] if match["quoted"] is None else _unquoted(match["quoted"])
        found.append(Matcher(match["name"], value, is_regex, is_equal))
        rest = rest[match.end() :].lstrip()
        if len(found) > MOST:
            raise Unreadable(f"there are more than {MOST} matchers")
    if not found:
        raise Unreadable("at least one matcher is needed")
    return tuple(found)


def why_not(matchers: Sequence[Matcher]) -> str:
    """Return why no silence can be made of these matchers, or what it hides cannot be told here; "" where it can."""
    for one in matchers:
        if one.is_regex and _compiled(one.value) is None:
            return f"what {spelled(one)} hides cannot be told here: write the expression simpler, or use amtool"
    if all(fits(one, "") for one in matchers):
        return "it would hide whatever has none of these labels: at least one matcher must not match an empty value"
    return ""


def fits(matcher: Matcher, value: str) -> bool:
    """Tell whether a label's value fits; "" for an alert without that label. Expressions match the whole value."""
    if not matcher.is_regex:
        return (value == matcher.value) is matcher.is_equal
    pattern = _compiled(matcher.value)
    found = pattern is not None and len(value) <= LONGEST_SUBJECT and pattern.fullmatch(value) is not None
    return found is matcher.is_equal


def hides(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether a silence with these matchers hides an alert with these labels: all of them fit."""
    return all(fits(one, labels.get(one.name, "")) for one in matchers)


def shared(label_sets: Sequence[Pairs], names: Iterable[str]) -> tuple[Matcher, ...]:
    """Return a matcher for each of these labels that all sets have: equal to their value, or one of their values."""
    found = []
    for name in names:
        values = [dict(labels).get(name, "") for labels in label_sets]
        if not all(values):
            continue
        distinct = sorted(set(values))
        if len(distinct) == 1:
            found.append(Matcher(name, distinct[0]))
        else:
            found.append(Matcher(name, "|".join(_SPECIAL.sub(r"\\\g<0>", one) for one in distinct), is_regex=True))
    return ordered(found)


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re.Pattern[str] | None:
    """Return an expression with RE2's classes, which are ASCII's, and its dot, which is no line's end."""
    return re.compile(expression, re.ASCII) if bounded(expression) is not None else None


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text, flags=re.DOTALL)
