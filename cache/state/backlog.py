"""Holds what is to be written until the writer comes for it: bounded, the newest content of each thing once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct, structs

from cache.samples import Sampled
from cache.state.records import BRIDGED, Memo, Place, Span
from services.model.cost import CostHour
from services.model.timeline import Event
from services.ports import Key, Table

SAMPLES_TOGETHER = 300.0
"""Seconds of samples that are written at once."""

_MOST_SAMPLES = 240


class Saved(Struct, frozen=True):
    """The rows of one table, immutable, and until when they are known to be true."""

    rows: Mapping[Key, Any]
    as_of: float


class Marked(Struct, frozen=True, gc=False):
    """A revision of a workload that was seen complete."""

    workload: str
    revision: int
    first_seen: float
    last_seen: float


class Entries(Struct):
    """What waits for one identity. A table's rows, its age and a mark wait at most once."""

    events: list[Event] = []
    tables: dict[Table, Saved] = {}
    vouched: dict[Table, float] = {}
    marks: dict[tuple[str, int], Marked] = {}
    samples: list[Sampled] = []
    spans: list[Span] = []
    costs: dict[int, CostHour] = {}

    def empty(self, patient: bool = False) -> bool:
        """Whether nothing waits; `patient` leaves out samples that may still wait for others to be written with."""
        urgent = self.events or self.tables or self.vouched or self.marks or self.spans or self.costs
        return not (urgent or (self.samples and not (patient and self.samples_wait())))

    def samples_wait(self) -> bool:
        """Whether the samples may wait: many are written with little more work than one."""
        return not self.samples or 0 <= self.samples[-1].at - self.samples[0].at < SAMPLES_TOGETHER


class Batch(Struct):
    """What one transaction writes."""

    identities: dict[str, Entries] = {}
    places: dict[str, Place] = {}
    memos: dict[str, Memo] = {}

    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.identities or self.places or self.memos)


class Backlog:
    """What waits to be written; not safe across threads by itself: the store holds its lock.

    At most `most_events` events wait for one identity; the oldest go first and are counted in `dropped`. What waits
    for an identity that another console writes is kept for `standby` seconds, so that taking over leaves no gap.
    """

    def __init__(self, most_events: int = 20_000, standby: float = 120.0) -> None:
        self._most = most_events
        self._standby = standby
        self._batch = Batch()
        self.dropped = 0

    def events(self, identity: str, events: Iterable[Event]) -> None:
        """Add events."""
        waiting = self._of(identity).events
        waiting.extend(events)
        self._bound(waiting)

    def table(self, identity: str, table: Table, saved: Saved) -> None:
        """Set the rows of a table."""
        entries = self._of(identity)
        entries.tables[table] = saved
        entries.vouched.pop(table, None)

    def vouch(self, identity: str, table: Table, as_of: float) -> None:
        """Say that the saved rows of a table were still true at `as_of`."""
        entries = self._of(identity)
        if table in entries.tables:
            entries.tables[table] = structs.replace(entries.tables[table], as_of=as_of)
        else:
            entries.vouched[table] = as_of

    def mark(self, identity: str, mark: Marked) -> None:
        """Note a complete revision."""
        marks = self._of(identity).marks
        known = marks.get((mark.workload, mark.revision))
        if known is not None:
            mark = structs.replace(
                mark,
                first_seen=min(mark.first_seen, known.first_seen),
                last_seen=max(mark.last_seen, known.last_seen),
            )
        marks[mark.workload, mark.revision] = mark

    def samples(self, identity: str, sampled: Sampled) -> None:
        """Add what was measured at one moment."""
        waiting = self._of(identity).samples
        waiting.append(sampled)
        del waiting[:-_MOST_SAMPLES]

    def span(self, identity: str, span: Span) -> None:
        """Note that somebody watched; a span that follows closely makes the one before longer."""
        spans = self._of(identity).spans
        if spans and 0 <= span.began - spans[-1].ended <= BRIDGED:
            spans[-1] = Span(spans[-1].began, span.ended)
        else:
            spans.append(span)

    def cost(self, identity: str, hour: CostHour) -> None:
        """Set an hour of cost."""
        self._of(identity).costs[hour.hour] = hour

    def place(self, identity: str, place: Place) -> None:
        """Set the operator's place."""
        self._batch.places[identity] = place

    def memo(self, fingerprint: str, memo: Memo) -> None:
        """Remember what a kubeconfig meant."""
        self._batch.memos[fingerprint] = memo

    def take(self, held: Collection[str], everything: bool = True) -> Batch:
        """Return what may be written now: places and memos of all, the rest of the identities that are held.

        Samples that may still wait stay, unless `everything` is wanted.
        """
        batch = Batch(places=self._batch.places, memos=self._batch.memos)
        for identity in held:
            entries = self._batch.identities.pop(identity, None)
            if entries is None or entries.empty():
                continue
            batch.identities[identity] = entries
            if not everything and entries.samples_wait():
                self._of(identity).samples, entries.samples = entries.samples, []
        self._batch.places, self._batch.memos = {}, {}
        return batch

    def give_back(self, batch: Batch) -> None:
        """Take back what could not be written; what came in the meantime wins."""
        self._batch.places = batch.places | self._batch.places
        self._batch.memos = batch.memos | self._batch.memos
        for identity, entries in batch.identities.items():
            newer = self._of(identity)
            newer.events[:0] = entries.events
            self._bound(newer.events)
            newer.tables = entries.tables | newer.tables
            newer.vouched = {
                table: as_of for table, as_of in (entries.vouched | newer.vouched).items() if table not in newer.tables
            }
            for mark in entries.marks.values():
                self.mark(identity, mark)
            newer.samples[:0] = entries.samples
            del newer.samples[:-_MOST_SAMPLES]
            newer.spans[:0] = entries.spans
            newer.costs = entries.costs | newer.costs

    def waits(self, held: Collection[str]) -> bool:
        """Whether anything may be written now."""
        batch = self._batch
        return bool(batch.places or batch.memos) or any(
            identity in held and not entries.empty(patient=True) for identity, entries in batch.identities.items()
        )

    def trim(self, lost: Collection[str], now: float) -> None:
        """Let go of what is old of the identities that another console writes."""
        for identity, entries in self._batch.identities.items():
            if identity in lost:
                since = now - self._standby
                entries.events = [event for event in entries.events if event.seen_at >= since]
                entries.samples = [sampled for sampled in entries.samples if sampled.at >= since]
                entries.spans = [span for span in entries.spans if span.ended >= since]
                entries.costs = {hour: one for hour, one in entries.costs.items() if hour >= since - 3600}

    def forget(self, identity: str) -> None:
        """Let go of all that waits for an identity that is no longer watched, but its place."""
        self._batch.identities.pop(identity, None)

    def _of(self, identity: str) -> Entries:
        return self._batch.identities.setdefault(identity, Entries())

    def _bound(self, events: list[Event]) -> None:
        surplus = len(events) - self._most
        if surplus > 0:
            del events[:surplus]
            self.dropped += surplus
