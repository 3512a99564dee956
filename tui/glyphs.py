"""The few signs the screens use, each with its ASCII twin: one cell wide everywhere, none of them an emoji."""

from __future__ import annotations

import math

from msgspec import Struct, structs

from services.model.severity import Severity


class Glyphs(Struct, frozen=True):
    """One table of signs. Each is one character in one cell; `bars` holds eight of them, lowest first."""

    crit: str
    warn: str
    notice: str
    unknown: str
    ok: str
    failed: str
    here: str
    turn: str
    gap: str
    check: str
    left: str
    right: str
    up: str
    down: str
    ellipsis: str
    dot: str
    rule: str
    folded: str
    unfolded: str
    bars: str

    def severity(self, severity: Severity) -> str:
        """Return the shape of a severity; shape and word carry the meaning, colour comes third."""
        return (self.crit, self.warn, self.notice, self.unknown, self.ok)[severity]

    def mark(self, kind: str) -> str:
        """Return the sign of a happening: crit, warn, note, turn (of a revision), ok, failed or gap; else a dot."""
        return {
            "crit": self.crit,
            "warn": self.warn,
            "note": self.notice,
            "turn": self.turn,
            "ok": self.check,
            "failed": self.failed,
            "gap": self.gap,
        }.get(kind, self.dot)

    def bar(self, share: float) -> str:
        """Return the bar for a share of the whole, 0 to 1; what lies outside is cut, not-a-number is a blank."""
        if math.isnan(share):
            return " "
        return self.bars[round(min(1.0, max(0.0, share)) * (len(self.bars) - 1))]

    def signs(self) -> dict[str, str]:
        """Return every single sign by name."""
        table = {field.name: str(getattr(self, field.name)) for field in structs.fields(self)}
        return table | {f"bar {height}": sign for height, sign in enumerate(table.pop("bars"))}


UNICODE = Glyphs(
    crit="▲",
    warn="◆",
    notice="●",
    unknown="?",
    ok="·",
    failed="✕",
    here="◉",
    turn="↻",
    gap="┄",
    check="✓",
    left="←",
    right="→",
    up="↑",
    down="↓",
    ellipsis="…",
    dot="·",
    rule="─",
    folded="▸",
    unfolded="▾",
    bars="▁▂▃▄▅▆▇█",
)
ASCII = Glyphs(
    crit="!",
    warn="+",
    notice="*",
    unknown="?",
    ok=".",
    failed="x",
    here="@",
    turn="%",
    gap=":",
    check="v",
    left="<",
    right=">",
    up="^",
    down="v",
    ellipsis="~",
    dot=".",
    rule="-",
    folded=">",
    unfolded="v",
    bars="_.-=+*%#",
)


def glyphs(ascii_only: bool) -> Glyphs:
    """Return the table to draw with."""
    return ASCII if ascii_only else UNICODE
