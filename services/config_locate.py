"""Finds the line of each key of a TOML file, and what a misspelt one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KeyPath = tuple[str, ...]

_MAX_STATEMENT_LINES = 2_000


def key_lines(text: str) -> dict[KeyPath, int]:
    """Map each key of a valid TOML document to the line (from 1) of the statement that sets it, tables included.

    The first statement that names a key wins. Keys within an array of tables have no line of their own.
    """
    found: dict[KeyPath, int] = {}
    lines = text.splitlines()
    table: KeyPath = ()
    at = 0
    while at < len(lines):
        stripped = lines[at].strip()
        if not stripped or stripped.startswith("#"):
            at += 1
            continue
        content, taken = _statement(lines, at)
        if stripped.startswith("["):
            table = _only_path(content)
            _note(found, table, at + 1)
        else:
            for path in _paths(content):
                _note(found, table + path, at + 1)
        at += taken
    return found


def _statement(lines: list[str], start: int) -> tuple[Mapping[str, object], int]:
    """Parse the one statement that starts at a line; return its content and how many lines it takes."""
    import tomllib

    for end in range(start + 1, min(len(lines), start + _MAX_STATEMENT_LINES) + 1):
        try:
            return tomllib.loads("\n".join(lines[start:end])), end - start
        except tomllib.TOMLDecodeError:
            continue
    return {}, 1


def _only_path(content: Mapping[str, object]) -> KeyPath:
    path: list[str] = []
    value: object = content
    while isinstance(value, Mapping) and value:
        key, value = next(iter(value.items()))
        path.append(str(key))
    return tuple(path)


def _paths(content: Mapping[str, object]) -> Iterable[KeyPath]:
    for key, value in content.items():
        yield (key,)
        if isinstance(value, Mapping):
            for rest in _paths(value):
                yield (key, *rest)


def _note(found: dict[KeyPath, int], path: KeyPath, line: int) -> None:
    for size in range(1, len(path) + 1):
        found.setdefault(path[:size], line)


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of a key, or of the nearest table around it that has one; 0 when none has."""
    for size in range(len(path), 0, -1):
        if line := lines.get(path[:size]):
            return line
    return 0


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the nearest known word, or nothing."""
    import difflib

    spelled = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), list(spelled), n=1, cutoff=0.6)
    return f'; did you mean "{spelled[near[0]]}"?' if near else ""


def dotted(path: KeyPath) -> str:
    """Write a path as TOML would: parts that are not bare keys are quoted."""
    bare = [part if part and part.replace("-", "").replace("_", "").isalnum() else f'"{part}"' for part in path]
    return ".".join(bare)
