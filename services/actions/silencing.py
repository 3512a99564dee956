"""What silences are made of, and what they hide: durations, the labels that are chosen, the alerts that fall silent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from services.actions.spec import Hands, Refused
from services.alerts.alertmanagers import ClusterSeen, HeldAlert, path_of
from services.alerts.hands import clusters_in
from services.alerts.matchers import Unreadable, hides, ordered, read, shared, why_not
from services.model.action import Edit, Fact, Write
from services.model.alert import Alert, Matcher, Pairs, Silence
from services.model.ref import ALERTMANAGERS
from services.model.severity import Severity
from services.sanitize import safe_text

ACK = "ACK!"
"""What the comment of an acknowledgement begins with, as karma and kthxbye write it."""

LONGEST = 30 * 86400.0
"""Seconds beyond which no silence is set from here: what is hidden for longer is forgotten."""

VOLATILE = frozenset({"pod", "instance", "pod_template_hash", "uid", "pod_ip", "container_id", "endpoint", "id"})
"""Labels that another pod of the same workload has otherwise: a silence by them ends with the pod."""

UNTOLD = frozenset({"prometheus", "prometheus_replica", "replica", "severity"})
"""Labels that name no thing: who measured it, and how bad it is just now."""

_BROAD = frozenset({"cluster", "instance", "job", "endpoint", "service", "container", "uid", "team"})

MANY = 25
"""Alerts hidden from which on the name has to be typed."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)", re.IGNORECASE)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_CRITICAL = frozenset({"critical", "crit", "page", "emergency", "fatal", "p1"})


