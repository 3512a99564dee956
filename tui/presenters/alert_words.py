"""The words for one alert: what its value is against what, where it is, since when, and who keeps it quiet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from services.model.alert import Alert, AlertState, Onset, Silence
from services.model.change import Change, ChangeKind, Suspect
from tui.presenters.lens import TONES, Lens, age
from widgets.measures import measured
from widgets.viewmodels import Line, Span, Tone

QUIET = (AlertState.SILENCED, AlertState.INHIBITED, AlertState.MUTED)
"""States in which nobody is told."""

PLAIN_NUMBERS = 1e15
"""Numbers above are left to the expression: nobody reads them in a column."""

BEYOND = 1 - 1e-9
"""The part of a bound from which on a value is taken to be at it: scaling rounds."""

LONGEST_METRIC = 18
"""Letters of a metric's name up to which it stands beside a value that is just what the rule asks for."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_COMMENT = re.compile(r"#[^\n]*")
_TAIL = re.compile(r"(?P<op>>=|<=|==|!=|>|<)\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*$", re.IGNORECASE)
_FILTERS = re.compile(r"\b(?:and|unless)\b", re.IGNORECASE)
_EITHER = re.compile(r"\bor\b", re.IGNORECASE)
_SETS = re.compile(r"\b(?:and|or|unless)\b", re.IGNORECASE)
_METRIC = re.compile(r"^\s*([a-zA-Z_:][\w:]*)\s*(?:\{[^{}]*\})?\s*$")
_ENDS = {"==": "is", "!=": "is not"}


class Threshold(Struct, frozen=True):
    """What a value is compared with: `operator` as PromQL writes it, and the unit that the numbers seem to have."""

    operator: str
    number: float
    unit: str = ""
    metric: str = ""


@lru_cache(maxsize=4096)
def threshold_of(expression: str) -> Threshold | None:
    """Return the comparison an alerting expression ends with, None where it has none or not just one.

    What `and` and `unless` let through keeps the value of their left side: its comparison counts.
    The unit is guessed from names and from the shape of the expression, and only decides how numbers are written.
    """
    if len(expression) > 20_000:
        return None
    bare = _unwrapped(_left_side(_unwrapped(_COMMENT.sub("", _STRING.sub('""', expression)))))
    outside = _outside(bare)
    found = _TAIL.search(outside)
    if found is None or _SETS.search(outside) or len(_operators(outside)) != 1:
        return None
    number = float(found["number"])
    metric = _METRIC.match(bare[: bare.rfind(found["op"])])
    return Threshold(found["op"], number, _unit(bare, number), metric[1] if metric else "")


def _unwrapped(text: str) -> str:
    """Return an expression without the parentheses around the whole of it."""
    text = text.strip()
    opened: list[int] = []
    closed_by: dict[int, int] = {}
    for index, sign in enumerate(text):
        if sign == "(":
            opened.append(index)
        elif sign == ")" and opened:
            closed_by[opened.pop()] = index
    first, last = 0, len(text) - 1
    while first < last and closed_by.get(first) == last:
        first, last = first + 1, last - 1
        while first < last and text[first].isspace():
            first += 1
        while first < last and text[last].isspace():
            last -= 1
    return text[first : last + 1]


def _left_side(text: str) -> str:
    """Return what stands before the first `and` or `unless` that is outside of all parentheses."""
    depth, masked = 0, []
    for sign in text:
        depth -= sign in ")}]"
        masked.append(" " if depth or sign in "()[]{}" else sign)
        depth += sign in "({["
    if _EITHER.search("".join(masked)):
        return text
    found = _FILTERS.search("".join(masked))
    return text[: found.start()] if found is not None else text


def _outside(text: str) -> str:
    """Return what stands outside of all parentheses, braces and brackets."""
    kept, depth = [], 0
    for sign in text:
        depth += sign in "({["
        if depth <= 0:
            kept.append(sign)
        elif sign in ")}]":
            kept.append(" ")
        depth -= sign in ")}]"
    return "".join(kept)


def _operators(text: str) -> list[str]:
    return re.findall(r">=|<=|==|!=|>|<", text)


def _unit(text: str, number: float) -> str:
    lowered = text.casefold()
    if re.search(r"\*\s*100\b|\b100\s*\*|percent", lowered):
        return "percent"
    if "histogram_quantile" in lowered:
        return "seconds" if "_seconds" in lowered else ""
    if ("/" in lowered or re.search(r"(?<![a-z])ratio(?![a-z])", lowered)) and 0 < abs(number) <= 1:
        return "ratio"
    if (re.search(r"_seconds(?!_count|_total)", lowered) and "/" not in lowered) or "time()" in lowered:
        return "seconds"
    if "_bytes" in lowered and "/" not in lowered:
        return "bytes"
    return "per_second" if re.match(r"\s*(?:sum\b.*)?\(?\s*(?:i?rate)\(", lowered) else ""


