"""Shows what the cluster costs: three periods against their limits, the rate, who moved it; always an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import structs
from rich.cells import cell_len

from services.costs.money import WORDS, change, dollars, limit
from services.model.cost import COST_SUMMARY, COSTS, MICRO, WHOLE, CostBy, CostKind, CostLine, CostSummary, Spend
from services.model.ref import WORKLOAD_KINDS, Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.ports import Snapshot
from tui.presenters.detail import labelled
from tui.presenters.freshness import Freshness, Reading, present_state
from tui.presenters.lens import TONES, Lens, age, clock
from tui.presenters.rollouts import SHORT_KIND
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Face, Line, PaneVM, Row, Span, TextVM, Tone

SOURCE = "costs"
GUESSED_FROM = 0.05
"""The part of an amount from which on it is said that it is extrapolated."""

STEP_FOR = 86400.0
"""Seconds a jump of the rate is spoken of."""

TREND, LEAST_BARS = 24, 6
"""Hours of the trend that are shown where there is room, and the fewest that are worth it."""

NO_TEAM = "(no team)"
WAITING = "Costs are counted once pods are read."
OFF = "Costs are switched off by costs.enabled."


def summary_of(snapshot: Snapshot) -> CostSummary | None:
    """Return the estimate, None while there is none."""
    found = snapshot.tables.get(COST_SUMMARY, {}).get(WHOLE)
    return found if isinstance(found, CostSummary) else None


def present_cost_pane(summary: CostSummary | None, status: SourceStatus | None, lens: Lens) -> PaneVM:
    """Return the frame of the costs pane."""
    title = (Span("Costs", Tone.STRONG), lens.dash(), Span("estimate", Tone.MUTED))
    if status is not None and status.state is SourceState.NOT_CONFIGURED:
        off = (Span("not configured", Tone.MUTED),)
        return PaneVM("3", title[:1], off, Face.NOT_CONFIGURED, OFF)
    if summary is None:
        why = lens.text(status.error) if status is not None and status.error else WAITING
        return PaneVM("3", title[:1], (Span("waiting", Tone.MUTED),), Face.WAITING, why)
    if status is not None and status.state is not SourceState.LIVE:
        state = (Span(f"as of {clock(summary.at)}", Tone.WARN),)
        return PaneVM("3", title, state, stale=True)
    return PaneVM("3", title, unknowns(summary))


def unknowns(summary: CostSummary) -> Line:
    """Return what the estimate does not know, for the right of a frame."""
    if not summary.nodes:
        return (Span("nodes not readable: default prices, idle unknown", Tone.MUTED),)
    words = []
    if summary.priced < summary.nodes:
        words.append(f"{summary.nodes - summary.priced} of {summary.nodes} nodes priced by size")
    if summary.sized < summary.pods:
        words.append(f"{summary.pods - summary.sized} pods unknown")
    return (Span(", ".join(words), Tone.MUTED),) if words else ()


def present_cost_lines(summary: CostSummary, width: int, lens: Lens) -> tuple[Line, ...]:
    """Return the lines of the pane: today, week, month, movers, with the rate at their right or below them.

    One part that has no room at the right of its line stands beside the movers; what is idle may be left out.
    """
    left = [_spend(spend, width, lens) for spend in summary.spends]
    right = [_rate(summary), _step(summary, lens), _idle(summary)]
    room = width - _cells(left[0]) - _cells(right[0]) - 4 if left else 0
    bars = Span(f"  {spark(summary, lens, min(room, TREND))}" if room >= LEAST_BARS else "", Tone.MUTED)
    lines = [aligned(one, other, width) for one, other in zip(left, (right[0] + (bars,), *right[1:]), strict=False)]
    over = [
        number for number, (line, one) in enumerate(zip(lines, left, strict=False)) if line is one and right[number]
    ]
    movers = _movers(summary, lens)
    lines.append(aligned(movers, right[over[0]], width) if len(over) == 1 and over[0] else movers)
    if over and over != [2] and lines[-1] is movers:
        lines.append((Span("rate   ", Tone.MUTED), *_spaced(right, summary, lens)))
    return tuple(lines)


def _spaced(parts: list[Line], summary: CostSummary, lens: Lens) -> list[Span]:
    """Return the rate, its trend and what else stands at the right, on one line."""
    spans = [*parts[0], Span(f"  {spark(summary, lens, TREND)}", Tone.MUTED)]
    for part in parts[1:]:
        spans += [Span("  "), *part] if part else []
    return spans


def _cells(line: Line) -> int:
    return sum(cell_len(span.text) for span in line)


def aligned(left: Line, right: Line, width: int) -> Line:
    """Return two parts with the room between them; where there is none, the left part alone."""
    room = width - _cells(left) - _cells(right)
    return (*left, Span(" " * room), *right) if right and room >= 2 else left


def spark(summary: CostSummary, lens: Lens, most: int) -> str:
    """Return the last `most` hours as bars from nothing up to the highest rate; one that nobody watched is a gap."""
    trend = summary.trend[-most:]
    highest = max(trend, default=0)
    first = next((at for at, rate in enumerate(trend) if rate >= 0), len(trend))
    return "".join(
        lens.glyphs.gap if rate < 0 else lens.glyphs.bar(rate / highest if highest else 0.0) for rate in trend[first:]
    )


def _rate(summary: CostSummary) -> Line:
    return (Span(f"{dollars(summary.rate)}/h", Tone.STRONG),)


def _step(summary: CostSummary, lens: Lens) -> Line:
    if not summary.step or lens.now - summary.level_at > STEP_FOR:
        return ()
    tone = Tone.NOTICE if summary.step > 0 else Tone.PLAIN
    return (Span(f"{change(summary.step)} since {clock(summary.level_at)}", tone),)


def _idle(summary: CostSummary) -> Line:
    if not summary.nodes or not summary.rate:
        return ()
    return (Span(f"idle {100 * summary.idle // summary.rate} %", Tone.MUTED),)


def _spend(spend: Spend, width: int, lens: Lens) -> Line:
    severity = spend.severity
    tone = TONES[severity]
    name = WORDS[spend.period].removeprefix("this ")
    spans = [Span(f"{name:<6}", Tone.MUTED), Span(f"{dollars(spend.amount):>8}  ", tone or Tone.PLAIN)]
    spans += against(spend, lens)
    if spend.amount and spend.guessed / spend.amount >= GUESSED_FROM:
        more = Span(f"  {extrapolated(spend)}", Tone.MUTED)
        spans += [more] if _cells((*spans, more)) <= width else []
    return tuple(spans)


def extrapolated(spend: Spend) -> str:
    """Return which part of an amount is for time of which nobody knows, and is taken to have cost what is known."""
    return f"{100 * spend.guessed // spend.amount} % extrapolated" if spend.amount and spend.guessed else ""


def against(spend: Spend, lens: Lens) -> list[Span]:
    """Return how an amount stands against its limits: "◆ over 50, limit 100", or when the rate will cross one."""
    severity = spend.severity
    if severity is Severity.CRIT:
        return [lens.badge(severity), Span(f" over limit {limit(spend.critical)}", TONES[severity])]
    if severity is Severity.WARN:
        bound = f", limit {limit(spend.critical)}" if spend.critical else ""
        return [lens.badge(severity), Span(f" over {limit(spend.warning)}{bound}", TONES[severity])]
    if severity is Severity.NOTICE:
        over = spend.critical if spend.critical and spend.amount >= spend.critical else spend.warning
        return [lens.badge(severity), Span(f" perhaps over {limit(over)}", TONES[severity])]
    if spend.crosses:
        return [Span(f"crosses {limit(spend.crosses)} {when(spend.crosses_at, spend)}", Tone.NOTICE)]
    highest = spend.critical or spend.warning
    return [Span(f"limit {limit(highest)}" if highest else "no limit", Tone.MUTED)]


def when(at: float, spend: Spend) -> str:
    """Return when a limit is crossed: "at 21:10", "on Fri 21:00", "on the 28th", all UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    days = (spend.end - spend.start) / 86400
    if days < 2:
        return f"at {moment:%H:%M}"
    if days < 8:
        return f"on {moment:%a %H:%M}"
    suffix = "th" if 11 <= moment.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(moment.day % 10, "th")
    return f"on the {moment.day}{suffix}"


