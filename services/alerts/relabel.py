"""Gives a Prometheus' alerts the labels they are sent with, so that they can be found again at an Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import yaml
from msgspec import Struct

from services.alerts.patterns import bounded, matched
from services.model.alert import Pairs

LARGEST_BLOCK = 262_144
"""Characters of the parts of a configuration that are read; what is longer is not understood."""

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
_Action = Literal["replace", "keep", "drop", "keepequal", "dropequal", "labelmap", "labeldrop", "labelkeep", "case"]
_ACTIONS: Mapping[str, _Action] = {
    "replace": "replace",
    "keep": "keep",
    "drop": "drop",
    "keepequal": "keepequal",
    "dropequal": "dropequal",
    "labelmap": "labelmap",
    "labeldrop": "labeldrop",
    "labelkeep": "labelkeep",
    "lowercase": "case",
    "uppercase": "case",
}


class Relabel(Struct, frozen=True):
    """One step of `alert_relabel_configs`."""

    action: _Action
    pattern: re.Pattern[str]
    sources: tuple[str, ...] = ()
    separator: str = ";"
    target: str = ""
    replacement: str = "$1"
    fold: Callable[[str], str] = str


class Outgoing(Struct, frozen=True):
    """What a Prometheus does to an alert's labels before it sends it; `known` is False where that cannot be told."""

    external: Pairs = ()
    steps: tuple[Relabel, ...] = ()
    known: bool = True

    def labels(self, labels: Pairs) -> Pairs | None:
        """Return the labels as sent, sorted; None where the alert is dropped, which is on purpose.

        An external label never replaces one of the alert's own. prometheus/prometheus: notifier/notifier.go Send,
        relabel/relabel.go.
        """
        if not self.external and not self.steps:
            return labels
        sent = dict(labels)
        for name, value in self.external:
            if not sent.get(name):
                sent[name] = value
        for step in self.steps:
            if not _applied(step, sent):
                return None
        return tuple(sorted((name, value) for name, value in sent.items() if value))


UNKNOWN = Outgoing(known=False)


def outgoing_of(config: str) -> Outgoing:
    """Return what a configuration (the YAML of GET /api/v1/status/config) does to alerts on their way out.

    Only the blocks `global` and `alerting` are read. What is not understood (hashmod, an expression that cannot be
    run safely, no YAML) makes it `known=False`: then labels are compared as subsets.
    """
    block = _blocks(config, ("global", "alerting"))
    if len(block) > LARGEST_BLOCK:
        return UNKNOWN
    try:
        read = yaml.load(block, Loader=yaml.BaseLoader)  # noqa: S506 - makes strings, lists and dicts only
    except (yaml.YAMLError, RecursionError, ValueError):
        return UNKNOWN
    document = _mapping(read)
    external = _mapping(_mapping(document.get("global")).get("external_labels"))
    configured = _mapping(document.get("alerting")).get("alert_relabel_configs") or []
    steps = [_step(_mapping(one)) for one in configured] if isinstance(configured, list) else [None]
    labels = tuple(sorted((name, value) for name, value in external.items() if isinstance(value, str)))
    return Outgoing(labels, tuple(step for step in steps if step is not None), known=None not in steps)


def _blocks(config: str, wanted: Iterable[str]) -> str:
    """Return these top-level blocks alone: a configuration's scrape jobs may be megabytes, and say nothing here."""
    lines: list[str] = []
    inside = False
    for line in config.splitlines():
        if line[:1] not in ("", " ", "#", "\t", "-"):
            inside = line.split(":", 1)[0] in wanted
        if inside:
            lines.append(line)
    return "\n".join(lines)


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML from outside
    return {name: each for name, each in value.items() if isinstance(name, str)} if isinstance(value, dict) else {}


def _step(read: Mapping[str, Any]) -> Relabel | None:
    said = str(read.get("action", "replace")).lower()
    action = _ACTIONS.get(said)
    pattern = bounded(str(read.get("regex", "(.*)")))
    sources = read.get("source_labels", [])
    if action is None or pattern is None or not isinstance(sources, list):
        return None
    return Relabel(
        action,
        pattern,
        tuple(str(name) for name in sources),
        str(read.get("separator", ";")),
        str(read.get("target_label", "")),
        str(read.get("replacement", "$1")),
        str.upper if said == "uppercase" else str.lower,
    )


def _applied(step: Relabel, labels: dict[str, str]) -> bool:
    """Change the labels as one step says; False where it drops the alert."""
    if step.action in ("labelmap", "labeldrop", "labelkeep"):
        _by_name(step, labels)
        return True
    value = step.separator.join(labels.get(name, "") for name in step.sources)
    if step.action == "case":
        _put(labels, step.target, step.fold(value))
        return True
    if step.action in ("keepequal", "dropequal"):
        return (labels.get(step.target, "") == value) == (step.action == "keepequal")
    match = matched(step.pattern, value)
    if step.action == "replace":
        if match is not None:
            _put(labels, _expanded(step.target, match), _expanded(step.replacement, match))
        return True
    return (match is not None) == (step.action == "keep")


def _by_name(step: Relabel, labels: dict[str, str]) -> None:
    for name, value in list(labels.items()):
        match = matched(step.pattern, name)
        if step.action == "labelmap":
            if match is not None:
                _put(labels, _expanded(step.replacement, match), value)
        elif (match is not None) == (step.action == "labeldrop"):
            del labels[name]


def _put(labels: dict[str, str], name: str, value: str) -> None:
    if not _LABEL_NAME.fullmatch(name):
        return
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _expanded(template: str, match: re.Match[str]) -> str:
    """Fill in `$1`, `${1}`, `${name}` and `$$` as Go's regexp.Expand does: an unknown group is empty."""

    def filled(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isascii() and name.isdigit() else name] or ""
        except (IndexError, ValueError):
            return ""

    return _REFERENCE.sub(filled, template)
