"""Turns raw log lines into what a log view draws: safe, with the level found in the line's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from services.model.text import SafeText
from services.ports import LogLine
from tui.presenters.lens import Lens
from widgets.log_state import LogState
from widgets.viewmodels import Line, LogEntry, Span, Tone

HEAD = 160
"""Characters of a line in which its level is looked for; a level further in belongs to the message."""

_LEVEL = re.compile(
    r"""(?:^|[\s\[("'=:|])(?:
        (?P<crit>(?:ERROR|ERR|FATAL|CRITICAL|CRIT|PANIC|EMERG|SEVERE|Traceback)\b|[EF]\d{4}\s)
      | (?P<warn>(?:WARNING|WARN)\b|W\d{4}\s)
      | (?P<plain>(?:INFO|NOTICE)\b|I\d{4}\s)
      | (?P<muted>(?:DEBUG|TRACE)\b|D\d{4}\s)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_TONES = {"crit": Tone.CRIT, "warn": Tone.WARN, "plain": Tone.PLAIN, "muted": Tone.MUTED}


def level_of(text: str) -> Tone:
    """Return the tone of a log line, from the first level word near its beginning (JSON, logfmt, klog, plain)."""
    found = _LEVEL.search(text, 0, HEAD)
    return _TONES[found.lastgroup] if found is not None and found.lastgroup else Tone.PLAIN


def present_lines(lines: Sequence[LogLine], lens: Lens) -> list[LogEntry]:
    """Return log lines as they may be drawn; what many of them share is made once."""
    sources: dict[tuple[str, str], SafeText] = {}
    entries: list[LogEntry] = []
    for line in lines:
        origin = (line.pod, line.container)
        source = sources.get(origin)
        if source is None:
            source = sources[origin] = lens.text("/".join(origin) if line.container else line.pod)
        text = lens.line(line.text)
        entries.append(LogEntry(_stamp(line.at) if line.at else "", source, text, level_of(text), line.dropped))
    return entries


def _stamp(at: float) -> str:
    """Return the time of day, UTC, in milliseconds."""
    second = int(at)
    more, micros = divmod(round((at - second) * 1_000_000), 1_000_000)
    return f"{_time_of_day(second + more)}.{micros // 1000:03}"


@lru_cache(maxsize=64)
def _time_of_day(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%H:%M:%S")


def present_log_state(state: LogState) -> Line:
    """Return what stands at the right of a log's border: follow, how much is shown, matches, and what was lost."""
    words: list[Span] = []
    if state.matches:
        words.append(Span(f"match {state.match or '-'} of {state.matches:,}", Tone.KEY))
    if state.filter:
        words.append(Span(f"{state.shown:,} of {state.lines:,} lines", Tone.MUTED))
    else:
        words.append(Span(f"{state.lines:,} lines", Tone.MUTED))
    if state.lost:
        words.append(Span(f"{state.lost:,} lost", Tone.WARN))
    if state.following:
        words.append(Span("following", Tone.NOTICE))
    elif state.unseen:
        words.append(Span(f"{state.unseen:,} new below", Tone.NOTICE))
    else:
        words.append(Span("stopped", Tone.MUTED))
    line: list[Span] = []
    for word in words:
        line += [word, Span("  ")]
    return tuple(line[:-1])
