"""A room is comfortable when it is small: how long a file, a class, a function and a row of parameters may get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("services", "cache", "widgets", "tui", "screenshots", "tests")

LINES_OF_A_FILE = 400
LINES_OF_A_CLASS = 250
LINES_OF_A_FUNCTION = 60
"""Each is one more than there may be."""

POSITIONAL = 5
"""Parameters that may be given without their names; fixtures of tests are given by their names anyway."""


def too_much(source: str, *, tried: bool = False) -> list[str]:
    """Return what in a module is larger than it may be; in what is `tried` parameters are not counted."""
    lines = source.count("\n")
    found = [f"{lines} lines"] if lines >= LINES_OF_A_FILE else []
    for node, method in _defined(ast.parse(source).body):
        most = LINES_OF_A_CLASS if isinstance(node, ast.ClassDef) else LINES_OF_A_FUNCTION
        long = (node.end_lineno or 0) - node.lineno + 1
        if long >= most:
            found.append(f"{node.name}: {long} lines")
        if not isinstance(node, ast.ClassDef) and not tried:
            given = len(node.args.posonlyargs) + len(node.args.args) - method
            if given > POSITIONAL:
                found.append(f"{node.name}: {given} positional parameters")
    return found


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _defined(body: list[ast.stmt], *, inside: bool = False) -> Iterator[tuple[Definition, bool]]:
    """Yield all that is defined in a body, and whether it is a method: its first parameter is nobody's to give."""
    for node in body:
        if isinstance(node, Definition):
            static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in node.decorator_list)
            yield node, inside and not static
        if inner := getattr(node, "body", None):
            yield from _defined(inner, inside=isinstance(node, ast.ClassDef))


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_larger_than_it_may_be(room: str) -> None:
    paths = sorted((ROOT / room).rglob("*.py"))
    assert paths
    found = {
        str(path.relative_to(ROOT)): larger
        for path in paths
        if (larger := too_much(path.read_text(encoding="utf-8"), tried=room == "tests"))
    }
    assert not found


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("\n" * 399, []),
        ("\n" * 400, ["400 lines"]),
        ("def f():\n" + "    x\n" * 58, []),
        ("async def f():\n" + "    x\n" * 59, ["f: 60 lines"]),
        ("class C:\n" + "    x = 1\n" * 249, ["C: 250 lines"]),
        ("class C:\n    def f(self, a, b, c, d, e, *, f): ...\n", []),
        ("class C:\n    def f(self, a, b, c, d, e, f): ...\n", ["f: 6 positional parameters"]),
        ("class C:\n    @staticmethod\n    def f(a, b, c, d, e, f): ...\n", ["f: 6 positional parameters"]),
        ("def g():\n    def f(a, b, c, /, d, e, f): ...\n", ["f: 6 positional parameters"]),
        ("if True:\n    def f(a, b, c, d, e, f): ...\n", ["f: 6 positional parameters"]),
    ],
)
def test_what_is_too_much_is_found(source: str, said: list[str]) -> None:
    assert too_much(source) == said
