"""Reads PromQL: selectors, functions, aggregations and operators with their precedence; the rest is refused."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from services.rehearsal.monitoring.promql.tree import (
    NAME,
    Aggregate,
    Binary,
    Call,
    Matcher,
    Matching,
    Negative,
    Node,
    Number,
    QueryError,
    Selector,
    Text,
    anchored,
)

AGGREGATIONS = {"sum", "avg", "min", "max", "count", "group", "topk", "bottomk", "quantile"}
_WITH_PARAMETER = {"topk", "bottomk", "quantile"}
_PRECEDENCE = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(("==", "!=", "<=", "<", ">=", ">"), 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
    "^": 6,
}
COMPARISONS = {"==", "!=", "<=", "<", ">=", ">"}
SETS = {"and", "or", "unless"}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604_800.0, "y": 31_536_000.0}
_DEEPEST = 60
_TOKEN = re.compile(
    r"""
    (?P<space>[\s]+|\#[^\n]*)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![\w.]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?:[iI][nN][fF]|[nN][aA][nN])\b)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
  | (?P<word>[a-zA-Z_:][\w:]*)
  | (?P<op>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],@:])
    """,
    re.VERBOSE | re.ASCII,
)


class Token(NamedTuple):
    """One word of a query and where it begins."""

    kind: str
    text: str
    at: int


def parse(query: str) -> Node:
    """Return the tree of a query; raise QueryError (bad_data) in Prometheus' words when it cannot be read."""
    reader = _Reader(query)
    if reader.look.kind == "end":
        raise reader.error("no expression found in input")
    node = reader.expression(0)
    if reader.look.kind != "end":
        raise reader.unexpected()
    return node


def parse_selector(text: str) -> Selector:
    """Return a series selector, as `match[]` takes it; raise QueryError when it is anything else."""
    node = parse(text)
    if not isinstance(node, Selector) or node.window or node.offset:
        raise QueryError("1:1: parse error: expected a series selector")
    return node


def duration(text: str) -> float:
    """Return the seconds of a duration such as 1h30m; raise ValueError when it is none."""
    if not re.fullmatch(r"(?:\d+(?:ms|[smhdwy]))+", text, re.ASCII):
        raise ValueError(f"not a valid duration string: {text!r}")
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def _tokens(query: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            raise QueryError(f"{place(query, at)}: parse error: unexpected character: {query[at]!r}")
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup or "", match.group(), at))
        at = match.end()
    found.append(Token("end", "", len(query)))
    return found


def place(query: str, at: int) -> str:
    """Return line and column of a position, both from 1."""
    before = query[:at]
    return f"{before.count(chr(10)) + 1}:{at - (before.rfind(chr(10)) + 1) + 1}"


