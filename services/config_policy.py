"""What the configuration allows on a cluster: actions denied, names to type, tickets, the size of a blow, freezes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta, Struct

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_DAY = "|".join(DAYS)
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
WEEKLY = rf"({_DAY}) {_CLOCK} - ({_DAY}) {_CLOCK}"
DATED = r"(\d{4}-\d{2}-\d{2})(?:T([01]\d|2[0-3]):([0-5]\d))? - (\d{4}-\d{2}-\d{2})(?:T([01]\d|2[0-3]):([0-5]\d))?"
HOURS = rf"({_DAY})-({_DAY}) {_CLOCK}-{_CLOCK}"

Names = tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...]
Window = Annotated[str, Meta(pattern=f"^(?:{WEEKLY}|{DATED})$", max_length=64)]
Hours = Annotated[str, Meta(pattern=f"^(?:{HOURS})?$", max_length=32)]


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done on one cluster. Actions are named by their ids, `*` stands for any run of characters."""

    deny: Annotated[Names, Meta(description="Actions that never run here.", examples=[["drain", "delete-*"]])] = ()
    typed: Annotated[
        Names, Meta(description="Actions whose object's name must be typed.", examples=[["rollback", "scale"]])
    ] = ()
    reason: Annotated[Names, Meta(description="Actions that need a reason.", examples=[["*"]])] = ()
    ticket: Annotated[
        str,
        Meta(
            max_length=128, description="A pattern that every reason must contain: a ticket.", examples=["INC-[0-9]+"]
        ),
    ] = ""
    max_pods: Annotated[int, Meta(ge=0, description="Pods that one action may touch; 0: any number.")] = 0
    freeze: Annotated[
        tuple[Window, ...],
        Meta(
            description="When nothing may be changed in the cluster, UTC: days of the week, or dates (both ends "
            "within). Alerts may be silenced all the same.",
            examples=[["Fri 16:00 - Mon 08:00", "2026-12-20 - 2027-01-03"]],
        ),
    ] = ()
    hours: Annotated[
        Hours,
        Meta(
            description="When changes of the cluster are allowed at all, UTC; unset: always.",
            examples=["Mon-Fri 08:00-18:00"],
        ),
    ] = ""
    arm_first: Annotated[
        bool, Meta(description="Nothing is done on the screen before ! has armed this context; --yes arms a command.")
    ] = False
    arm_minutes: Annotated[int, Meta(ge=1, le=240, description="How long ! arms.")] = 15
    tell: Annotated[
        Names | None,
        Meta(
            description="What is told here without being asked, in place of [tell] on: its words, or actions by their "
            "ids, which are told however they end. [] tells nothing.",
            examples=[["rolled_back", "failed", "unknown", "drain"]],
        ),
    ] = None

    def denies(self, action: str) -> bool:
        """Whether an action never runs."""
        return _fits(action, self.deny)

    def wants_name(self, action: str) -> bool:
        """Whether the object's name must be typed."""
        return _fits(action, self.typed)

    def wants_reason(self, action: str) -> bool:
        """Whether a reason is needed."""
        return _fits(action, self.reason)


def _fits(action: str, patterns: Names) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)


def tells(occasions: Names, kind: str, action: str = "") -> bool:
    """Return whether something is told without being asked: its kind is named, or the action that it came of."""
    return kind in occasions or (bool(action) and _fits(action, occasions))


def policy_faults(policies: Mapping[str, Policy]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong beyond the type of a setting: its path, and the end of a sentence."""
    from services.actions.registry import BY_ID
    from services.config_locate import did_you_mean
    from services.config_notify import OCCASIONS

    known = (*OCCASIONS, *BY_ID)
    for name, policy in policies.items():
        for word in policy.tell or ():
            if not any(tells((word,), one, one) for one in known):
                near = did_you_mean(word, known)
                yield ("policy", name, "tell"), f"must be among {', '.join(OCCASIONS)} or actions by their ids{near}"
        for setting in ("deny", "typed", "reason"):
            for word in getattr(policy, setting):
                if not any(_fits(one, (word,)) for one in BY_ID):
                    near = did_you_mean(word, BY_ID)
                    said = f'names no action: "{word}"{near}; their ids are those of "quarterdeck act"'
                    yield ("policy", name, setting), said


def barred_until(policy: Policy, now: datetime) -> str:
    """Return until when nothing may be changed, as the end of a sentence ("until Mon 08:00 UTC"); "" when it may.

    `now` is aware. A weekly window may run over the end of the week.
    """
    now = now.astimezone(UTC)
    for window in policy.freeze:
        if weekly := re.fullmatch(WEEKLY, window):
            begin, end = _of_week(*weekly.groups()[:3]), _of_week(*weekly.groups()[3:])
            at = _of_week(DAYS[now.weekday()], f"{now:%H}", f"{now:%M}")
            if begin <= at < end or (end <= begin and not end <= at < begin):
                return f"until {weekly[4]} {weekly[5]}:{weekly[6]} UTC"
        elif dated := re.fullmatch(DATED, window):
            begins, ends = _moment(*dated.groups()[:3], whole_day=False), _moment(*dated.groups()[3:], whole_day=True)
            if begins <= now < ends:
                return f"until {ends:%Y-%m-%d %H:%M} UTC"
    if allowed := re.fullmatch(HOURS, policy.hours):
        first, last = DAYS.index(allowed[1]), DAYS.index(allowed[2])
        day = now.weekday()
        inside = first <= day <= last if first <= last else day >= first or day <= last
        if not inside or not f"{allowed[3]}:{allowed[4]}" <= f"{now:%H:%M}" < f"{allowed[5]}:{allowed[6]}":
            return f"outside {policy.hours} UTC"
    return ""


def _of_week(day: str, hour: str, minute: str) -> int:
    return DAYS.index(day) * 1440 + int(hour) * 60 + int(minute)


def _moment(date: str, hour: str | None, minute: str | None, *, whole_day: bool) -> datetime:
    at = datetime.fromisoformat(date).replace(tzinfo=UTC)
    if hour is None:
        return at + timedelta(days=1) if whole_day else at
    return at + timedelta(hours=int(hour), minutes=int(minute or 0))
