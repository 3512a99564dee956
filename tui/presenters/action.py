"""Words of an action: the plan on its confirm screen, how far it is, how it ended; pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from services.actions.guard import Allow
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Stage, Target, Tier
from services.model.severity import Severity
from tui.presenters.detail import labelled
from tui.presenters.lens import TONES, Lens, age, plural
from widgets.viewmodels import LABEL_CELLS, Line, Span, Tone

MOST_EDITS = 12

STAGES = {
    Stage.GUARD: "may it be done",
    Stage.INTENT: "audit entry",
    Stage.LEASE: "lock",
    Stage.REHEARSE: "dry run again",
    Stage.EXECUTE: "send",
    Stage.VERIFY: "watch",
    Stage.SETTLE: "outcome",
}
"""The stages of a run, in order, as the screen names them."""

ENDS = {
    Outcome.OK: ("OK", Tone.STRONG, Severity.OK),
    Outcome.FAILED: ("FAILED", Tone.CRIT, Severity.CRIT),
    Outcome.CANCELLED: ("NOT DONE", Tone.WARN, Severity.WARN),
    Outcome.UNKNOWN: ("UNKNOWN", Tone.CRIT, Severity.WARN),
}


class Where(Struct, frozen=True):
    """What a plan does not know: the cluster's name and its word, and the exact kubectl command with its context.

    `tells` says who will be told by itself, "" where there are no channels.
    """

    cluster: str
    environment: str
    command: str
    tells: str = ""


def present_title(plan: Plan, where: Where, lens: Lens) -> Line:
    """Return "Roll back shop/cart on prod-eu-1 PROD"."""
    return (
        Span(lens.text(plan.title, 120), Tone.STRONG),
        Span(f" on {lens.text(where.cluster, 60)} "),
        Span(lens.text(where.environment, 16), Tone.PROD),
    )


def present_plan(plan: Plan, allow: Allow, where: Where, lens: Lens) -> tuple[Line, ...]:
    """Return what will happen, a fact a line: from, to, diff, warnings, what it touches, the command, the undo."""
    lines: list[Line] = [_fact(one, lens) for one in plan.facts if one.severity is Severity.OK]
    lines += _diff(plan, lens)
    lines += [_fact(one, lens) for one in (*plan.facts, *allow.warnings) if one.severity is not Severity.OK]
    if plan.touches:
        lines.append(labelled("touches", Span(plural(plan.touches, "pod"))))
    if plan.target.as_of:
        lines.append(labelled("data", Span(f"{age(lens.now - plan.target.as_of)} old when this was planned")))
    lines.append(labelled("runs", Span(lens.text(where.command, 400), Tone.STRONG)))
    if plan.expects:
        looks = "watched" if plan.expects.startswith("until") else "seen"
        lines.append(labelled("then", Span(f"{looks} {lens.text(plan.expects, 200)}")))
    if plan.undo is not None:
        lines.append(labelled("undo", Span(lens.text(plan.undo.words, 200))))
    elif plan.no_undo:
        lines.append(labelled("undo", Span(f"none: {lens.text(plan.no_undo, 200)}", Tone.WARN)))
    if where.tells:
        lines.append(labelled("tells", Span(lens.text(where.tells, 200))))
    return tuple(lines)


def present_blocked(plan: Plan, lens: Lens) -> tuple[Line, ...]:
    """Return why a plan cannot run as it is, and what it warns of."""
    why: Line = (lens.badge(Severity.CRIT), Span(f" {lens.text(plan.blocked, 600)}", Tone.CRIT))
    plain = [_fact(one, lens) for one in plan.facts if one.severity is Severity.OK]
    return (why, *plain, *(_fact(one, lens) for one in plan.facts if one.severity is not Severity.OK))


def asks_for(plan: Plan, allow: Allow, *, reason: bool, ticket: str = "") -> tuple[tuple[str, str], ...]:
    """Return the fields to fill in before it can be confirmed: (id, label).

    `reason` says that the policy wants one, `ticket` what it has to hold ("" for anything).
    """
    fields = []
    if reason or allow.tier is Tier.REASON:
        fields.append(("reason", f"Reason with {ticket}" if ticket else "Reason"))
    if allow.tier is Tier.TYPED:
        fields.append(("typed", f"Type {plan.name_to_type}"))
    return tuple(fields)


def present_progress(
    seen: Sequence[Progress], lens: Lens, *, over: bool = False, well: bool = False
) -> tuple[Line, ...]:
    """Return the stages a run has been through, the last one as it is: it goes on, or is `over` and ended `well`."""
    lines: list[Line] = []
    for stage, group in groupby(seen, key=lambda one: one.stage):
        last = list(group)[-1]
        at_end = last is seen[-1]
        mark = lens.glyphs.check if well or not at_end else " " if over else lens.glyphs.ellipsis
        lines.append(_stage(stage, last, lens, mark, running=at_end and not over))
    return tuple(lines)


def present_end(ended: Ended, lens: Lens, *, again: str) -> tuple[Line, ...]:
    """Return how it ended, and what can be done about it; `again` says who looks again where nobody knows."""
    word, tone, severity = ENDS[ended.outcome]
    lines: list[Line] = [
        (lens.badge(severity), Span(f" {word}  ", tone), Span(lens.text(ended.text, 600))),
    ]
    if ended.outcome is Outcome.UNKNOWN:
        lines.append((Span(f"  it stays open in the audit trail until somebody has found out; {again}", Tone.MUTED),))
    if ended.undo is not None:
        lines.append(labelled("undo", Span(lens.text(ended.undo.words, 200))))
    return tuple(lines)


def named(target: Target, lens: Lens) -> str:
    """Return the object as a sentence names it."""
    return f"{target.ref.kind} {lens.text(target.ref.key, 120)}"


def _stage(stage: Stage, last: Progress, lens: Lens, sign: str, *, running: bool) -> Line:
    counted = f" {last.done} of {last.of}" if last.of else ""
    text = lens.text(last.text, 300) if last.text else ""
    mark = Span(f"{sign} ", Tone.NOTICE if running else Tone.MUTED)
    return (mark, Span(f"{STAGES[stage]:<15}", Tone.PLAIN if running else Tone.MUTED), Span(f"{text}{counted}"))


def _fact(fact: Fact, lens: Lens) -> Line:
    text = Span(lens.text(fact.text, 400), TONES[fact.severity])
    if fact.severity is Severity.OK:
        return labelled(fact.label, text)
    return (lens.badge(fact.severity), Span(f" {fact.label:<{LABEL_CELLS - 3}} ", TONES[fact.severity]), text)


def _diff(plan: Plan, lens: Lens) -> list[Line]:
    lines: list[Line] = []
    for place, edit in enumerate(plan.edits[:MOST_EDITS]):
        label = "diff" if not place else ""
        before, after = lens.text(edit.before, 120) or "nothing", lens.text(edit.after, 120) or "nothing"
        path = lens.text(edit.path, 120)
        lines.append(
            labelled(
                label,
                Span(f"{path}  ", Tone.MUTED),
                Span(before),
                Span(f" {lens.glyphs.right} ", Tone.MUTED),
                Span(after, Tone.STRONG),
            )
        )
    if len(plan.edits) > MOST_EDITS:
        lines.append(labelled("", Span(f"and {len(plan.edits) - MOST_EDITS} more", Tone.MUTED)))
    return lines
