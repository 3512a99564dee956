"""Prints what a shell completes the command with: its script, and the names that the script asks for each time."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from services.errors import Problem

SHELLS = ("bash", "zsh", "fish", "tcsh")
NAMES = ("contexts", "namespaces", "views")
"""What a script asks for: of the kubeconfig, of the rows kept from last time, of the program. No network."""

PLAIN = re.compile(r"[\w.@:/+=-]+")
"""What a shell takes for one word and nothing more: bash expands what is in the list once again."""

ASKED = {"context": "contexts", "namespace": "namespaces", "view": "views"}
FILES = ("kubeconfig", "config")


def completed(what: str, root: argparse.ArgumentParser) -> str:
    """Return a shell's script for a parser, or the names of one kind, a line each; nothing where they are not known."""
    if what in SHELLS:
        return _script(what, root)
    with contextlib.suppress(Problem, OSError):
        return "".join(f"{name}\n" for name in _names(what) if PLAIN.fullmatch(name))
    return ""


def _script(shell: str, root: argparse.ArgumentParser) -> str:
    import shtab

    for action in _actions(root):
        if action.dest in FILES:
            setattr(action, "complete", shtab.FILE)  # noqa: B010 - an attribute that shtab alone knows
        elif action.dest in ASKED and action.nargs is None:
            setattr(action, "complete", _asking(ASKED[action.dest]))  # noqa: B010 - as above
    return f"{shtab.complete(root, shell=shell)}\n"


def _asking(names: str) -> dict[str, Any]:
    """Return how each shell asks for names once they are wanted: as shtab has it, zsh would as it reads the script."""
    import shtab

    command = f"quarterdeck completion {names} 2>/dev/null"
    function = f"_quarterdeck_{names}"
    known: dict[str, Any] = shtab.cmd(command)
    named = f'{function}() {{ compadd -- ${{(f)"$({command})"}} }}'
    return {**known, "zsh": function, "preamble": {**known["preamble"], "zsh": named}}


def _actions(root: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in root._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)


def _names(kind: str) -> Iterable[str]:
    if kind == "views":
        from tui.presenters.views import VIEWS

        return [view.id for view in VIEWS]
    from services.kubernetes.kubeconfig import contexts, default_paths, identify

    if kind == "contexts":
        return contexts(default_paths())
    from cache.folder import state_folder
    from cache.state.first_paint import FirstPaint
    from cache.state.records import identity_key

    identity = identify(default_paths())
    with FirstPaint(state_folder()) as paint:
        saved = paint.tables(identity_key(identity.server, identity.ca_fingerprint, identity.user), ("rollouts",))
    return sorted({row.ref.namespace for table in saved.values() for row in table.rows.values()})