def _movers(summary: CostSummary, lens: Lens) -> Line:
    spans = [Span("movers", Tone.MUTED)]
    for mover in summary.movers[:2]:
        arrow = lens.glyphs.right
        count = f" {mover.pods_before}{arrow}{mover.pods}" if mover.pods != mover.pods_before else ""
        who = lens.text(mover.workload, 40)
        spans.append(Span(f" {lens.text(mover.namespace, 40)} {change(mover.change)}"))
        spans.append(Span(f" ({who}{count})", Tone.MUTED))
    if not summary.movers:
        since = f" since {clock(summary.before_at)}" if lens.now - summary.before_at >= 60 else ""
        spans.append(Span(f" none{since}", Tone.MUTED))
    return tuple(spans)


def present_cost_strip(summary: CostSummary | None, lens: Lens) -> Line:
    """Return the entry of the strip: "3 Costs ◆ $61/50", the worst of the periods."""
    if summary is None:
        return (Span("3 Costs -", Tone.MUTED),)
    worst = min(summary.spends, key=lambda spend: spend.severity, default=None)
    if worst is None:
        return (Span("3 Costs -", Tone.MUTED),)
    severity = worst.severity
    whole = f"${worst.amount // MICRO:,}"
    if severity is Severity.OK:
        return (Span(f"3 Costs {whole}"),)
    over = worst.critical and worst.amount >= worst.critical
    bound = limit(worst.critical if over else worst.warning)
    return (Span("3 Costs "), Span(f"{lens.shape(severity)} {whole}/{bound}", TONES[severity]))


