"""Packs samples by the hour into blobs of float32, thins them, and spreads them over the buckets of a chart."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Mapping

from cache.samples import HOUR, SLOTS, STEP

THIN = 300
"""Seconds that one triple of a thinned hour stands for."""

_EACH = THIN // STEP
_EMPTY = array("f", [math.nan]) * SLOTS
_LARGEST = 3.4028234663852886e38
_SWAP = sys.byteorder == "big"


def pack_hour(known: bytes | None, samples: Mapping[int, float]) -> bytes:
    """Return an hour's blob, little-endian, with samples put in by slot (0 to 119); a blob of another length is lost.

    NaN stands where nothing was measured.
    """
    values = unpack(known) if known is not None else None
    if values is None or len(values) != SLOTS:
        values = _EMPTY[:]
    for slot, value in samples.items():
        values[slot] = _fit(value)
    return _bytes(values)


def unpack(packed: bytes) -> array[float]:
    """Return the numbers of a blob; of one that was cut short, those that are whole."""
    values = array("f")
    values.frombytes(packed[: len(packed) // 4 * 4])
    if _SWAP:
        values.byteswap()
    return values


def thin(packed: bytes) -> bytes:
    """Return an hour as twelve triples: lowest, highest and mean of each five minutes."""
    values = unpack(packed)
    thinned = array("f")
    for start in range(0, SLOTS, _EACH):
        there = [value for value in values[start : start + _EACH] if not math.isnan(value)]
        if there:
            thinned.extend((min(there), max(there), sum(there) / len(there)))
        else:
            thinned.extend((math.nan, math.nan, math.nan))
    return _bytes(thinned)


class Buckets:
    """The buckets of one chart: `count` of `step` seconds each from `start` on, each with lowest, highest and mean."""

    def __init__(self, start: float, step: float, count: int) -> None:
        self._start = start
        self._step = step
        self._count = count
        self._sums = [0.0] * count
        self._weights = [0] * count
        self._lows = [math.inf] * count
        self._highs = [-math.inf] * count

    def add(self, hour: int, packed: bytes) -> None:
        """Spread an hour of samples; `hour` counts hours since the epoch."""
        begins = hour * HOUR - self._start
        values = unpack(packed)
        index = max(0, int(begins // self._step))
        slot = _slot(index * self._step - begins)
        while slot < len(values) and index < self._count:
            ends = _slot((index + 1) * self._step - begins)
            there = [value for value in values[slot:ends] if not math.isnan(value)]
            if there:
                self._put(index, min(there), max(there), sum(there), len(there))
            index, slot = index + 1, ends

    def add_thinned(self, hour: int, packed: bytes) -> None:
        """Spread a thinned hour: each five minutes over every bucket that they touch."""
        triples = unpack(packed)
        for slot in range(len(triples) // 3):
            low, high, mean = triples[3 * slot : 3 * slot + 3]
            if math.isnan(mean):
                continue
            begins = hour * HOUR + slot * THIN - self._start
            first = max(0, int(begins // self._step))
            last = min(self._count - 1, int((begins + THIN - STEP) // self._step))
            for index in range(first, last + 1):
                self._put(index, low, high, mean * _EACH, _EACH)

    def _put(self, index: int, low: float, high: float, total: float, weight: int) -> None:
        self._sums[index] += total
        self._weights[index] += weight
        self._lows[index] = min(self._lows[index], low)
        self._highs[index] = max(self._highs[index], high)

    @property
    def values(self) -> tuple[float, ...]:
        """The means, NaN where nothing was measured."""
        return tuple(
            total / weight if weight else math.nan for total, weight in zip(self._sums, self._weights, strict=True)
        )

    @property
    def lows(self) -> tuple[float, ...]:
        """The lowest of each bucket."""
        return _finite(self._lows)

    @property
    def highs(self) -> tuple[float, ...]:
        """The highest of each bucket."""
        return _finite(self._highs)


def _slot(seconds: float) -> int:
    """Return the first slot of an hour that begins at or after that many seconds."""
    return max(0, math.ceil(seconds / STEP))


def _finite(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(math.nan if math.isinf(value) else value for value in values)


def _fit(value: float) -> float:
    """Return a number that float32 can hold; what it cannot hold counts as not measured."""
    return value if abs(value) <= _LARGEST else math.nan


def _bytes(values: array[float]) -> bytes:
    if _SWAP:
        values = values[:]
        values.byteswap()
    return values.tobytes()