class Wanted(Struct, frozen=True):
    """One silence to be set: in which cluster of Alertmanagers, by whom, and until when (epoch seconds)."""

    at: str
    matchers: tuple[Matcher, ...]
    starts: float
    ends: float
    by: str
    comment: str

    def write(self, replaces: str = "") -> Write:
        """Return its request; `replaces` is the id of the silence that it changes."""
        body = {
            "matchers": [
                {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
                for one in self.matchers
            ],
            "startsAt": stamp(self.starts),
            "endsAt": stamp(self.ends),
            "createdBy": self.by,
            "comment": self.comment,
        }
        body |= {"id": replaces} if replaces else {}
        what = f"{'change the silence' if replaces else 'set a silence'} at {self.at}"
        return Write("POST", path_of(self.at, "/api/v2/silences"), what, msgspec.json.encode(body))

    def made(self, silence: Silence) -> bool:
        """Tell whether a silence is this one: the same matchers, words and end, whatever id the server gave it."""
        return (
            abs(silence.ends_at - self.ends) < 1.0
            and silence.created_by == self.by
            and silence.comment == self.comment
            and frozenset(silence.matchers) == frozenset(self.matchers)
        )


def encoded(wanted: Sequence[Wanted]) -> str:
    """Return silences as a parameter that a plan keeps."""
    return msgspec.json.encode(wanted).decode()


def decoded(text: str) -> list[Wanted]:
    """Return the silences of such a parameter. Raises Refused where it is none."""
    try:
        return msgspec.json.decode(text, type=list[Wanted])
    except msgspec.MsgspecError:
        raise Refused(safe_text("Which silences are meant cannot be read: set them anew.")) from None


def stamp(at: float) -> str:
    """Return epoch seconds in RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_words(at: float, now: float) -> str:
    """Return a moment as it is said: "14:55 UTC", with its date on another day."""
    moment, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    return f"{moment:%H:%M:%S} UTC" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def seconds_of(text: str) -> float:
    """Return the seconds of "15m", "1h30m", "2d". Raises Refused where it is no duration, or too long."""
    compact = re.sub(r"\s+", "", text)
    found = _DURATION.findall(compact)
    total = sum(float(number) * _UNITS[unit.lower()] for number, unit in found)
    if "".join(f"{number}{unit}" for number, unit in found) != compact or total < 1:
        raise Refused(safe_text(f"For how long? {text[:40]!r} is no duration: write 15m, 1h30m or 2d."))
    if total > LONGEST:
        raise Refused(safe_text(f"{text[:40]} is too long: at most {LONGEST / 86400:.0f}d at a time, then look again."))
    return total


def span_words(seconds: float) -> str:
    """Return a duration as it is typed: "1h30m"."""
    rest, words = round(seconds), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


async def look(hands: Hands) -> Sequence[ClusterSeen]:
    """Ask all Alertmanagers now. Raises Refused where none is configured, or none answers."""
    seen = clusters_in(await hands.find(ALERTMANAGERS))
    if not seen:
        raise Refused(safe_text("No Alertmanager is configured for this context: there is none to silence at."))
    if not any(one.answers for one in seen):
        why = "; ".join(f"{name}: {said}" for one in seen for name, said in one.silent)
        raise Refused(safe_text(f"No Alertmanager answers ({why}): nothing can be silenced now.", 600))
    return seen


def chosen_names(label_sets: Sequence[Pairs], others: Iterable[Pairs] = ()) -> tuple[str, ...]:
    """Return the labels that a silence of these alerts names: those that identify them and that outlive a pod.

    Where others would be hidden too without the volatile ones, those are named as well: what was not chosen stays loud.
    """
    names = [name for name, _ in (label_sets[0] if label_sets else ())]
    common = [one for one in names if all(any(one == name for name, _ in labels) for labels in label_sets)]
    lasting = [one for one in common if one not in VOLATILE | UNTOLD]
    matchers = shared(label_sets, lasting)
    chosen = set(label_sets)
    if matchers and not any(hides(matchers, dict(one)) for one in others if one not in chosen):
        return tuple(lasting)
    return tuple(one for one in common if one not in UNTOLD)


def default_matchers(label_sets: Sequence[Pairs], others: Iterable[Pairs] = ()) -> tuple[Matcher, ...]:
    """Return the matchers that a silence of these alerts has unless somebody chooses others."""
    return shared(label_sets, chosen_names(label_sets, others))


def read_matchers(text: str) -> tuple[Matcher, ...]:
    """Return typed matchers. Raises Refused where no silence can be made of them."""
    try:
        matchers = ordered(read(text))
    except Unreadable as unreadable:
        raise Refused(safe_text(f"What to silence? {unreadable}.")) from None
    if why := why_not(matchers):
        raise Refused(safe_text(f"{why[0].upper()}{why[1:]}."))
    return matchers


def names_alerts(matchers: Sequence[Matcher]) -> bool:
    """Tell whether matchers say which alerts are meant: a name, or a choice of names, and no pattern of them."""
    return any(
        one.name == "alertname"
        and one.is_equal
        and not (one.is_regex and re.search(r"[.*+?\[]", re.sub(r"\\.", "", one.value)))
        for one in matchers
    )


def name_of(labels: Pairs) -> str:
    """Return an alert as it is listed: `CartDown{namespace="shop"}`."""
    known = dict(labels)
    told = [(name, value) for name, value in labels if name not in UNTOLD | {"alertname"}]
    near = [pair for pair in told if pair[0] not in _BROAD] or told
    rest = ", ".join(f'{name}="{value}"' for name, value in near)
    return f"{known.get('alertname', '')}{{{rest}}}"


class Hidden(Struct, frozen=True):
    """What silences hide now: the alerts that fall silent by them, and those that are silent already."""

    falling: tuple[HeldAlert, ...]
    already: tuple[HeldAlert, ...]

    @property
    def all(self) -> tuple[HeldAlert, ...]:
        """All that they match."""
        return (*self.falling, *self.already)

    def edits(self) -> tuple[Edit, ...]:
        """Return what changes, an alert a line: what is compared again before anything is sent."""
        names = Counter(name_of(one.labels) for one in self.falling)
        paths = [
            name_of(one.labels) + (f" {one.key[:8]}" if names[name_of(one.labels)] > 1 else "") for one in self.falling
        ]
        return tuple(Edit(path, "firing", "silenced") for path in sorted(paths))


def hidden_by(wanted: Sequence[Wanted], seen: Sequence[ClusterSeen]) -> Hidden:
    """Return what these silences hide of what the Alertmanagers hold now; each alert once."""
    falling: dict[str, HeldAlert] = {}
    already: dict[str, HeldAlert] = {}
    for cluster in seen:
        matchers = [one.matchers for one in wanted if one.at == cluster.name]
        for alert in cluster.alerts:
            if matchers and any(hides(one, dict(alert.labels)) for one in matchers):
                (already if alert.silenced_by else falling)[alert.key] = alert
    for key in falling:
        already.pop(key, None)
    return Hidden(tuple(falling.values()), tuple(already.values()))


def preview(hidden: Hidden, chosen: frozenset[str], rows: Mapping[str, Alert]) -> tuple[list[Fact], bool]:
    """Return what a silence hides and whom it mutes, in facts; and whether its name has to be typed.

    `chosen` are the keys of the alerts that were meant, `rows` those of the screen.
    """
    facts = [Fact("hides", counted(hidden.all)), Fact("mutes", _receivers(hidden.falling))]
    others = [one for one in hidden.all if one.key not in chosen]
    if others and chosen:
        facts.append(Fact("besides", f"{counted(others)} not chosen by you", Severity.WARN))
    if hidden.already:
        facts.append(Fact("already", f"{len(hidden.already)} of them silenced before", Severity.NOTICE))
    beats = sorted({rows[one.key].name for one in hidden.all if one.key in rows and rows[one.key].heartbeat})
    if beats:
        text = f"{', '.join(beats)} shows that alerting works: whoever waits for it will take alerting for dead"
        facts.append(Fact("heartbeat", text, Severity.CRIT))
    foreign = _foreign(hidden, chosen)
    if foreign:
        facts.append(Fact("theirs", f"critical alerts of others: {', '.join(foreign[:5])}", Severity.CRIT))
    return facts, bool(foreign or beats) or len(hidden.all) > MANY


def counted(alerts: Sequence[HeldAlert]) -> str:
    """Return "3 alerts now: 2 CartDown, 1 SearchSlow"; every name there is."""
    if not alerts:
        return "nothing now"
    names = Counter(dict(one.labels).get("alertname", "?") for one in alerts)
    listed = ", ".join(f"{count} {name}" for name, count in sorted(names.items(), key=lambda one: (-one[1], one[0])))
    return f"{len(alerts)} {'alert' if len(alerts) == 1 else 'alerts'} now: {listed}"


def _receivers(alerts: Sequence[HeldAlert]) -> str:
    names = sorted({each for one in alerts for each in one.receivers})
    return f"{', '.join(names)}: told nothing of them until it ends" if names else "nobody who is told now"


def _foreign(hidden: Hidden, chosen: frozenset[str]) -> list[str]:
    """Return the critical alerts of another team; of another namespace, where no team is named."""
    mine = {_team(one.labels) for one in hidden.all if one.key in chosen}
    if not mine:
        return []
    theirs = [
        one
        for one in hidden.all
        if dict(one.labels).get("severity", "").lower() in _CRITICAL and _team(one.labels) not in mine
    ]
    return sorted({name_of(one.labels) for one in theirs if one.key not in chosen})


def _team(labels: Pairs) -> str:
    known = dict(labels)
    return known.get("team") or known.get("namespace", "")


def silent_facts(seen: Sequence[ClusterSeen], at: Iterable[str]) -> list[Fact]:
    """Return where silences are set, and who could not be asked what they would hide."""
    names, facts = sorted(set(at)), []
    for one in (one for one in seen if one.name in names):
        peers = f" ({len(one.peers)} peers: told to one, known to all)" if len(one.peers) > 1 else ""
        facts.append(Fact("at", f"Alertmanager {one.name}{peers}"))
    facts += [
        Fact("unknown", f"{name} does not answer ({why}): what only it holds is not counted", Severity.WARN)
        for one in seen
        for name, why in one.silent
    ]
    return facts


DRY_RUN = Fact("dry run", "none in Alertmanager: counted here, and again after you answer")