def present_cost_detail(summary: CostSummary, table: Mapping[str, CostLine], lens: Lens) -> TextVM:
    """Return what stands behind the pane's numbers: prices, what they do not know, and where the money goes."""
    lines: list[Line] = [labelled("PRICES", Span(lens.text(summary.prices)))]
    if words := unknowns(summary):
        lines.append(labelled("UNKNOWN", *words))
    basis = "the larger of requests and usage" if summary.usage else "requests; usage is not known"
    lines.append(labelled("SHARES", Span(f"{basis}, of {summary.pods:,} pods on {summary.nodes:,} nodes")))
    if summary.spends:
        lines.append(
            labelled("PAST", Span(_known(max(summary.spends, key=lambda one: one.end - one.start), summary.at)))
        )
    by_rate = sorted((line for line in table.values() if line.by is CostBy.NAMESPACE), key=lambda line: -line.rate)
    for at, line in enumerate(by_rate[:8]):
        part = f"{100 * line.rate // summary.rate:>3} %" if summary.rate else ""
        cells = f"{lens.text(name_of(line), 30):<30} {dollars(line.rate):>8}/h {part}"
        lines.append(labelled("" if at else "WHERE", Span(cells, Tone.PLAIN)))
    return TextVM((Span("Costs", Tone.STRONG), lens.dash(), Span("estimate", Tone.MUTED)), tuple(lines))


def _known(spend: Spend, now: float) -> str:
    """Return who knows what of a period: "this month: 2 h watched, 22 h told by Prometheus, 481 h extrapolated"."""
    watched = max(0.0, now - spend.start - spend.unwatched - spend.measured - spend.absent)
    parts = (
        (watched, "watched"),
        (spend.measured, "told by Prometheus"),
        (spend.unwatched, "extrapolated"),
        (spend.absent, "before there was a cluster"),
    )
    return f"{WORDS[spend.period]}: " + ", ".join(f"{age(seconds)} {how}" for seconds, how in parts if seconds >= 60)


# The full screen

COLUMNS = (
    Column("name", "NAME", 20, weight=4),
    Column("rate", "$/H", 9, right=True),
    Column("change", "CHANGE", 9, priority=2, right=True),
    Column("today", "TODAY", 9, priority=1, right=True),
    Column("week", "WEEK", 9, priority=3, right=True),
    Column("month", "MONTH", 9, priority=1, right=True),
    Column("used", "USED", 6, priority=4, right=True),
    Column("pods", "PODS", 6, priority=4, right=True),
    Column("team", "TEAM", 10, weight=1, priority=5),
)


def name_of(line: CostLine) -> str:
    """Return what a line is called; idle and flat items stand in parentheses: no namespace can be called so."""
    if line.kind is CostKind.IDLE:
        return "(idle)"
    if line.kind is CostKind.FLAT:
        return f"({line.name})"
    if line.by is CostBy.WORKLOAD:
        kind = SHORT_KIND.get(line.workload, line.workload.lower())
        return f"{line.namespace}/{line.name} {kind}"
    return line.name or NO_TEAM


