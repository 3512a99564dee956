"""What running programs write: each line follows from the container and its number alone, so logs need no memory."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from services.rehearsal.clock import micro_stamp
from services.rehearsal.estate import vocabulary

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App

Style = Literal["json", "logfmt", "plain"]
_STYLES: dict[str, Style] = {"go": "json", "java": "plain", "python": "plain", "node": "logfmt"}
_PATHS = ("list", "detail", "search", "update", "status", "health", "batch")
CHATTY_RATE = 2000.0


@dataclass(frozen=True, slots=True)
class Voice:
    """How one container writes; `period` is the mean seconds between two lines."""

    name: str
    style: Style
    key: str
    period: float
    opening: tuple[str, ...]

    def _dice(self, number: int) -> int:
        """Return 32 bits of chance that belong to one line."""
        return zlib.crc32(b"%d" % number, zlib.crc32(self.key.encode()))

    def jitter(self, number: int) -> float:
        """Return how late a line is within its period, 0 to 0.9."""
        return (self._dice(number) & 0xFFFF) / 0xFFFF * 0.9

    def line(self, number: int, moment: float) -> str:
        """Return the text of one line."""
        dice = self._dice(number)
        level = _level(dice >> 16 & 0xFF)
        path = _PATHS[dice % len(_PATHS)]
        noun = vocabulary.NOUNS[(dice >> 4) % len(vocabulary.NOUNS)]
        took = 3 + (dice >> 8) % 240 + (1900 if level == "warn" else 0)
        return self._written(level, _message(level, noun, path, took), moment, took, dice)

    def _written(self, level: str, message: str, moment: float, took: int, dice: int) -> str:
        stamp = micro_stamp(moment)
        if self.style == "json":
            fields = {
                "ts": stamp,
                "level": level,
                "logger": self.name,
                "msg": message,
                "ms": took,
                "trace": f"{dice:08x}",
            }
            return json.dumps(fields, separators=(",", ":"))
        if self.style == "logfmt":
            return f'time={stamp} level={level} component={self.name} msg="{message}" ms={took} trace={dice:08x}'
        return f"{stamp[:10]} {stamp[11:23]} {level.upper():5} [{self.name}] {message} ({took} ms) trace={dice:08x}"


def _level(chance: int) -> str:
    if chance < 4:
        return "error"
    if chance < 16:
        return "warn"
    return "debug" if chance > 232 else "info"


def _message(level: str, noun: str, path: str, took: int) -> str:
    if level == "error":
        return f"{noun} {path} failed: upstream closed the connection"
    if level == "warn":
        return f"slow {noun} {path}: {took} ms, budget 1500 ms"
    if level == "debug":
        return f"cache miss for {noun} {path}"
    return f"{noun} {path} done"


def voice_of(app: App | None, container: str, uid: str, image: str, *, chatty: bool) -> Voice:
    """Return the voice of one container of one pod."""
    name = app.name if app is not None else container
    style: Style = _STYLES.get(app.stack, "plain") if app is not None else "logfmt"
    spread = 0.8 + zlib.crc32(name.encode()) % 40 / 10
    tag = image.rsplit(":", 1)[-1]
    port = app.port if app is not None else 15000
    opening = (
        f"starting {name} {tag}",
        "configuration loaded",
        f"listening on :{port}",
    )
    return Voice(name, style, f"{uid}/{container}", 1 / CHATTY_RATE if chatty else spread, opening)
