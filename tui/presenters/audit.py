"""Words of the audit trail: an entry in a line, one intent whole, facts for a script; pure."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cache.ledger.records import Entry, EntryKind
from tui.presenters.lens import Lens

MOST_TEXT = 2000


def body_of(entry: Entry) -> Mapping[str, Any]:
    """Return what an entry holds, {} where it cannot be read."""
    try:
        body = json.loads(entry.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def present_entry(entry: Entry, lens: Lens, begun: Entry | None = None) -> str:
    """Return an entry in one line: number, when, who, what, on what, why or how it ended.

    Steps and outcomes name no object: `begun`, the intent that they belong to, does.
    """
    who = lens.text(f"{entry.actor.user}@{entry.actor.host}", 40)
    target = entry.target or (begun.target if begun is not None else None)
    where = lens.text(target.key, 60) if target is not None else ""
    said = lens.text(_said(entry), 120)
    if entry.kind is EntryKind.OUTCOME and begun is not None:
        said = lens.text(f"{begun.action}: {_said(entry)}", 120)
    what = f"{entry.kind.value:<8} {_what(entry, lens):<16}"
    return f"{entry.seq:>6}  {stamp(entry.at)}  {who:<20}  {what} {where:<30} {said}".rstrip()


def present_intent(entries: Sequence[Entry], lens: Lens) -> list[str]:
    """Return one intent, from what was asked to how it ended, a line each."""
    first = entries[0]
    body = body_of(first)
    who = lens.text(f"{first.actor.user}@{first.actor.host}", 80)
    lines = [
        f"{lens.text(str(body.get('title') or first.action), 200)}",
        f"  who      {who}, console {lens.text(first.actor.console, 60)}",
        f"  when     {stamp(first.at)}",
        f"  on       {lens.text(first.target.kind, 40)} {lens.text(first.target.key, 120)}" if first.target else "",
        f"  uid      {lens.text(first.target.uid, 60)}" if first.target else "",
        f"  why      {lens.text(str(body.get('reason') or '-'), 300)}",
        f"  incident {lens.text(str(body.get('incident') or '-'), 40)}",
        f"  as       {lens.text(str(body.get('command') or '-'), 400)}",
        *_changes(body, lens),
        f"  plan     {lens.text(str(body.get('digest') or ''), 70)}",
    ]
    for entry in entries[1:]:
        result = f" {entry.result}" if entry.result else ""
        name = lens.text(f"{entry.action or entry.kind.value}{result}", 40)
        lines.append(f"  {stamp(entry.at)}  {name}  {lens.text(_said(entry), 600)}".rstrip())
        undo = _object(body_of(entry).get("undo"))
        if undo:
            lines.append(f"  undo     {lens.text(undo.get('words') or undo.get('action'), 200)}")
    if not any(entry.kind is EntryKind.OUTCOME for entry in entries):
        lines.append("  it has no outcome: it still runs, or nobody has found out yet")
    return [line for line in lines if line]


def _changes(body: Mapping[str, Any], lens: Lens) -> list[str]:
    """Return what an intent was to change, from what to what, and the requests that it was to make, bodies masked."""
    plan = _object(body.get("plan"))
    lines = []
    for one in _objects(plan.get("edits")):
        before, after = (lens.text(one.get(name) or "-", 120) for name in ("before", "after"))
        lines.append(f"  change   {lens.text(one.get('path'), 120)}: {before} -> {after}")
    for one in _objects(plan.get("writes")):
        try:
            sent = b64decode(str(one.get("body") or "")).decode()
        except ValueError:
            sent = "(cannot be read)"
        lines.append(
            f"  request  {lens.text(one.get('method'), 10)} {lens.text(one.get('path'), 300)} {lens.text(sent)}"
        )
    return [line.rstrip() for line in lines]


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def facts(entry: Entry, lens: Lens) -> dict[str, Any]:
    """Return an entry for a script or an export; its body as it was hashed, masked as everything that leaves."""
    return {
        "seq": entry.seq,
        "at": stamp(entry.at),
        "kind": entry.kind.value,
        "intent": lens.text(entry.intent),
        "user": lens.text(entry.actor.user),
        "host": lens.text(entry.actor.host),
        "console": lens.text(entry.actor.console),
        "action": lens.text(entry.action),
        "object": lens.text(f"{entry.target.kind}/{entry.target.key}") if entry.target is not None else "",
        "uid": lens.text(entry.target.uid) if entry.target is not None else "",
        "result": lens.text(entry.result),
        "body": _safe(body_of(entry), lens),
        "hash": entry.hash,
    }


def stamp(at: float) -> str:
    """Return a time as RFC 3339 in UTC, with milliseconds."""
    when = datetime.fromtimestamp(at, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def _what(entry: Entry, lens: Lens) -> str:
    return lens.text(entry.result if entry.kind is EntryKind.OUTCOME else entry.action, 16)


def _said(entry: Entry) -> str:
    body = body_of(entry)
    return str(body.get("text") or body.get("reason") or body.get("title") or "")


def _safe(value: object, lens: Lens) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {lens.text(name): _safe(inner, lens) for name, inner in value.items()}
    if isinstance(value, list):
        return [_safe(inner, lens) for inner in value]
    return lens.text(value, MOST_TEXT) if isinstance(value, str) else value
