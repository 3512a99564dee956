"""The keys in force: the registry's, with those that the configuration puts elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.bindings import COMMANDS, K9S, Command, Cousin, Kin, command_for, commands_for, hinting, printed

if TYPE_CHECKING:
    from services.config import Loaded


class Keymap:
    """What each key does in each place. The registry as it is unless other commands are given."""

    def __init__(self, commands: Sequence[Command] = COMMANDS) -> None:
        self.commands = tuple(commands)
        self._printed = {command.id: printed(command.key) for command in self.commands}

    def commands_for(self, place: str) -> tuple[Command, ...]:
        """Return the commands that work in a place, in the registry's order."""
        return commands_for(place, self.commands)

    def command_for(self, place: str, key: str) -> Command | None:
        """Return what a key does in a place."""
        return command_for(place, key, self.commands)

    def named(self, id_: str) -> Command | None:
        """Return the command of that id."""
        return next((command for command in self.commands if command.id == id_), None)

    def key(self, id_: str) -> str:
        """Return the key of a command, as the screen prints it."""
        return self._printed.get(id_, "")

    def says(self, cousin: Cousin) -> str:
        """Return the hint on a k9s key, with the keys as they are here."""
        return cousin.hint.format_map(self._printed)

    def hint_for(self, place: str, key: str) -> str:
        """Return what to say to an operator who pressed a k9s key that does nothing here, "" for any other key."""
        cousin = hinting(place, key)
        return f"{printed(key)} ({cousin.theirs} in k9s): {self.says(cousin)}" if cousin is not None else ""

    def hint_of(self, key: str) -> str:
        """Return what to say of a k9s key that means something else here, "" for any other key."""
        cousin = next((one for one in K9S if one.key == key and one.where == "table" and one.kin is Kin.OURS), None)
        return self.says(cousin) if cousin is not None else ""

    @property
    def names(self) -> frozenset[str]:
        """Every key that means anything, by its name."""
        return frozenset({key for command in self.commands for key in command.keys} | {one.key for one in K9S})


DEFAULT = Keymap()


def keymap_of(loaded: Loaded) -> Keymap:
    """Return the keys that a configuration asks for. Raises ConfigProblem: file, line, key and reason of each fault."""
    wanted = loaded.config.keys
    if not wanted:
        return DEFAULT
    from services.config import ConfigProblem
    from services.config_locate import dotted
    from services.sanitize import safe_text
    from tui.remap import remapped

    commands, faults = remapped(wanted)
    if faults:
        sentences = []
        for fault in faults:
            path = dotted(("keys", fault.id))
            where = loaded.origins.get(path, str(loaded.path))
            sentences.append(safe_text(f"{where}: {path} {fault.reason}"))
        raise ConfigProblem(tuple(sentences))
    return Keymap(commands)
