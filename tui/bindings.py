"""The one registry of keys: footer, help, palette and the README's table are made from it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from services.actions.registry import LISTED


class Group(StrEnum):
    """The heading an entry stands under in the help."""

    MOVE = "Move"
    LOOK = "Look"
    FIND = "Find"
    PLACE = "Go"
    LOG = "Logs"
    SORT = "Order"
    ACT = "Act"
    PROGRAM = "Program"


class Command(Struct, frozen=True):
    """One thing a key does. `places` names the screens it lives on ("*" all of them, "table" every table).

    `footer` orders the entries that the footer shows (0: not shown). `keys` are Textual's key names, the first one is
    the one that is printed; a command without any is in the palette alone.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    text: str
    group: Group
    places: tuple[str, ...] = ("*",)
    footer: int = 0

    @property
    def key(self) -> str:
        """The key that is printed, "" for a command that only the palette knows."""
        return self.keys[0] if self.keys else ""


TABLES = ("deck", "table", "workload", "costs")
EXPLAINED = ("alert", "workload")
DOCUMENTS = ("text", "logs")
OBJECTS = (*TABLES, "alert")
FILTERED = ("deck", "table", "costs", "outbox", *DOCUMENTS)
SORTED = ("table", "deck", "costs", "outbox")
ALL = ("*",)

