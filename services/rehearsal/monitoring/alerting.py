"""Evaluates rules over the past and up to now, and remembers every alert from its onset to its end."""

from __future__ import annotations

import bisect
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.catalogue import HISTORY, Family
from services.rehearsal.monitoring.promql.evaluate import Evaluator
from services.rehearsal.monitoring.promql.lines import Scalar, Series
from services.rehearsal.monitoring.promql.parser import parse
from services.rehearsal.monitoring.promql.tree import NAME, Labels, Node, QueryError, nameless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.rehearsal.monitoring.catalogue import EstateCatalogue
    from services.rehearsal.monitoring.estate import Estate
    from services.rehearsal.monitoring.promql.lines import Value
    from services.rehearsal.monitoring.rulebook import Group, Rule

INTERVAL = 30.0
"""Seconds between two evaluations; they fall on whole multiples of it."""
_LEAD = 600.0
_FINE, _COARSE = 1200.0, 60.0
"""What is longer ago than the first when rules are evaluated for the first time is looked at in steps of the second."""
_TEMPLATE = re.compile(r"\{\{\s*(?:\$labels\.(\w+)|(\$value)(?:\s*\|\s*(\w+))?)\s*\}\}")


@dataclass(slots=True, eq=False)
class Episode:
    """One alert from its onset to its end; moments in seconds, infinite while they have not come."""

    rule: Rule
    labels: Labels
    active_at: float
    fired_at: float = math.inf
    ended_at: float = math.inf
    value: float = 0.0

    @property
    def firing(self) -> bool:
        """Tell whether it fires now."""
        return self.fired_at < math.inf and self.ended_at == math.inf

    def annotations(self, rewrite: Callable[[str], str] = str) -> dict[str, str]:
        """Return the annotations with labels and value filled in, each text as `rewrite` makes it."""
        known = dict(self.labels)
        return {name: rewrite(fill(text, known, self.value)) for name, text in self.rule.annotations.items()}


@dataclass(slots=True, eq=False)
class RuleState:
    """One rule, how it fares and what it found."""

    group: Group
    rule: Rule
    tree: Node
    open: dict[Labels, Episode] = field(default_factory=dict)
    error: str = ""
    evaluated_at: float = 0.0

    @property
    def health(self) -> str:
        """Return Prometheus' word."""
        return "err" if self.error else "ok" if self.evaluated_at else "unknown"


class Alerting:
    """Keeps rules evaluated; nothing happens until somebody asks."""

    def __init__(self, estate: Estate, catalogue: EstateCatalogue, groups: list[Group]) -> None:
        self._estate = estate
        self._catalogue = catalogue
        self.groups = groups
        self.states = [RuleState(group, rule, parse(rule.expr)) for group in groups for rule in group.rules]
        self.episodes: list[Episode] = []
        self._done = 0.0
        self._series: tuple[tuple[int, int], list[Series], list[Series]] | None = None
        self._marks = 0

    def always(self, name: str, since: float) -> None:
        """Let an alert without labels of its own fire since a moment long ago, as a heartbeat does."""
        for state in self.states:
            if state.rule.name == name:
                labels = _alert_labels(state.rule, ())
                state.open[labels] = Episode(state.rule, labels, since, since, value=1.0)
                self.episodes.append(state.open[labels])

    def catch_up(self, now: float) -> Iterator[None]:
        """Evaluate what has fallen due since the last time; the first time, the day before now.

        Pauses after every rule, so that whoever drives it may let others go on meanwhile.
        """
        newest = now // INTERVAL * INTERVAL
        if newest <= self._done:
            return
        if self._done == 0.0:
            since = self._estate.chronicle.since
            for flare in self._estate.flares:
                touched = [one for one in self.states if one.group.name == f"{flare.namespace}.services"]
                yield from self._evaluate(_steps(flare.start - 60, flare.end + _LEAD), touched)
            self._done = max(since - _LEAD, newest - HISTORY) // _COARSE * _COARSE
            until = max(self._done, newest - _FINE) // _COARSE * _COARSE
            yield from self._evaluate(_steps(self._done, until, _COARSE), self.states)
            self._done = until
        self._done = max(self._done, newest - HISTORY)
        while self._done < newest:
            until = min(newest, self._done + 200 * INTERVAL)
            yield from self._evaluate(_steps(self._done + INTERVAL, until), self.states)
            self._done = until
        horizon = newest - HISTORY
        self.episodes = [one for one in self.episodes if one.ended_at > horizon]

    def add(self, group: Group) -> None:
        """Evaluate the rules of one more group from now on, at once the first time; raise QueryError as it parses."""
        states = [RuleState(group, rule, parse(rule.expr)) for rule in group.rules]
        self.groups.append(group)
        self.states += states
        for _ in self._evaluate([self._done], states if self._done else []):
            pass

    def remove(self, name: str) -> None:
        """Forget the group of that name: what its rules found has ended. Raise KeyError when there is none."""
        gone = [state for state in self.states if state.group.name == name]
        if not gone:
            raise KeyError(name)
        for state in gone:
            for episode in state.open.values():
                episode.ended_at = self._done
        self.groups = [group for group in self.groups if group.name != name]
        self.states = [state for state in self.states if state.group.name != name]
        self._marks += 1

    def active(self) -> list[Episode]:
        """Return what is pending or firing."""
        return [one for state in self.states for one in state.open.values()]

    def _evaluate(self, steps: list[float], states: list[RuleState]) -> Iterator[None]:
        evaluator = Evaluator(self._catalogue, steps)
        for state in states:
            yield
            state.evaluated_at = steps[-1]
            try:
                result = evaluator.of(state.tree)
            except QueryError as error:
                state.error = error.message
                continue
            state.error = ""
            found: dict[Labels, list[Value]] = {}
            for line in [] if isinstance(result, Scalar) else result:
                found[_alert_labels(state.rule, line.labels)] = line.values
            self._follow(state, found, steps)

    def _follow(self, state: RuleState, found: dict[Labels, list[Value]], steps: list[float]) -> None:
        nothing: list[Value] = [None] * len(steps)
        for labels in [*found, *(one for one in state.open if one not in found)]:
            values = found.get(labels, nothing)
            episode = state.open.get(labels)
            for step, value in zip(steps, values, strict=True):
                episode = self._next(state, labels, episode, step, value)

    def _next(
        self, state: RuleState, labels: Labels, episode: Episode | None, step: float, value: Value
    ) -> Episode | None:
        if value is None:
            if episode is not None:
                del state.open[labels]
                episode.ended_at = step
                self._marks += 1
            return None
        if episode is None:
            episode = state.open[labels] = Episode(state.rule, labels, step)
            self.episodes.append(episode)
            self._marks += 1
        episode.value = value
        if episode.fired_at == math.inf and step - episode.active_at >= state.rule.hold:
            episode.fired_at = step
            self._marks += 1
        return episode

    def families(self) -> tuple[Family, Family]:
        """Return ALERTS and ALERTS_FOR_STATE as stored series."""
        alerts = Family("ALERTS", "gauge", "Alerts that are pending or firing.", lambda _: self._made()[0])
        states = Family("ALERTS_FOR_STATE", "gauge", "Onsets of alerts, as Unix time.", lambda _: self._made()[1])
        return alerts, states

    def version(self) -> int:
        """Return what changes with every onset, firing and end."""
        return self._marks

    def _made(self) -> tuple[list[Series], list[Series]]:
        key = (self._marks, len(self.episodes))
        if self._series is None or self._series[0] != key:
            by_labels: dict[Labels, list[Episode]] = {}
            for one in self.episodes:
                by_labels.setdefault(one.labels, []).append(one)
            self._series = (key, list(_state_series(by_labels)), list(_onset_series(by_labels)))
        return self._series[1], self._series[2]


