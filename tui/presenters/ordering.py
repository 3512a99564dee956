"""Keeps the rows of one table in order without letting them jump under the eye."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from services.model.severity import Severity
from tui.presenters.terms import Subject, Test

HOLD = 10.0
"""Seconds after the last key during which rows keep their places."""

HELPING = 500
"""Rows that are ordered at a time where a whole table comes at once: more would be felt at a key."""

LARGE = 2_000
"""Rows from which a table is ordered in helpings."""

MANY = 0.25
"""Part of the rows from which a change is taken as a change of all: one by one costs four times as much."""

Rank = Callable[[Any], Any]


class Ordering:
    """The order of one table's keys: filtered, sorted, and held while the operator is at it.

    `rank` gives an object's sort key; `subject` what a filter looks at, `severity` (where it can be had for less than
    from the subject) what the counts do; `keep`, where given, which objects are listed at all (the others are only
    counted). While held, rows stay where they are: new ones come at the end, gone ones stay (see `gone`), and `moved`
    counts those that would stand elsewhere.
    Pure: the caller says when it is.
    """

    def __init__(
        self,
        rank: Rank,
        subject: Callable[[Any], Subject],
        keep: Callable[[Any], bool] | None = None,
        severity: Callable[[Any], Severity] | None = None,
    ) -> None:
        self.order: list[str] = []
        self.gone: dict[str, Any] = {}
        self.moved = 0
        self.fresh_crit = 0
        self.counts: dict[Severity, int] = {}
        self.hidden: dict[Severity, int] = {}
        self.total = 0
        self._rank = rank
        self._subject = subject
        self._keep = keep
        self._severity = severity or (lambda obj: subject(obj).severity)
        self._reverse = False
        self._test: Test | None = None
        self._outside: Test | None = None
        self._rows: Mapping[str, Any] = {}
        self._ranks: dict[str, Any] = {}
        self._severities: dict[str, Severity] = {}
        self._inside: set[str] = set()
        self._held_until = 0.0
        self._stale = False

    def hold(self, now: float, seconds: float = HOLD) -> None:
        """Keep rows in their places until `seconds` from now."""
        self._held_until = now + seconds

    @property
    def touched(self) -> bool:
        """Whether the operator has been at these rows at all."""
        return self._held_until > 0

    def held(self, now: float) -> bool:
        """Return whether rows keep their places."""
        return now < self._held_until

    def release(self) -> bool:
        """Let rows take their places; returns whether any did."""
        self._held_until = min(self._held_until, 1.0)
        return self._sort() if self._stale else False

    def due(self, now: float) -> bool:
        """Return whether a held order has waited long enough and has something to do."""
        return self._stale and not self.held(now)

    def sort_by(self, rank: Rank, reverse: bool = False) -> None:
        """Sort by another key, at once: the operator asked."""
        self._rank, self._reverse = rank, reverse
        self._ranks = {key: rank(self._rows[key]) for key in self._inside}
        self._sort()

    def show_only(self, test: Test | None, scope: Test | None) -> None:
        """Filter anew, at once. What `scope` leaves out is counted in `hidden`; what `test` leaves out is not."""
        self._test, self._outside = test, scope
        self._take_all(self._rows)
        self._sort()

    def update(self, rows: Mapping[str, Any], changed: Iterable[str] | None, now: float) -> bool:
        """Take the table's new content; returns whether the order changed. `changed` None means everything may have."""
        previous, self._rows = self._rows, rows
        changed = None if changed is None else frozenset(changed)
        if changed is None or len(changed) > MANY * len(rows):
            self._take_all(rows)
            places = True
        else:
            places = False
            for key in changed:
                places = self._take(key, rows.get(key)) or places
        if not places:
            return False
        if not self.held(now) or not self.order:
            return self._sort()
        self._keep_gone(previous)
        return self._patch()

    def in_helpings(self, rows: Mapping[str, Any]) -> Iterator[None]:
        """Take a whole table in several goes; nothing of it is seen before the last one, which swaps it in.

        What filters and sorts must stay the same until then.
        """
        anew = Ordering(self._rank, self._subject, self._keep, self._severity)
        anew._test, anew._outside, anew._reverse = self._test, self._outside, self._reverse
        anew._rows = rows
        items, runs = iter(rows.items()), list[list[tuple[Any, str]]]()
        while helping := dict(islice(items, HELPING)):
            anew._take_more(helping)
            runs.append(
                sorted(((anew._ranks[key], key) for key in helping if key in anew._inside), reverse=self._reverse)
            )
            yield
        while len(runs) > 1:
            one, other, *rest = runs
            runs = [*rest, sorted([*one, *other], reverse=self._reverse)]  # two runs: merged, not sorted anew
            yield
        order = [key for _, key in runs[0]] if runs else []
        yield
        self._rows, self._ranks, self._severities, self._inside = rows, anew._ranks, anew._severities, anew._inside
        self.counts, self.hidden, self.total = anew.counts, anew.hidden, anew.total
        self.order, self.gone, self.moved, self.fresh_crit, self._stale = order, {}, 0, 0, False

    def object(self, key: str) -> Any:  # noqa: ANN401 - rows of every table go through here
        """Return the object of a key, also of one that is gone but still stands in the held order."""
        found = self._rows.get(key)
        return self.gone.get(key) if found is None else found

    def _take_all(self, rows: Mapping[str, Any]) -> None:
        self._ranks, self._severities, self._inside = {}, {}, set()
        self.counts, self.hidden, self.total = {}, {}, 0
        self._take_more(rows)

    def _take_more(self, rows: Mapping[str, Any]) -> None:
        """Take rows that were not there before."""
        if self._outside is None and self._test is None and self._keep is None:
            self._admit_all(rows)
            return
        for key, obj in rows.items():
            self._admit(key, obj)

    def _admit_all(self, rows: Mapping[str, Any]) -> None:
        """Do what `_admit` does, for rows of which none is left out: ten thousand come at once at the start."""
        rank, severity = self._rank, self._severity
        severities = {key: severity(obj) for key, obj in rows.items()}
        self._severities |= severities
        self.counts = dict(Counter(self.counts) + Counter(severities.values()))
        self._ranks |= {key: rank(obj) for key, obj in rows.items()}
        self._inside.update(rows)
        self.total += len(rows)

    def _take(self, key: str, obj: Any) -> bool:  # noqa: ANN401
        rank = self._ranks.get(key)
        inside = key in self._inside
        self._dismiss(key)
        if obj is None:
            return inside
        self._admit(key, obj)
        return inside != (key in self._inside) or rank != self._ranks.get(key)

    def _admit(self, key: str, obj: Any) -> None:  # noqa: ANN401
        severity = self._severities[key] = self._severity(obj)
        subject = self._subject(obj) if self._outside is not None or self._test is not None else None
        if self._outside is not None and subject is not None and not self._outside(subject):
            self.hidden[severity] = self.hidden.get(severity, 0) + 1
            return
        self.total += 1
        self.counts[severity] = self.counts.get(severity, 0) + 1
        tested = self._test is None or subject is None or self._test(subject)
        if tested and (self._keep is None or self._keep(obj)):
            self._inside.add(key)
        self._ranks[key] = self._rank(obj)

    def _dismiss(self, key: str) -> None:
        severity = self._severities.pop(key, None)
        if severity is None:
            return
        if self._ranks.pop(key, None) is None:
            self.hidden[severity] -= 1
        else:
            self.total -= 1
            self.counts[severity] -= 1
        self._inside.discard(key)

    def _sorted(self) -> list[str]:
        """Sort from the order that stands, new keys in the server's: it is nearly right, so the sort is nearly free."""
        ranks, inside = self._ranks, self._inside
        base = [key for key in self.order if key in inside]
        if len(base) < len(inside):
            standing = set(base)
            base += [key for key in ranks if key in inside and key not in standing]
        return sorted(base, key=lambda key: (ranks[key], key), reverse=self._reverse)

    def _sort(self) -> bool:
        before, self.order = self.order, self._sorted()
        self.gone, self.moved, self.fresh_crit, self._stale = {}, 0, 0, False
        return before != self.order

    def _patch(self) -> bool:
        """Keep places: gone rows stay, new ones come last; count what would stand elsewhere."""
        standing = set(self.order)
        arrived = [key for key in self._inside if key not in standing]
        arrived.sort(key=lambda key: (self._ranks[key], key))
        ideal = self._sorted()
        self.order = [*self.order, *arrived]
        self.fresh_crit += sum(1 for key in arrived if self._severities[key] is Severity.CRIT)
        alive = [key for key in self.order if key in self._inside]
        self.moved = sum(1 for one, other in zip(alive, ideal, strict=True) if one != other)
        self._stale = self.moved > 0 or len(alive) != len(self.order)
        return bool(arrived)

    def _keep_gone(self, previous: Mapping[str, Any]) -> None:
        """Remember the last objects of the rows that stand in the order but are gone from the table."""
        for key in self.order:
            if key not in self._rows and key not in self.gone and key in previous:
                self.gone[key] = previous[key]