COMMANDS: tuple[Command, ...] = (
    Command("down", ("j", "down"), "down", "one row down", Group.MOVE),
    Command("up", ("k", "up"), "up", "one row up", Group.MOVE),
    Command("top", ("g", "home"), "top", "first row", Group.MOVE),
    Command("bottom", ("G", "end"), "bottom", "last row", Group.MOVE),
    Command("page_down", ("ctrl+f", "pagedown"), "page down", "one page down", Group.MOVE),
    Command("page_up", ("ctrl+b", "pageup"), "page up", "one page up", Group.MOVE),
    Command("left", ("h", "left"), "left", "to the left", Group.MOVE, DOCUMENTS),
    Command("right", ("l", "right"), "right", "to the right", Group.MOVE, ("text",)),
    Command("open", ("enter",), "open", "open what is under the cursor", Group.LOOK, (*TABLES, "outbox"), 1),
    Command("back", ("escape", "q"), "back", "take marks away, clear the filter, then go back", Group.PLACE, ALL),
    Command("explain", ("X",), "explain", "why is it broken, what changed", Group.LOOK, OBJECTS, 2),
    Command("describe", ("d",), "describe", "describe the object", Group.LOOK, OBJECTS, 6),
    Command("yaml", ("y",), "yaml", "the object as YAML, secret values masked", Group.LOOK, OBJECTS, 9),
    Command("logs", ("l",), "logs", "logs of all its pods and containers", Group.LOOK, OBJECTS, 5),
    Command("previous_logs", ("p",), "previous logs", "logs of the run before", Group.LOOK, OBJECTS),
    Command("diff", ("D",), "diff", "what changed between two revisions", Group.LOOK, ("workload",), 5),
    Command("window", ("W",), "window", "how far back: 1h, 6h, 24h, 7d", Group.LOOK, EXPLAINED, 5),
    Command("copy_runbook", ("r",), "copy runbook", "copy the link of the runbook", Group.LOOK, EXPLAINED, 6),
    Command("copy_dashboard", ("b",), "copy dashboard", "copy the link of the dashboard", Group.LOOK, EXPLAINED, 7),
    Command("expand", ("e",), "expand", "this pane alone, and back", Group.LOOK, ("deck",)),
    Command("freeze", ("z",), "freeze", "hold the display still, go on watching", Group.LOOK, TABLES),
    Command("mark", ("space",), "mark", "mark the row, to find it again", Group.LOOK, TABLES),
    Command("copy", ("c",), "copy", "copy the name and the kubectl command", Group.LOOK, ALL),
    Command("filter", ("slash",), "filter", "filter: text, !not, app=label, is:crit, ns:shop", Group.FIND, FILTERED, 7),
    Command("next_match", ("n",), "next", "next match", Group.FIND, DOCUMENTS),
    Command("previous_match", ("N",), "previous", "match before", Group.FIND, DOCUMENTS),
    Command("faults", ("f",), "faults", "only rows with a fault, and back", Group.FIND, ("table",)),
    Command("sort_name", ("N",), "by name", "sort by name", Group.SORT, SORTED),
    Command("sort_age", ("A",), "by age", "sort by age", Group.SORT, SORTED),
    Command("sort_status", ("S",), "by status", "sort by status, worst first", Group.SORT, SORTED),
    Command("sort_namespace", ("P",), "by namespace", "sort by namespace", Group.SORT, SORTED),
    Command("sort_next", ("O",), "by column", "sort by the next column", Group.SORT, SORTED),
    Command("reorder", ("o",), "order now", "let held rows take their places", Group.SORT, SORTED),
    Command("pane_1", ("1",), "rollouts", "the rollouts pane", Group.PLACE, ("deck",)),
    Command("pane_2", ("2",), "alerts", "the alerts pane", Group.PLACE, ("deck",)),
    Command("pane_3", ("3",), "costs", "the costs pane", Group.PLACE, ("deck",)),
    Command("pane_4", ("4",), "incidents", "the incidents pane", Group.PLACE, ("deck",)),
    Command("palette", ("colon",), "go", "any view, kind, namespace or context", Group.PLACE, ALL, 8),
    Command("history_back", ("left_square_bracket",), "place before", "the place before", Group.PLACE),
    Command("history_forward", ("right_square_bracket",), "place after", "the place after", Group.PLACE),
    Command("last_view", ("minus",), "last place", "the last place, and back", Group.PLACE),
    Command("timeline", ("t",), "timeline", "everything that happened, newest first", Group.PLACE, TABLES),
    Command("namespaces", ("0",), "all namespaces", "every namespace", Group.PLACE, ("deck", "table", "costs")),
    Command("follow", ("f",), "follow", "follow the end", Group.LOG, ("logs",), 1),
    Command("wrap", ("w",), "wrap", "wrap long lines", Group.LOG, DOCUMENTS, 2),
    Command("stamps", ("t",), "times", "show the times", Group.LOG, ("logs",), 3),
    Command("sources", ("s",), "sources", "show pod and container", Group.LOG, ("logs",)),
    Command("log_previous", ("p",), "previous", "the run before, and back", Group.LOG, ("logs",), 4),
    Command("since", ("S",), "since", "how far back: all, 1m, 5m, 15m, 1h", Group.LOG, ("logs",), 5),
    Command("around", ("C",), "context", "lines around each match: 0, 2, 5", Group.LOG, ("logs",)),
    Command("log_mark", ("m",), "mark", "a line across the log, now", Group.LOG, ("logs",)),
    Command("actions", ("x",), "actions", "everything that can be done to it", Group.ACT, OBJECTS, 3),
    *(Command(one.id, (one.key,), one.label, one.text, Group.ACT, OBJECTS, one.footer) for one in LISTED if one.key),
    Command("done", (), "done here", "the commands of all that was done from here, to copy", Group.ACT, ALL),
    Command("arm", ("exclamation_mark",), "arm", "arm actions for a while, and back", Group.ACT, ALL),
    Command("tell", ("T",), "tell", "tell people about what is under the cursor", Group.ACT, ALL, 8),
    Command("incident", ("I",), "incident", "declare an incident about what is under the cursor", Group.ACT, ALL),
    Command("incident_note", ("n",), "note", "add a note to the incident", Group.ACT, ("incident",), 1),
    Command("incident_status", ("s",), "status", "how far it is: triage to resolved", Group.ACT, ("incident",), 2),
    Command("incident_severity", ("v",), "severity", "how bad it is: P0 to P4", Group.ACT, ("incident",), 3),
    Command(
        "incident_update",
        ("u",),
        "told",
        "people have been told; the next update is due anew",
        Group.ACT,
        ("incident",),
        4,
    ),
    Command("incident_owner", ("w",), "owner", "hand the incident over", Group.ACT, ("incident",), 5),
    Command("incident_export", ("E",), "export", "write it down as Markdown", Group.ACT, ("incident",), 6),
    Command("outbox_retry", ("r",), "try again", "try the message again, now", Group.ACT, ("outbox",), 1),
    Command("outbox_drop", ("K",), "drop", "never send the message", Group.ACT, ("outbox",), 2),
    Command("cost_by", ("b",), "by", "costs by namespace, by team, by workload", Group.LOOK, ("costs",), 3),
    Command("login", ("L",), "log in", "run the configured login, and come back", Group.PROGRAM, ALL),
    Command("share", ("H",), "share", "mask hosts, addresses, accounts and names; twice to end", Group.PROGRAM, ALL),
    Command("reload", (), "reload config", "read the configuration again now", Group.PROGRAM, ALL),
    Command("help", ("question_mark",), "help", "the keys that work here", Group.PROGRAM, ALL, 9),
    Command("suspend", ("ctrl+z",), "shell", "back to the shell; fg returns here", Group.PROGRAM, ALL),
    Command("redraw", ("ctrl+l",), "redraw", "paint the screen anew", Group.PROGRAM, ALL),
    Command("quit", ("ctrl+c", "ctrl+q"), "quit", "leave; the place is kept", Group.PROGRAM, ALL),
)
"""Everything a key does today. A place's keys are unique: a test holds that."""


