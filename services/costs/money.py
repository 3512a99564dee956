"""Writes micro-USD as an operator reads money."""

from __future__ import annotations

from services.model.cost import MICRO, CostPeriod

_CENT = MICRO // 100

WORDS = {CostPeriod.DAY: "today", CostPeriod.WEEK: "this week", CostPeriod.MONTH: "this month"}


def dollars(amount: int) -> str:
    """Return an amount: "$61.20", "$1,420", "-$0.80"; what is less than a cent is "<$0.01", nothing is "$0"."""
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if not size:
        return "$0"
    cents = (size + _CENT // 2) // _CENT
    if not cents:
        return f"<{sign}$0.01"
    if cents >= 100_000:
        return f"{sign}${(size + MICRO // 2) // MICRO:,}"
    return f"{sign}${cents // 100}.{cents % 100:02d}"


def change(amount: int) -> str:
    """Return a change of a rate with its sign: "+$0.62/h"."""
    return f"{'+' if amount > 0 else ''}{dollars(amount)}/h"


def limit(amount: int) -> str:
    """Return a limit: whole dollars, as they were configured, without the sign of the currency."""
    return f"{amount // MICRO:,}"
