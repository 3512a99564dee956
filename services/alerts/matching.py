"""Finds the alert an Alertmanager holds for one a Prometheus describes with fewer or more labels."""

from __future__ import annotations

from collections.abc import Iterable

from services.model.alert import Pairs

_Names = tuple[str, ...]

MOST_SHAPES = 64
"""Different sets of label names of one alert name that are compared."""


class ByNames:
    """Label sets that can be found by those they contain, or are contained in.

    Of each alert name, the label sets are indexed by the sets of label names that are asked for, so that thousands of
    alerts of one rule take as many steps, not their square.
    """

    def __init__(self, known: Iterable[Pairs]) -> None:
        self._by_alert: dict[str, dict[_Names, set[Pairs]]] = {}
        for labels in known:
            shapes = self._by_alert.setdefault(_alertname(labels), {})
            shapes.setdefault(_names(labels), set()).add(labels)
        self._projected: dict[tuple[str, _Names], dict[Pairs, list[Pairs]]] = {}

    def same(self, labels: Pairs) -> Pairs:
        """Return the one known label set that contains these labels, or that they contain; else the labels themselves.

        Where several fit, the one that differs least is meant; where two differ alike, nobody can tell: themselves.
        """
        name = _alertname(labels)
        shapes = self._by_alert.get(name)
        if shapes is None or len(shapes) > MOST_SHAPES:
            return labels
        mine = _names(labels)
        found = [*self._containing(name, mine, shapes).get(labels, ()), *_contained(labels, mine, shapes)]
        if not found:
            return labels
        nearest = min(abs(len(each) - len(labels)) for each in found)
        best = [each for each in found if abs(len(each) - len(labels)) == nearest]
        return best[0] if len(best) == 1 else labels

    def _containing(self, name: str, mine: _Names, shapes: dict[_Names, set[Pairs]]) -> dict[Pairs, list[Pairs]]:
        projected = self._projected.get((name, mine))
        if projected is None:
            projected = self._projected[name, mine] = {}
            wanted = frozenset(mine)
            for names, sets in shapes.items():
                if wanted < frozenset(names):
                    for labels in sets:
                        projected.setdefault(_only(labels, wanted), []).append(labels)
        return projected


def _contained(labels: Pairs, mine: _Names, shapes: dict[_Names, set[Pairs]]) -> list[Pairs]:
    result = []
    for names, sets in shapes.items():
        if len(names) < len(mine) and (kept := frozenset(names)).issubset(mine):
            part = _only(labels, kept)
            if part in sets:
                result.append(part)
    return result


def _only(labels: Pairs, names: frozenset[str]) -> Pairs:
    return tuple(pair for pair in labels if pair[0] in names)


def _names(labels: Pairs) -> _Names:
    return tuple(name for name, _ in labels)


def _alertname(labels: Pairs) -> str:
    return next((value for name, value in labels if name == "alertname"), "")