class Kin(StrEnum):
    """What a k9s key is here."""

    SAME = "same"
    OURS = "ours"
    INERT = "inert"


class Cousin(Struct, frozen=True):
    """A k9s key in a k9s place, and what it does here: same meaning, ours (changing nothing by itself), or a hint.

    A command's id in braces stands for its key.
    """

    key: str
    where: str
    theirs: str
    kin: Kin
    hint: str = ""


K9S: tuple[Cousin, ...] = (
    Cousin("colon", "*", "command", Kin.SAME),
    Cousin("slash", "*", "filter", Kin.SAME),
    Cousin("question_mark", "*", "help", Kin.SAME),
    Cousin("escape", "*", "clear filter, back", Kin.SAME),
    Cousin("q", "*", "back", Kin.SAME),
    Cousin("enter", "table", "drill down", Kin.SAME),
    Cousin("d", "table", "describe", Kin.SAME),
    Cousin("y", "table", "YAML", Kin.SAME),
    Cousin("l", "table", "logs", Kin.SAME),
    Cousin("p", "table", "previous logs", Kin.SAME),
    Cousin("j", "*", "down", Kin.SAME),
    Cousin("k", "*", "up", Kin.SAME),
    Cousin("g", "*", "top", Kin.SAME),
    Cousin("G", "*", "bottom", Kin.SAME),
    Cousin("ctrl+f", "*", "page down", Kin.SAME),
    Cousin("ctrl+b", "*", "page up", Kin.SAME),
    Cousin("space", "table", "mark", Kin.SAME),
    Cousin("c", "table", "copy", Kin.SAME),
    Cousin("left_square_bracket", "*", "history back", Kin.SAME),
    Cousin("right_square_bracket", "*", "history forward", Kin.SAME),
    Cousin("minus", "*", "last view", Kin.SAME),
    Cousin("0", "table", "all namespaces", Kin.SAME),
    Cousin("N", "table", "sort by name", Kin.SAME),
    Cousin("A", "table", "sort by age", Kin.SAME),
    Cousin("S", "table", "sort by status", Kin.SAME),
    Cousin("P", "table", "sort by namespace", Kin.SAME),
    Cousin("O", "table", "sort by selected column", Kin.SAME),
    Cousin(
        "ctrl+z", "*", "only rows with a fault", Kin.OURS, "back to the shell, fg returns; {faults} shows only faults"
    ),
    Cousin("ctrl+w", "table", "wide columns", Kin.INERT, "every column that fits is shown; more in a wider terminal"),
    Cousin("ctrl+c", "*", "quit", Kin.SAME),
    Cousin("w", "logs", "wrap", Kin.SAME),
    Cousin("t", "logs", "timestamps", Kin.SAME),
    Cousin("m", "logs", "mark line", Kin.SAME),
    Cousin("s", "logs", "autoscroll", Kin.OURS, "shows or hides the sources; {follow} follows"),
    Cousin("f", "logs", "full screen", Kin.OURS, "follows the end; the log has the whole screen"),
    Cousin("1", "table", "favourite namespace", Kin.OURS, "the rollouts pane, on the control room"),
    Cousin("2", "table", "favourite namespace", Kin.OURS, "the alerts pane, on the control room"),
    Cousin("3", "table", "favourite namespace", Kin.OURS, "the costs pane, on the control room"),
    Cousin("4", "table", "favourite namespace", Kin.OURS, "the incidents pane, on the control room"),
    Cousin("z", "table", "ReplicaSets / sanitize", Kin.OURS, "freezes the display"),
    Cousin("o", "table", "show node", Kin.OURS, "lets held rows take their places"),
    Cousin("e", "table", "edit", Kin.OURS, "expands the pane; nothing is edited here"),
    Cousin("ctrl+d", "table", "delete", Kin.INERT, "nothing is deleted by a ctrl key here"),
    Cousin("ctrl+k", "table", "kill, without a question", Kin.INERT, "nothing is killed by a ctrl key here"),
    Cousin("r", "table", "restart / drain", Kin.INERT, "what changes a workload is a Shift key here: {restart}"),
    Cousin("i", "table", "set image", Kin.INERT, "{actions} sets an image, after a question"),
    Cousin("a", "table", "attach", Kin.OURS, "acknowledges an alert; attach is not offered, {logs} shows the logs"),
    Cousin("s", "table", "shell / scale", Kin.OURS, "opens a shell, after a question; {actions} scales"),
    Cousin("u", "table", "used by / uncordon", Kin.INERT, "{actions} uncordons, after a question"),
    Cousin("t", "table", "transfer / trigger", Kin.OURS, "opens the timeline; {actions} triggers a CronJob"),
    Cousin("f", "table", "port-forwards", Kin.OURS, "only rows with a fault, and back"),
    Cousin("F", "table", "start port-forward", Kin.INERT, "port-forward is not offered here"),
    Cousin("b", "table", "benchmark", Kin.INERT, "no load is sent from here"),
    Cousin("v", "table", "vulnerabilities", Kin.INERT, "not offered here"),
    Cousin("x", "table", "decode secret", Kin.OURS, "opens the action menu; secret values are never shown"),
    Cousin("w", "table", "warp to namespace", Kin.INERT, "type {palette}ns NAME"),
    Cousin("J", "table", "jump to owner", Kin.INERT, "{open} opens the workload"),
    Cousin("ctrl+space", "table", "mark range", Kin.INERT, "{mark} marks one row"),
    Cousin("ctrl+backslash", "table", "clear marks", Kin.INERT, "{mark} takes a mark away"),
    Cousin("ctrl+l", "table", "roll back", Kin.OURS, "paints the screen anew; nothing is rolled back by a ctrl key"),
    *(Cousin(digit, "table", "favourite namespace", Kin.INERT, "type {palette}ns NAME") for digit in "56789"),
    *(Cousin(digit, "logs", "how far back", Kin.INERT, "{since} chooses how far back") for digit in "0123456"),
    Cousin("a", "logs", "all containers", Kin.INERT, "all containers are shown already"),
    Cousin("c", "logs", "copy", Kin.SAME),
    Cousin("C", "logs", "clear", Kin.OURS, "lines around each match; {log_mark} draws a line and clears nothing"),
    Cousin("L", "logs", "column lock", Kin.OURS, "the configured login"),
    Cousin("ctrl+s", "table", "save", Kin.INERT, "saving is not offered here"),
    Cousin("ctrl+e", "*", "toggle header", Kin.INERT, "the header stays: it says where you are"),
    Cousin("ctrl+g", "*", "toggle crumbs", Kin.INERT, "there are no crumbs to hide"),
    Cousin("ctrl+r", "*", "refresh", Kin.INERT, "everything here is live; {redraw} paints the screen anew"),
    Cousin("ctrl+a", "*", "aliases", Kin.INERT, "type {palette} for every view and kind"),
)
"""Every k9s key (its table and log views, version 0.51) and what it does here; `tests/unit/tui` holds it complete."""

