"""Turns measured values into charts: what the head says of them, which limits and which changes are drawn in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from services.model.alert import Alert
from services.model.change import Change
from services.model.metric import Golden, Series
from services.model.severity import Severity
from tui.glyphs import ASCII
from tui.presenters.alert_words import bounded, change_word, threshold_of
from tui.presenters.lens import Lens, clock, moment
from widgets.chart_layout import HALF, ChartVM, Limit, Mark, Pen, States, joined_marks
from widgets.measures import measured
from widgets.viewmodels import Line, Span, Tone

WINDOWS = (("1h", 3600.0), ("6h", 21600.0), ("24h", 86400.0), ("7d", 604800.0))
"""How far back a chart may look: what it is called, and seconds."""

DAY = 86400.0
WHOLE: Mapping[str, str] = MappingProxyType({})
BRIEFLY = MappingProxyType({"request": "req", "limit": "lim"})
LATE = 3
"""Steps without a value at the end from which the head says since when there is none."""


class Plan(Struct, frozen=True):
    """What a chart is to be besides its values: its name, its limits, its line's tone, and what is said `beside`.

    `bound` is the highest value that can be told, and `states` what was the case when.
    """

    title: str
    limits: tuple[Limit, ...] = ()
    tone: Tone = Tone.NOTICE
    unit: str = ""
    beside: tuple[str, ...] = ()
    bound: float = math.inf
    states: States | None = None


def window_words(window: int, until: float, lens: Lens) -> str:
    """Return "last 6h", or "6h until Nov 18 03:10" of what is over (`until` epoch seconds, 0 for now)."""
    name = WINDOWS[window][0]
    return f"{name} until {moment(until, lens.now)}" if until else f"last {name}"


def window_for(alert: Alert) -> int:
    """Return the first window that shows an alert that is over from before its onset, else the longest."""
    lasted = max(0.0, alert.ended_at - alert.onset)
    return next((at for at, (_, length) in enumerate(WINDOWS) if lasted < 0.8 * length), len(WINDOWS) - 1)


def pen_of(lens: Lens) -> Pen:
    """Return what to draw with: dots, blocks where others look on through a video, ASCII where there is no more."""
    if lens.glyphs is ASCII:
        return Pen.ASCII
    return Pen.BLOCKS if lens.names is not None else Pen.DOTS


def present_chart(
    plan: Plan, series: Series | None, lens: Lens, changes: Iterable[Change] = (), missing: str = ""
) -> ChartVM:
    """Return a chart of a series; `missing` says in its place why there is none, or that it is on its way."""
    title = Span(lens.text(plan.title, 60), Tone.STRONG)
    if series is None or series.last is None:
        said = lens.text(missing, 300) or "nothing was measured in this time"
        return ChartVM((title,), pen=pen_of(lens), states=plan.states, message=said)
    unit = series.unit or plan.unit
    end = series.start + series.step * len(series.values)
    return ChartVM(
        head=(title, Span("  "), *_head(series, unit, plan, lens)),
        briefs=_briefs(title, series, unit, plan, lens) if plan.limits else (),
        unit=unit,
        start=series.start,
        step=series.step,
        values=series.values,
        lows=series.lows,
        highs=series.highs,
        limits=plan.limits,
        marks=marks_of(changes, series.start, end, lens),
        ends=(_moment(series.start, end), _moment(end, end)),
        pen=pen_of(lens),
        tone=plan.tone,
        states=plan.states,
    )


def _head(
    series: Series, unit: str, plan: Plan, lens: Lens, *, moved: bool = True, labels: Mapping[str, str] = WHOLE
) -> list[Span]:
    """Return "0.2 % → 12.4 %" (where not `moved` "12.4 %") and each limit, or since when there is no value."""
    known = [(index, value) for index, value in enumerate(series.values) if not math.isnan(value)]
    (_, first), (at, last) = known[0], known[-1]
    bound = min(series.bound, plan.bound)
    before, now = bounded(first, bound, unit), bounded(last, bound, unit)
    words = f"{before} {lens.glyphs.right} {now}" if moved and before != now else now
    late = len(series.values) - 1 - at >= LATE
    gap = [Span(f"  no data since {clock(series.start + (at + 1) * series.step)}", Tone.WARN)] if late else []
    spans = [Span("?" if late and labels is BRIEFLY else words, Tone.STRONG), *(gap if labels is WHOLE else ())]
    for limit in plan.limits:
        above = limit.alarms and last > limit.value
        label = labels.get(limit.label, limit.label)
        spans.append(Span(f"  {label} {measured(limit.value, unit)}", Tone.WARN if above else Tone.MUTED))
    spans += gap if labels is BRIEFLY else ()
    return [*spans, *(Span(f"  {lens.text(words, 60)}", Tone.MUTED) for words in plan.beside)]


def _briefs(title: Span, series: Series, unit: str, plan: Plan, lens: Lens) -> tuple[Line, ...]:
    """Return shorter heads: the limits are worth more than the value of before, and more than their whole names."""
    short = (_head(series, unit, plan, lens, moved=False, labels=labels) for labels in (WHOLE, BRIEFLY))
    return tuple((title, Span(" "), *spans) for spans in short)


def _moment(at: float, end: float) -> str:
    from datetime import UTC, datetime

    return clock(at) if end - at < 0.9 * DAY else datetime.fromtimestamp(at, UTC).strftime("%b %d %H:%M")


def marks_of(changes: Iterable[Change], since: float, until: float, lens: Lens) -> tuple[Mark, ...]:
    """Return the changes of a span of time as marks; those that would stand on one another are one."""
    marks = [
        Mark(change.start, lens.glyphs.turn, str(lens.text(change_word(change), 24)))
        for change in changes
        if since <= change.start <= until
    ]
    return joined_marks(marks, (until - since) / 40)


def alert_plan(alert: Alert, fired: Series | None, lens: Lens) -> Plan:
    """Return the chart of an alert's value, with its threshold and when it fired."""
    states = None
    if fired is not None:
        states = States("firing", fired.start, fired.step, fired.values, _firing_tone(alert))
    beside = (
        (f"{lens.glyphs.bars[HALF]} pending",) if fired is not None and any(0 < one < 1 for one in fired.values) else ()
    )
    bound = math.inf if alert.bound is None else alert.bound
    threshold = threshold_of(alert.expression)
    if threshold is None:
        return Plan("value", beside=beside, bound=bound, states=states)
    alarms = threshold.operator in (">", ">=")
    limit = Limit(threshold.number, threshold.operator, Tone.WARN, alarms)
    return Plan(threshold.metric or "value", (limit,), unit=threshold.unit, beside=beside, bound=bound, states=states)


