"""The stored series of the estate: every family by name, made when first asked for and again when things come or go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.promql.lines import Series, on_grid
from services.rehearsal.monitoring.promql.tree import NAME, Labels, Matcher

if TYPE_CHECKING:
    from services.rehearsal.monitoring.estate import Estate
    from services.rehearsal.monitoring.promql.lines import Value

RETENTION = 15 * 86400.0
"""Seconds for which samples are kept, as Prometheus' own default is."""

HISTORY = 86400.0
"""Seconds for which alerts and what rules recorded are known: before, nothing was wrong enough to be of interest."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its Prometheus type and help, and how its series are made."""

    name: str
    kind: str
    help: str
    make: Callable[[Estate], Iterable[Series]]


def labels(name: str, **given: str) -> Labels:
    """Return sorted labels with the metric's name; empty values are left out."""
    pairs = [(NAME, name), *((key, value) for key, value in given.items() if value)]
    return tuple(sorted(pairs))


def series(name: str, value: Callable[[float], Value], /, **given: str) -> Series:
    """Return one series."""
    return Series(labels(name, **given), value)


class EstateCatalogue:
    """All families over one estate, with an index by namespace for those that have many series."""

    def __init__(self, estate: Estate, families: Iterable[Family], now: Callable[[], float]) -> None:
        self._estate = estate
        self.families = {one.name: one for one in families}
        self._now = now
        self.more: Callable[[], object] = lambda: None
        """Returns what else changes when series come or go."""
        self._made: dict[str, tuple[object, list[Series]]] = {}
        self._by_namespace: dict[str, tuple[object, dict[str, list[Series]]]] = {}

    @property
    def newest(self) -> float:
        """Return the moment of the last scrape."""
        return on_grid(self._now())

    @property
    def oldest(self) -> float:
        """Return the moment of the oldest sample that is kept."""
        return on_grid(self._now()) - RETENTION

    def select(self, matchers: Sequence[Matcher]) -> list[Series]:
        """Return the series that match."""
        chosen = [one for one in matchers if one.name == NAME]
        others = [one for one in matchers if one.name != NAME]
        name = next((one.value for one in chosen if one.op == "="), None)
        names = [name] if name is not None else list(self.families)
        found = []
        for each in names:
            if all(one.matches(each) for one in chosen):
                found += _filtered(self._candidates(each, others), others)
        return found

    def count(self, name: str) -> int:
        """Return how many series a family has."""
        return len(self._series(name))

    def everything(self) -> list[Series]:
        """Return all stored series."""
        return [one for name in self.families for one in self._series(name)]

    def _candidates(self, name: str, matchers: Sequence[Matcher]) -> list[Series]:
        made = self._series(name)
        namespace = next((one.value for one in matchers if one.name == "namespace" and one.op == "=" and one.value), "")
        if not namespace or len(made) < 64:
            return made
        known = self._by_namespace.get(name)
        if known is None or known[0] is not made:
            index: dict[str, list[Series]] = {}
            for one in made:
                index.setdefault(next((value for key, value in one.labels if key == "namespace"), ""), []).append(one)
            known = self._by_namespace[name] = (made, index)
        return known[1].get(namespace, [])

    def _series(self, name: str) -> list[Series]:
        family = self.families.get(name)
        if family is None:
            return []
        version = (self._estate.version(), self.more())
        known = self._made.get(name)
        if known is None or known[0] != version:
            known = self._made[name] = (version, list(family.make(self._estate)))
        return known[1]


def _filtered(found: list[Series], matchers: Sequence[Matcher]) -> list[Series]:
    if not matchers:
        return found
    kept = []
    for one in found:
        own = dict(one.labels)
        if all(matcher.matches(own.get(matcher.name, "")) for matcher in matchers):
            kept.append(one)
    return kept