PRINTED = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "minus": "-",
    "plus": "+",
    "underscore": "_",
    "backslash": "\\",
    "at": "@",
    "escape": "esc",
    "exclamation_mark": "!",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
}


def printed(key: str) -> str:
    """Return a key's name as the screen prints it: "/" for slash, "ctrl-f" for ctrl+f."""
    shape = PRINTED.get(key)
    if shape is None and len(key) > 1 and key.replace("_", "").isalpha():
        try:
            shape = unicodedata.lookup(key.replace("_", " ").upper())
        except KeyError:
            shape = ""
    return shape if shape and shape.isprintable() and shape != " " else key.replace("ctrl+", "ctrl-")


def commands_for(place: str, commands: Sequence[Command] = COMMANDS) -> tuple[Command, ...]:
    """Return the commands that work in a place, in the registry's order."""
    return tuple(command for command in commands if place in command.places or "*" in command.places)


def command_for(place: str, key: str, commands: Sequence[Command] = COMMANDS) -> Command | None:
    """Return what a key does in a place; the place's own commands win over those of everywhere."""
    here = [command for command in commands_for(place, commands) if key in command.keys]
    own = [command for command in here if place in command.places]
    return next(iter(own or here), None)


def hinting(place: str, key: str) -> Cousin | None:
    """Return the k9s key that does nothing in this place but say what to do instead, None for any other key."""
    kind = "logs" if place == "logs" else "table"
    return next(
        (one for one in K9S if one.key == key and one.where in ("*", kind) and one.kin is Kin.INERT),
        None,
    )
