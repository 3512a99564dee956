"""Says things in prepared words: built-in and own templates whose `{fields}` come from a closed list, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from services.model.message import MessageKind
from services.redact import redact
from services.sanitize import safe_line

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "what": "what it is about: deployment shop/cart, or an incident's title",
        "subject": "the first line as it was typed",
        "text": "what was typed with it",
        "cluster": "the cluster",
        "namespace": "the namespace",
        "name": "the object's name",
        "action": "what was done: roll back",
        "from": "what it was before: rev 17 and its images, 3 replicas",
        "to": "what it was to be",
        "revision": "the revision it was rolled back to",
        "outcome": "OK, FAILED or UNKNOWN",
        "detail": "how it ended, in a sentence",
        "reason": "why it was done",
        "undo": "how it is put back",
        "user": "who did it",
        "host": "on which machine",
        "time": "when, UTC",
        "incident": "INC-42",
        "severity": "P0 to P4",
        "state": "how it is: 0 of 3 ready, CrashLoop exit 1",
        "since": "since when it is so, UTC",
        "cause": "why it is so",
        "change": "what changed before",
        "value": "the alert's last value",
        "runbook": "the alert's runbook",
        "status": "how far the incident has come",
        "title": "the incident's title",
        "owner": "who leads it",
        "next_update": "when the next update is due, UTC",
        "link": "where to read more",
    }
)
"""Every field there is, with what it holds; one that is not known is empty."""

MAX_SUBJECT, MAX_TEXT = 200, 3800

_HOLE = re.compile(r"\{\{|\}\}|\{([A-Za-z_]*)\}|[{}]")


class Template(Struct, frozen=True):
    """A first line and the rest, with `{fields}`; `{{` and `}}` are braces."""

    subject: str
    text: str = ""


BUILT_IN: Mapping[str, Template] = MappingProxyType(
    {
        MessageKind.PLAIN: Template("{subject}", "{text}\nCluster: {cluster}\nMore: {link}"),
        MessageKind.ACTED: Template(
            "{what}: {action}, done",
            "{user} on {cluster}: {action} {what}\nFrom: {from}\nTo: {to}\nResult: {detail}\nReason: {reason}\n"
            "Incident: {incident} {title}\nUndo: {undo}\n{text}",
        ),
        MessageKind.ROLLED_BACK: Template(
            "{what} was rolled back to revision {revision}",
            "{user} rolled back {what} on {cluster}\nFrom: {from}\nTo: {to}\nResult: {detail}\n"
            "Reason: {reason}\nIncident: {incident} {title}\nUndo: {undo}\n{text}",
        ),
        MessageKind.FAILED: Template(
            "{what}: {action} FAILED",
            "{user} on {cluster}: {action} {what}\nResult: {detail}\nReason: {reason}\n"
            "Incident: {incident} {title}\n{text}",
        ),
        MessageKind.UNKNOWN: Template(
            "{what}: {action}, outcome UNKNOWN",
            "{user} on {cluster}: {action} {what}\nIt may have happened; somebody has to look. {detail}\n"
            "Reason: {reason}\nIncident: {incident} {title}\n{text}",
        ),
        MessageKind.DECLARED: Template(
            "{incident} {severity} declared: {title}",
            "{text}\nOwner: {owner}\nCluster: {cluster}\nSince: {time}\nNext update: {next_update}\nMore: {link}",
        ),
        MessageKind.UPDATED: Template(
            "{incident} {severity} {status}: {title}",
            "{text}\nNow: {state}\nOwner: {owner}\nCluster: {cluster}\nNext update: {next_update}\nMore: {link}",
        ),
        MessageKind.RESOLVED: Template(
            "{incident} {severity} {status}: {title}",
            "{text}\nNow: {state}\nOwner: {owner}\nCluster: {cluster}\nMore: {link}",
        ),
        MessageKind.PAGE: Template(
            "{what} needs somebody: {state}",
            "{text}\nSince: {since}\nBecause: {cause}\nChanged: {change}\nValue: {value}\n"
            "Cluster: {cluster}\nIncident: {incident}\nRunbook: {runbook}\nMore: {link}",
        ),
        MessageKind.HELP: Template(
            "{user} asks for help with {what}",
            "{text}\nNow: {state}\nSince: {since}\nBecause: {cause}\nChanged: {change}\nDone: {detail}\n"
            "Cluster: {cluster}\nIncident: {incident}\nRunbook: {runbook}\nMore: {link}",
        ),
    }
)


def fault_of(text: str) -> str:
    """Return the end of a sentence on what is wrong with a template's text, "" for nothing."""
    for hole in _HOLE.finditer(text):
        name = hole[1]
        if hole[0] in ("{{", "}}") or name in FIELDS:
            continue
        if name is None:
            return "has a brace that opens or closes nothing; write {{ or }} for a brace"
        import difflib

        near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.6)
        more = f"; did you mean {{{near[0]}}}?" if near else f"; there are {', '.join(FIELDS)}"
        return f"knows no field {{{name[:40]}}}{more}"
    return ""


def fill(template: Template, values: Mapping[str, str]) -> tuple[str, str]:
    """Return subject and text, clean, masked and within their lengths; lines whose fields are all empty are left out.

    So is a colon at the end of the subject that nothing follows.

    `values` are raw. A field that is not among them is empty. Of `text` and `detail` the lines stay lines.
    """
    clean = {name: _lines(value) for name, value in values.items() if name in FIELDS}
    subject = " ".join(_filled(template.subject, clean).split())
    if template.subject.endswith("}"):
        subject = subject.removesuffix(":")
    lines: list[str] = []
    for line in template.text.splitlines():
        names = [hole[1] for hole in _HOLE.finditer(line) if hole[1]]
        if not names or any(clean.get(name) for name in names):
            lines += [" ".join(part.split()) for part in _filled(line, clean).split("\n")]
    return _cut(str(redact(subject)), MAX_SUBJECT), _cut("\n".join(str(redact(line)) for line in lines), MAX_TEXT)


def _lines(value: str) -> str:
    return "\n".join(str(redact(safe_line(line))) for line in redact(value).strip().splitlines()[:200])


def _filled(text: str, values: Mapping[str, str]) -> str:
    def one(hole: re.Match[str]) -> str:
        if hole[0] in ("{{", "}}"):
            return hole[0][0]
        return values.get(hole[1] or "", "")

    return _HOLE.sub(one, text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