def value_words(alert: Alert, lens: Lens) -> str:
    """Return "12.4 % > 5 %", "up 0" or "42"; "" where there is no value, or nothing to read it by.

    What is compared with another series has no limit that could stand beside it.
    """
    value = alert.value
    if value is None or not abs(value) < PLAIN_NUMBERS:
        return ""
    threshold = threshold_of(alert.expression)
    if threshold is None:
        beside = value == 1 if not alert.expression else bool(_operators(_outside(alert.expression)))
        return "" if beside else bounded(value, alert.bound, "")
    said = bounded(value, alert.bound, threshold.unit)
    if threshold.operator in _ENDS:
        short = len(threshold.metric) <= LONGEST_METRIC
        return str(lens.text(f"{threshold.metric} {said}".strip(), 60)) if short else ""
    return f"{said} {threshold.operator} {measured(threshold.number, threshold.unit)}"


def bounded(value: float, bound: float | None, unit: str) -> str:
    """Return a value with its unit; "> 10 s" for one at the bound beyond which nothing can be told."""
    if bound is not None and value >= bound * BEYOND:
        return f"> {measured(bound, unit)}"
    return measured(value, unit)


def where_words(alert: Alert, lens: Lens) -> str:
    """Return what the alert speaks of: "payments/checkout", a node, a namespace; else what its labels name."""
    entity = alert.entity
    if entity.workload:
        return str(lens.text(f"{entity.namespace}/{entity.workload}" if entity.namespace else entity.workload, 120))
    if entity.node:
        return str(lens.name("host", entity.node))
    if entity.namespace:
        return str(lens.text(f"{entity.namespace}/{entity.pod}" if entity.pod else entity.namespace, 120))
    said = next((alert.label(name) for name in ("instance", "job", "service", "device") if alert.label(name)), "")
    return str(lens.text(said, 120))


def since_words(alert: Alert, lens: Lens) -> str:
    """Return the age of the onset, "~" before it where only the notification's start is known; an end's in words."""
    if alert.state is AlertState.ENDED:
        return f"{lens.age(alert.ended_at)} ago" if alert.ended_at else "ended"
    if not alert.onset:
        return "?"
    about = "~" if alert.onset_from is Onset.STARTS_AT else ""
    return f"{about}{lens.age(alert.onset)}"


def tone_of(alert: Alert) -> Tone:
    """Return the tone of an alert's words: its severity's while somebody is told, else quiet."""
    return TONES[alert.severity] if alarms(alert) else Tone.MUTED


def alarms(alert: Alert) -> bool:
    """Return whether somebody is told of an alert now: it fires, and is no heartbeat."""
    return alert.state is AlertState.FIRING and not alert.heartbeat


def quiet_words(alert: Alert, silences: Mapping[str, Silence], lens: Lens) -> str:
    """Return why nobody is told: "silenced ops 2h", "ack ops 2h", "inhibited", "pending"; "" while it fires."""
    if alert.state is AlertState.SILENCED:
        return silence_words(alert, silences, lens)
    if alert.heartbeat:
        return "heartbeat"
    return "" if alert.state is AlertState.FIRING else alert.state.value


def silence_words(alert: Alert, silences: Mapping[str, Silence], lens: Lens) -> str:
    """Return who silenced it and for how much longer; the silence that ends last counts."""
    known = [silences[one] for one in alert.silenced_by if one in silences]
    if not known:
        return "silenced"
    last = max(known, key=lambda one: one.ends_at)
    word = "ack" if is_ack(last) else "silenced"
    who = lens.name("user", last.created_by)[:24]
    return f"{word} {who} {_roughly(last.ends_at - lens.now)}".replace("  ", " ")


def _roughly(seconds: float) -> str:
    """Return a time left in one unit: "2h", "40m"."""
    return f"{seconds / 3600:.0f}h" if 3600 <= seconds < 172_800 else age(seconds)


def is_ack(silence: Silence) -> bool:
    """Return whether a silence is an acknowledgement, by the comment's prefix that karma and kthxbye use."""
    return silence.comment.lstrip().upper().startswith("ACK!")


def suspect_words(suspect: Suspect) -> str:
    """Return "rev 42 92": what changed, in a word, and its score."""
    return f"{change_word(suspect.change)} {suspect.score}"


def change_word(change: Change) -> str:
    """Return what changed in a word: "rev 42", "scale", "config"."""
    if change.kind is ChangeKind.ROLLOUT:
        return f"rev {change.revision}" if change.revision else "rollout"
    return change.kind.value


def score_line(suspect: Suspect, lens: Lens) -> Line:
    """Return a suspect's score with each line of it: "92 likely   same workload +45 · 3 s before onset +35"."""
    spans = [Span(f"{suspect.score}", Tone.STRONG), Span(f" {suspect.band}   ", Tone.MUTED)]
    parts = [
        f"{lens.text(line.reason, 120)} {line.points:+d}" if line.points else str(lens.text(line.reason, 120))
        for line in suspect.lines
    ]
    spans.append(Span(f" {lens.glyphs.dot} ".join(parts)))
    return tuple(spans)


def labels_words(pairs: Sequence[tuple[str, str]], lens: Lens) -> str:
    """Return labels as Prometheus writes them, without braces: 'app="cart", env="prod"'."""
    return str(lens.text(", ".join(f'{name}="{value}"' for name, value in pairs), 2000))