def present_cost_row(key: str, line: CostLine, lens: Lens) -> Row:
    """Return a row: rate, change, the three periods, and which part of it is used."""
    step = line.rate - line.before
    moved = change(step).removesuffix("/h") if abs(step) >= MICRO // 200 else ""
    used = f"{100 * line.used // line.rate} %" if line.used >= 0 and line.rate else ""
    own = line.kind is CostKind.WORKLOAD
    return Row(
        key,
        (
            Span(lens.text(name_of(line)), Tone.PLAIN if own else Tone.MUTED),
            Span(dollars(line.rate)),
            Span(moved, Tone.NOTICE if step > 0 else Tone.PLAIN),
            Span(dollars(line.today)),
            Span(dollars(line.week)),
            Span(dollars(line.month)),
            Span(used, Tone.MUTED),
            Span(f"{line.pods:,}" if own else "", Tone.MUTED),
            Span(lens.text(", ".join(line.namespaces) if line.by is CostBy.TEAM else line.team), Tone.MUTED),
        ),
    )


def subject(line: CostLine) -> Subject:
    """Return what a filter looks at; a team can be asked for as the label "team=name"."""
    labels = (f"team={line.team}",) if line.team else ()
    return Subject(name_of(line), line.namespace, Severity.OK, labels)


def ref_of(line: CostLine) -> Ref:
    """Return the workload a line is of; a Ref without a kind for any other line."""
    if line.by is not CostBy.WORKLOAD or line.kind is not CostKind.WORKLOAD:
        return Ref("", "", "", "", line.name)
    group = next((kind.group for kind in WORKLOAD_KINDS if kind.kind == line.workload), "")
    return Ref("", group, line.workload, line.namespace, line.name)


VIEW = View(
    id="costs",
    title="Costs",
    noun="cost",
    table=COSTS,
    sources=("nodes", "pods"),
    columns=COLUMNS,
    row=present_cost_row,
    subject=subject,
    ref=ref_of,
    ranks={
        "rate": lambda line: (-line.rate, name_of(line)),
        "status": lambda line: (-line.rate, name_of(line)),
        "name": name_of,
        "namespace": lambda line: (line.namespace, name_of(line)),
        "change": lambda line: (-abs(line.rate - line.before), name_of(line)),
        "today": lambda line: (-line.today, name_of(line)),
        "week": lambda line: (-line.week, name_of(line)),
        "month": lambda line: (-line.month, name_of(line)),
    },
    aliases=("cost", "$"),
    empty="no costs are known",
)


BY_TEAM = structs.replace(
    VIEW, columns=(*COLUMNS[:-1], structs.replace(COLUMNS[-1], title="NAMESPACES", width=16, weight=4))
)
"""A team stands in the first column: what it is made of stands in the last."""


def present_cost_table(
    by: CostBy, *, shown: int, total: int, summary: CostSummary | None, narrowed: str, reading: Reading, lens: Lens
) -> PaneVM:
    """Return the frame of the full screen: what is added up, the whole, and what is not known."""
    count = f"{shown:,} of {total:,}  /{lens.text(narrowed)}" if narrowed else f"{shown:,}"
    spans = [Span("Costs", Tone.STRONG), Span(f" by {by}", Tone.STRONG), lens.dash(), Span(count, Tone.KEY)]
    if summary is not None:
        spans.append(Span(f"  {dollars(summary.rate)}/h", Tone.STRONG))
    spans.append(Span("  estimate", Tone.MUTED))
    state = present_state(reading, lens) or (unknowns(summary) if summary is not None else ())
    if summary is None:
        waits = lens.text(reading.reason) or WAITING
        if reading.freshness is Freshness.NOT_CONFIGURED:
            waits = OFF
        return PaneVM("", tuple(spans), state, Face.WAITING, waits)
    if not shown:
        return PaneVM("", tuple(spans), state, Face.WAITING, f"none of {total:,} matches /{lens.text(narrowed)}.")
    return PaneVM("", tuple(spans), state, stale=reading.freshness is not Freshness.FRESH)


def present_sum(lines: list[CostLine], key: str) -> Row:
    """Return the row below the others: the sum of those that are shown."""
    rate, before = sum(line.rate for line in lines), sum(line.before for line in lines)
    moved = change(rate - before).removesuffix("/h") if abs(rate - before) >= MICRO // 200 else ""
    amounts = (dollars(sum(getattr(line, name) for line in lines)) for name in ("today", "week", "month"))
    cells = (Span("sum of these", Tone.STRONG), Span(dollars(rate), Tone.STRONG), Span(moved))
    return Row(key, (*cells, *(Span(amount, Tone.STRONG) for amount in amounts)))