def _firing_tone(alert: Alert) -> Tone:
    return Tone.CRIT if alert.severity is Severity.CRIT else Tone.WARN


def golden_charts(
    golden: Golden | None, lens: Lens, changes: Sequence[Change] = (), missing: str = ""
) -> tuple[tuple[str, ChartVM], ...]:
    """Return the charts of a workload by name: errors, rate, durations, CPU and memory against requests and limits.

    Where nothing is known of requests served, their charts are left out; the pane says why.
    """
    if golden is None:
        return (("errors", present_chart(Plan("errors"), None, lens, missing=missing)),)
    plans = (
        ("errors", Plan("errors", tone=Tone.WARN), golden.errors),
        ("rate", Plan("rate"), golden.rate),
        ("p95", Plan("p95" if golden.p95 is not None else "p50", beside=_durations(golden)), golden.p95 or golden.p50),
        ("cpu", Plan("cpu", _asked(golden.cpu_request, golden.cpu_limit)), golden.cpu),
        ("memory", Plan("memory", _asked(golden.memory_request, golden.memory_limit)), golden.memory),
    )
    drawn = [
        (name, present_chart(plan, series, lens, changes))
        for name, plan, series in plans
        if series is not None and series.last is not None
    ]
    if drawn:
        return tuple(drawn)
    why = missing or "; ".join(golden.missing)
    return (("errors", present_chart(Plan("errors"), None, lens, missing=why)),)


def _durations(golden: Golden) -> tuple[str, ...]:
    """Return the percentiles that have no chart of their own: "p99 2.6 s", "p50 40 ms"."""
    drawn = "p95" if golden.p95 is not None else "p50"
    return tuple(
        f"{name} {bounded(series.last, series.bound, series.unit)}"
        for name, series in (("p99", golden.p99), ("p50", golden.p50))
        if name != drawn and series is not None and series.last is not None
    )


def _asked(request: float, limit: float) -> tuple[Limit, ...]:
    limits = []
    if request > 0:
        limits.append(Limit(request, "request"))
    if limit > 0:
        limits.append(Limit(limit, "limit", Tone.WARN, alarms=True))
    return tuple(limits)
