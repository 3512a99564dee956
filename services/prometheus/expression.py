"""Takes alerting expressions apart: the value without its comparison, and the same for one alert's labels only.

Grammar: prometheus/prometheus, docs/querying/basics.md and operators.md. What cannot be read is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

LONGEST = 20_000

_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`)"
    r"|(?P<number>(?:\d[\w.]*(?:(?<=[eE])[-+]\d+)?|\.\d[\w.]*))"
    r"|(?P<name>[A-Za-z_][\w:]*)"
    r"|(?P<sign>=~|!~|>=|<=|==|!=|[-+*/%^@><=(){}\[\],:])",
    re.DOTALL,
)
_COMPARISONS = frozenset({">", "<", ">=", "<=", "==", "!="})
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = _LABEL_LISTS | {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}
_OPENS, _CLOSES = frozenset("({["), frozenset(")}]")


class Token(Struct, frozen=True, gc=False):
    """A piece of an expression; `depth` counts the brackets around it."""

    kind: str
    text: str
    depth: int

    @property
    def word(self) -> str:
        """The text of a name, as keywords are compared: in lower case."""
        return self.text.lower() if self.kind == "name" else ""


def tokens(expression: str) -> tuple[Token, ...]:
    """Return the pieces of an expression, without spaces and comments; none where it cannot be read."""
    found: list[Token] = []
    at = depth = 0
    while at < len(expression) <= LONGEST:
        match = _TOKEN.match(expression, at)
        if match is None:
            return ()
        at = match.end()
        kind, text = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        depth -= text in _CLOSES
        if depth < 0:
            return ()
        found.append(Token(kind, text, depth))
        depth += text in _OPENS
    return () if depth else tuple(found)


def value_of(expression: str) -> str:
    """Return what an alerting expression compares: "rate(x[5m]) > 3 and y" gives "rate(x[5m])".

    Alternatives (`or`) give alternatives. An expression without a comparison is its own value.
    """
    read = tokens(expression)
    if not read:
        return expression
    values = [_compared(_unwrapped(part)) for part in _split(_unwrapped(read), ("or",))]
    texts = tuple(dict.fromkeys(_text(value) for value in values if value))
    if len(texts) == 1:
        return texts[0]
    return " or ".join(f"({text})" for text in texts) or expression


def narrowed(expression: str, labels: Mapping[str, str]) -> str:
    """Return the expression with each of its selectors held to these labels, where it does not name them itself."""
    read = tokens(expression)
    parts: list[str] = []
    for at, token, opens in _selectors(read):
        own = {inner.text for inner in _braced(read, at + (token.kind == "name")) if inner.kind == "name"}
        wanted = ",".join(f"{name}={quoted(value)}" for name, value in labels.items() if name not in own)
        if not opens:
            parts.append(token.text)
        elif token.kind == "name":
            parts.append(f"{token.text}{{{wanted}}}")
        else:
            parts.append("{" + wanted + ("," if own and wanted else ""))
    return " ".join(parts) or expression


class Buckets(Struct, frozen=True, gc=False):
    """The histogram of a percentile: its metric, the matchers it is selected by, and the labels that are kept."""

    metric: str
    matchers: str = ""
    kept: frozenset[str] = frozenset()


@lru_cache(maxsize=1024)
def percentile_of(expression: str) -> Buckets | None:
    """Return the histogram whose percentile is the value of an alerting expression, None where it is nothing else."""
    read = tokens(value_of(expression))
    if len(read) < 4 or read[0].word != "histogram_quantile" or any(not token.depth for token in read[2:-1]):
        return None
    at = [index for index, token in enumerate(read) if token.kind == "name" and token.text.endswith("_bucket")]
    if len(at) != 1:
        return None
    matchers = _text(_braced(read, at[0] + 1)).strip(",")
    opens = (index + 1 for index, token in enumerate(read[:-1]) if token.word == "by" and read[index + 1].text == "(")
    by = next(opens, -1)
    kept = {token.text for token in read[by + 1 : _closing(read, by)] if token.kind == "name"} if by > 0 else set()
    return Buckets(read[at[0]].text, matchers, frozenset(kept - {"le"}))


def quoted(text: str) -> str:
    """Return a PromQL string of any text."""
    text = text.encode("utf-8", "replace").decode()
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(sign if sign >= " " else f"\\x{ord(sign):02x}" for sign in escaped) + '"'


def _unwrapped(part: Sequence[Token]) -> Sequence[Token]:
    """Return the part without the parentheses around the whole of it."""
    while len(part) > 2 and part[0].text == "(" and part[-1].text == ")":
        outer = part[0].depth
        if any(token.depth == outer for token in part[1:-1]):
            break
        part = part[1:-1]
    return part


def _split(part: Sequence[Token], words: Sequence[str]) -> list[Sequence[Token]]:
    """Return what stands between these words outside of all brackets."""
    outer = min((token.depth for token in part), default=0)
    pieces: list[list[Token]] = [[]]
    for token in part:
        if token.depth == outer and token.word in words:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return list(pieces)


def _compared(part: Sequence[Token]) -> Sequence[Token]:
    """Return the side of a comparison that gives the value: the left one, unless that is a mere number."""
    part = _unwrapped(_split(part, ("and", "unless"))[0])
    if len(_split(part, ("and", "or", "unless"))) > 1:
        return _compared(_split(part, ("or",))[0])
    outer = min((token.depth for token in part), default=0)
    at = next((i for i, token in enumerate(part) if token.depth == outer and token.text in _COMPARISONS), None)
    if at is None:
        return part
    left, right = part[:at], part[at + 1 :]
    if not left or not right:
        return part
    if all(token.kind == "number" or token.text in "+-*/()" for token in left):
        return _without_modifiers(right)
    return _compared(_unwrapped(left))


def _without_modifiers(part: Sequence[Token]) -> Sequence[Token]:
    """Return the right side of a comparison without `bool`, `on (...)` and the like before it."""
    while part and part[0].word in (_LABEL_LISTS | {"bool"}):
        listed = part[0].word in _LABEL_LISTS and len(part) > 1 and part[1].text == "("
        part = part[1 + (_closing(part, 1) if listed else 0) :]
    return part


def _closing(part: Sequence[Token], opening: int) -> int:
    """Return where the bracket that opens at `opening` is closed."""
    depth = part[opening].depth
    return next(at for at in range(opening + 1, len(part)) if part[at].depth == depth)


def _selectors(read: Sequence[Token]) -> Iterator[tuple[int, Token, bool]]:
    """Yield each piece, and whether it is where a selector takes its matchers: a bare metric, or an opening brace."""
    listed_until = -1
    for at, token in enumerate(read):
        after = read[at + 1].text if at + 1 < len(read) else ""
        if token.word in _LABEL_LISTS and after == "(":
            listed_until = _closing(read, at + 1)
        inside = at <= listed_until or _in_braces(read, at)
        bare = token.kind == "name" and token.word not in _WORDS and after not in ("(", "{")
        bare = bare and after.lower() not in ("by", "without")
        yield at, token, not inside and (bare or token.text == "{")


def _in_braces(read: Sequence[Token], at: int) -> bool:
    depth = read[at].depth
    for before in reversed(read[:at]):
        if before.depth < depth:
            if before.text == "{":
                return True
            depth = before.depth
    return False


def _braced(read: Sequence[Token], at: int) -> Sequence[Token]:
    """Return what is inside the braces around or right at `at`."""
    if at < len(read) and read[at].text == "{":
        return read[at + 1 : _closing(read, at)]
    return ()


def _text(part: Sequence[Token]) -> str:
    """Write pieces down again; strings are as they were, spaces are ours."""
    out = ""
    for token in part:
        glued = not out or out[-1] in "([{" or token.text in ")]},([{" or (token.text == ":" or out[-1] == ":")
        out += token.text if glued else f" {token.text}"
    return out