class _Reader:
    """A recursive descent over the tokens."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._tokens = _tokens(query)
        self._next = 0
        self._depth = 0

    @property
    def look(self) -> Token:
        return self._tokens[self._next]

    def error(self, message: str) -> QueryError:
        return QueryError(f"{place(self._query, self.look.at)}: parse error: {message}")

    def unexpected(self) -> QueryError:
        token = self.look
        return self.error("unexpected end of input" if token.kind == "end" else f"unexpected <{token.text!r}>")

    def take(self, text: str = "") -> Token:
        token = self.look
        if text and token.text != text:
            raise self.unexpected()
        self._next += 1
        return token

    def skip(self, text: str) -> bool:
        if self.look.text == text and self.look.kind != "string":
            self._next += 1
            return True
        return False

    def expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error("expression is nested too deeply")
        left = self._unary()
        while True:
            op = self.look.text.lower() if self.look.kind in {"op", "word"} else ""
            strength = _PRECEDENCE.get(op, 0)
            if strength == 0 or strength < least:
                self._depth -= 1
                return left
            self.take()
            returns_bool = self._bool(op)
            matching = self._matching(op)
            right = self.expression(strength if op == "^" else strength + 1)
            left = Binary(op, left, right, returns_bool, matching)

    def _bool(self, op: str) -> bool:
        if self.look.text != "bool":
            return False
        if op not in COMPARISONS:
            raise self.error("bool modifier can only be used on comparison operators")
        self.take()
        return True

    def _matching(self, op: str) -> Matching:
        if self.look.text not in {"on", "ignoring"}:
            return Matching()
        on = self.take().text == "on"
        labels = self._names()
        group = ""
        include: tuple[str, ...] = ()
        if self.look.text in {"group_left", "group_right"}:
            if op in SETS:
                raise self.error(f'no grouping allowed for "{op}" operation')
            group = self.take().text.removeprefix("group_")
            include = self._names() if self.look.text == "(" else ()
        return Matching(on, labels, group, include)

    def _unary(self) -> Node:
        if self.skip("-"):
            inner = self.expression(_PRECEDENCE["*"] + 1)
            return Number(-inner.value) if isinstance(inner, Number) else Negative(inner)
        if self.skip("+"):
            return self.expression(_PRECEDENCE["*"] + 1)
        return self._suffixed(self._primary())

    def _suffixed(self, node: Node) -> Node:
        while True:
            if self.look.text == "[" and self.look.kind == "op":
                node = self._windowed(node)
            elif self.look.text == "offset":
                self.take()
                sign = -1.0 if self.skip("-") else 1.0
                if not isinstance(node, Selector):
                    raise self.error("offset modifier must be preceded by an instant or range selector")
                node = Selector(node.matchers, node.window, sign * self._duration())
            elif self.look.text == "@":
                raise self.error("the rehearsal estate does not serve the @ modifier")
            else:
                return node

    def _windowed(self, node: Node) -> Node:
        self.take("[")
        if not isinstance(node, Selector) or node.window:
            raise self.error("ranges only allowed for vector selectors; the rehearsal estate serves no subqueries")
        window = self._duration()
        if self.look.text == ":":
            raise self.error("the rehearsal estate serves no subqueries")
        self.take("]")
        if window <= 0:
            raise self.error("duration must be greater than 0")
        return Selector(node.matchers, window, node.offset)

    def _duration(self) -> float:
        if self.look.kind != "duration":
            raise self.unexpected()
        return duration(self.take().text)

    def _primary(self) -> Node:
        token = self.look
        if token.kind == "number":
            self.take()
            return Number(float(int(token.text, 16)) if token.text[:2].lower() == "0x" else float(token.text))
        if token.kind == "string":
            self.take()
            return Text(_unquoted(token.text))
        if token.text == "(":
            self.take()
            node = self.expression(0)
            self.take(")")
            return node
        if token.text == "{":
            return self._selector("")
        if token.kind != "word" or token.text.lower() in SETS:
            raise self.unexpected()
        self.take()
        if token.text in AGGREGATIONS and self.look.text in {"(", "by", "without"}:
            return self._aggregate(token.text)
        if self.look.text == "(":
            return Call(token.text, self._arguments())
        return self._selector(token.text)

    def _arguments(self) -> tuple[Node, ...]:
        self.take("(")
        found: list[Node] = []
        while self.look.text != ")" or self.look.kind == "string":
            found.append(self.expression(0))
            if not self.skip(","):
                break
        self.take(")")
        return tuple(found)

    def _aggregate(self, op: str) -> Node:
        grouping = self._grouping()
        arguments = self._arguments()
        grouping = grouping or self._grouping() or ((), False)
        wanted = 2 if op in _WITH_PARAMETER else 1
        if len(arguments) != wanted:
            raise self.error(f"wrong number of arguments for aggregate expression provided, expected {wanted}")
        return Aggregate(op, arguments[-1], arguments[0] if wanted == 2 else None, *grouping)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if self.look.text not in {"by", "without"}:
            return None
        without = self.take().text == "without"
        return self._names(), without

    def _names(self) -> tuple[str, ...]:
        self.take("(")
        found: list[str] = []
        while self.look.kind == "word":
            found.append(self.take().text)
            if not self.skip(","):
                break
        self.take(")")
        return tuple(found)

    def _selector(self, name: str) -> Selector:
        found = [Matcher(NAME, "=", name)] if name else []
        if self.skip("{"):
            while self.look.kind == "word":
                found.append(self._matcher())
                if not self.skip(","):
                    break
            self.take("}")
        if all(one.matches("") for one in found):
            raise self.error("vector selector must contain at least one non-empty matcher")
        return Selector(tuple(found))

    def _matcher(self) -> Matcher:
        name, op = self.take().text, self.look.text
        if op not in {"=", "!=", "=~", "!~"}:
            raise self.unexpected()
        self.take()
        if self.look.kind != "string":
            raise self.unexpected()
        value = _unquoted(self.take().text)
        if op in {"=~", "!~"}:
            anchored(value)
        return Matcher(name, op, value)


def _unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        raise QueryError(f"1:1: parse error: invalid syntax in string {text}") from None
