"""Holds the last lines of an endless stream within a bound of lines and a bound of bytes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from widgets.viewmodels import LogEntry

MAX_LINES = 20_000
MAX_BYTES = 8 * 1024 * 1024


class LogRing:
    """The newest lines of a stream, named by serials that rise by one and are never used again.

    Serials `first` to `end - 1` are held. The oldest go when there are more than `max_lines` lines or more than
    `max_bytes` of UTF-8 text (stamps and sources included); the newest line always stays. `evicted` counts those that
    went, `lost` the lines which the entries themselves report as dropped on the way here.
    """

    def __init__(self, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        self.max_lines = max(1, max_lines)
        self.max_bytes = max_bytes
        self.first = 0
        self.evicted = 0
        self.lost = 0
        self.text_bytes = 0
        self._entries: list[LogEntry] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def end(self) -> int:
        """The serial that the next line will get."""
        return self.first + len(self._entries)

    def __getitem__(self, serial: int) -> LogEntry:
        if not self.first <= serial < self.end:
            raise IndexError(serial)
        return self._entries[serial - self.first]

    def since(self, serial: int) -> list[LogEntry]:
        """Return the lines held from a serial on."""
        return self._entries[max(0, serial - self.first) :]

    def extend(self, batch: Sequence[LogEntry]) -> None:
        """Add lines at the end. A report of dropped lines right after another of the same source adds to it."""
        skipped = len(batch) - self.max_lines
        if skipped > 0:
            self.lost += sum(entry.dropped for entry in batch[:skipped])
            self._pass_over(skipped)
            batch = batch[skipped:]
        for entry in batch:
            self.lost += entry.dropped
            last = self._entries[-1] if self._entries else None
            if entry.dropped and not entry.text and last and _same_report(last, entry):
                self._entries[-1] = structs.replace(last, dropped=last.dropped + entry.dropped)
                continue
            self._entries.append(entry)
            self.text_bytes += weight(entry)
        self._evict()

    def clear(self) -> None:
        """Forget every line, and the counts; serials go on rising."""
        self.first = self.end
        self._entries.clear()
        self.evicted = self.lost = self.text_bytes = 0

    def _pass_over(self, count: int) -> None:
        """Let `count` lines pass that could not stay anyway, and with them all that were held."""
        self.evicted += len(self._entries) + count
        self.first = self.end + count
        self._entries.clear()
        self.text_bytes = 0

    def _evict(self) -> None:
        going = max(0, len(self._entries) - self.max_lines)
        self.text_bytes -= sum(weight(entry) for entry in self._entries[:going])
        while self.text_bytes > self.max_bytes and going < len(self._entries) - 1:
            self.text_bytes -= weight(self._entries[going])
            going += 1
        del self._entries[:going]
        self.first += going
        self.evicted += going


def weight(entry: LogEntry) -> int:
    """Return the bytes of UTF-8 that an entry's text, stamp and source take."""
    words = entry.text + entry.stamp + entry.source
    return len(words) if words.isascii() else len(words.encode("utf-8", "surrogatepass"))


def _same_report(last: LogEntry, entry: LogEntry) -> bool:
    return bool(last.dropped) and not last.text and last.source == entry.source