def _steps(start: float, end: float, pace: float = INTERVAL) -> list[float]:
    first = math.ceil(start / pace)
    return [number * pace for number in range(first, int(end // pace) + 1)] or [first * pace]


def _alert_labels(rule: Rule, labels: Labels) -> Labels:
    return tuple(sorted({**dict(nameless(labels)), **rule.labels, "alertname": rule.name}.items()))


def _state_series(by_labels: dict[Labels, list[Episode]]) -> Iterator[Series]:
    for labels, episodes in by_labels.items():
        ordered = sorted(episodes, key=lambda one: one.active_at)
        for state in ("pending", "firing"):
            spans = [
                (one.active_at, min(one.fired_at, one.ended_at)) if state == "pending" else (one.fired_at, one.ended_at)
                for one in ordered
            ]
            spans = [span for span in spans if span[0] < span[1]]
            if spans:
                own = tuple(sorted((*labels, (NAME, "ALERTS"), ("alertstate", state))))
                yield Series(own, _within(spans, [1.0] * len(spans)))


def _onset_series(by_labels: dict[Labels, list[Episode]]) -> Iterator[Series]:
    for labels, episodes in by_labels.items():
        ordered = sorted(episodes, key=lambda one: one.active_at)
        spans = [(one.active_at, one.ended_at) for one in ordered]
        own = tuple(sorted((*labels, (NAME, "ALERTS_FOR_STATE"))))
        yield Series(own, _within(spans, [start for start, _ in spans]))


def _within(spans: list[tuple[float, float]], values: list[float]) -> _Within:
    return _Within(spans, values)


class _Within:
    """A value during spans of time, none between them."""

    __slots__ = ("_ends", "_starts", "_values")

    def __init__(self, spans: list[tuple[float, float]], values: list[float]) -> None:
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._values = values

    def __call__(self, moment: float) -> Value:
        number = bisect.bisect_right(self._starts, moment) - 1
        return self._values[number] if number >= 0 and moment < self._ends[number] else None


def fill(text: str, labels: dict[str, str], value: float) -> str:
    """Return a template with `{{ $labels.x }}` and `{{ $value | humanizeX }}` filled in."""

    def one(match: re.Match[str]) -> str:
        label, _, how = match.groups()
        if label:
            return labels.get(label, "")
        return _humanized(value, how or "")

    return _TEMPLATE.sub(one, text)


def _humanized(value: float, how: str) -> str:
    if how == "humanizePercentage":
        return f"{value * 100:.4g}%"
    if how == "humanizeDuration":
        return f"{value:.4g}s" if value < 60 else f"{int(value // 60)}m {int(value % 60)}s"
    return f"{value:.4g}"
