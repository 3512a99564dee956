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


class Selection:
    """Which rows of a table are listed, what they are sorted by, and how many there are of each severity.

    `rank` gives an object's sort key; `subject` what a filter looks at, `severity` (where it can be had for less than
    from the subject) what the counts do; `keep`, where given, which objects are listed at all (the others are only
    counted). What `scope` leaves out is counted in `hidden`, what `test` leaves out is not.
    """

    def __init__(
        self,
        rank: Rank,
        subject: Callable[[Any], Subject],
        keep: Callable[[Any], bool] | None,
        severity: Callable[[Any], Severity] | None,
    ) -> None:
        self.rank = rank
        self.test: Test | None = None
        self.scope: Test | None = None
        self._subject = subject
        self._keep = keep
        self._severity = severity or (lambda obj: subject(obj).severity)
        self.clear()

    def clear(self) -> None:
        """Begin with no rows."""
        self.ranks: dict[str, Any] = {}
        self.severities: dict[str, Severity] = {}
        self.listed: set[str] = set()
        self.counts: dict[Severity, int] = {}
        self.hidden: dict[Severity, int] = {}
        self.total = 0

    def emptied(self) -> Selection:
        """Return another one that goes by the same, without any rows yet."""
        made = Selection(self.rank, self._subject, self._keep, self._severity)
        made.test, made.scope = self.test, self.scope
        return made

    def rank_anew(self, rank: Rank, rows: Mapping[str, Any]) -> None:
        """Sort by another key."""
        self.rank = rank
        self.ranks = {key: rank(rows[key]) for key in self.ranks}

    def add(self, rows: Mapping[str, Any]) -> None:
        """Take rows that were not there before."""
        if self.scope is None and self.test is None and self._keep is None:
            self._admit_all(rows)
            return
        for key, obj in rows.items():
            self._admit(key, obj)

    def replace(self, key: str, obj: Any) -> bool:  # noqa: ANN401 - rows of every table go through here
        """Take a row's new state, None when it is gone; returns whether this may change the order."""
        rank = self.ranks.get(key)
        listed = key in self.listed
        self._dismiss(key)
        if obj is None:
            return listed
        self._admit(key, obj)
        return listed != (key in self.listed) or rank != self.ranks.get(key)

    def _admit_all(self, rows: Mapping[str, Any]) -> None:
        """Do what `_admit` does, for rows of which none is left out: ten thousand come at once at the start."""
        rank, severity = self.rank, self._severity
        severities = {key: severity(obj) for key, obj in rows.items()}
        self.severities |= severities
        self.counts = dict(Counter(self.counts) + Counter(severities.values()))
        self.ranks |= {key: rank(obj) for key, obj in rows.items()}
        self.listed.update(rows)
        self.total += len(rows)

    def _admit(self, key: str, obj: Any) -> None:  # noqa: ANN401
        severity = self.severities[key] = self._severity(obj)
        subject = self._subject(obj) if self.scope is not None or self.test is not None else None
        if self.scope is not None and subject is not None and not self.scope(subject):
            self.hidden[severity] = self.hidden.get(severity, 0) + 1
            return
        self.total += 1
        self.counts[severity] = self.counts.get(severity, 0) + 1
        tested = self.test is None or subject is None or self.test(subject)
        if tested and (self._keep is None or self._keep(obj)):
            self.listed.add(key)
        self.ranks[key] = self.rank(obj)

    def _dismiss(self, key: str) -> None:
        severity = self.severities.pop(key, None)
        if severity is None:
            return
        if self.ranks.pop(key, None) is None:
            self.hidden[severity] -= 1
        else:
            self.total -= 1
            self.counts[severity] -= 1
        self.listed.discard(key)


class Ordering:
    """The order of what is listed of one table: sorted, and held while the operator is at it.

    While held, rows stay where they are: new ones come at the end, gone ones stay (see `gone`), and `moved` counts
    those that would stand elsewhere.
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
        self._selection = Selection(rank, subject, keep, severity)
        self._reverse = False
        self._rows: Mapping[str, Any] = {}
        self._held_until = 0.0
        self._stale = False

    @property
    def counts(self) -> Mapping[Severity, int]:
        """How many rows of each severity are in scope."""
        return self._selection.counts

    @property
    def hidden(self) -> Mapping[Severity, int]:
        """How many rows of each severity the scope leaves out."""
        return self._selection.hidden

    @property
    def total(self) -> int:
        """How many rows are in scope."""
        return self._selection.total

    def object(self, key: str) -> Any:  # noqa: ANN401
        """Return the object of a key, also of one that is gone but still stands in the held order."""
        found = self._rows.get(key)
        return self.gone.get(key) if found is None else found

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
        self._reverse = reverse
        self._selection.rank_anew(rank, self._rows)
        self._sort()

    def show_only(self, test: Test | None, scope: Test | None) -> None:
        """Filter anew, at once. What `scope` leaves out is counted in `hidden`; what `test` leaves out is not."""
        self._selection.test, self._selection.scope = test, scope
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
                places = self._selection.replace(key, rows.get(key)) or places
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
        anew = self._selection.emptied()
        items, runs = iter(rows.items()), list[list[tuple[Any, str]]]()
        while helping := dict(islice(items, HELPING)):
            anew.add(helping)
            runs.append(
                sorted(((anew.ranks[key], key) for key in helping if key in anew.listed), reverse=self._reverse)
            )
            yield
        while len(runs) > 1:
            one, other, *rest = runs
            runs = [*rest, sorted([*one, *other], reverse=self._reverse)]  # two runs: merged, not sorted anew
            yield
        order = [key for _, key in runs[0]] if runs else []
        yield
        self._rows, self._selection = rows, anew
        self._stand(order)

    def _take_all(self, rows: Mapping[str, Any]) -> None:
        self._selection.clear()
        self._selection.add(rows)

    def _sort(self) -> bool:
        before = self.order
        self._stand(self._sorted())
        return before != self.order

    def _stand(self, order: list[str]) -> None:
        """Let every row take its place."""
        self.order, self.gone, self.moved, self.fresh_crit, self._stale = order, {}, 0, 0, False

    def _sorted(self) -> list[str]:
        """Sort from the order that stands, new keys in the server's: it is nearly right, so the sort is nearly free."""
        ranks, listed = self._selection.ranks, self._selection.listed
        base = [key for key in self.order if key in listed]
        if len(base) < len(listed):
            standing = set(base)
            base += [key for key in ranks if key in listed and key not in standing]
        return sorted(base, key=lambda key: (ranks[key], key), reverse=self._reverse)

    def _patch(self) -> bool:
        """Keep places: gone rows stay, new ones come last; count what would stand elsewhere."""
        listed, ranks = self._selection.listed, self._selection.ranks
        standing = set(self.order)
        arrived = [key for key in listed if key not in standing]
        arrived.sort(key=lambda key: (ranks[key], key))
        ideal = self._sorted()
        self.order = [*self.order, *arrived]
        self.fresh_crit += sum(1 for key in arrived if self._selection.severities[key] is Severity.CRIT)
        alive = [key for key in self.order if key in listed]
        self.moved = sum(1 for one, other in zip(alive, ideal, strict=True) if one != other)
        self._stale = self.moved > 0 or len(alive) != len(self.order)
        return bool(arrived)

    def _keep_gone(self, previous: Mapping[str, Any]) -> None:
        """Remember the last objects of rows that stand in the order but went from the table, until they return."""
        self.gone = {key: obj for key, obj in self.gone.items() if key not in self._rows}
        for key in self.order:
            if key not in self._rows and key not in self.gone and key in previous:
                self.gone[key] = previous[key]
