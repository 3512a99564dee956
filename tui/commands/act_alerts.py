"""Finds what `quarterdeck act` is told to do something about: alerts by name or matchers, silences by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cache.live import LiveState
from services.actions import silencing
from services.actions.registry import Listed
from services.actions.spec import Hands
from services.alerts.alertmanagers import ClusterSeen, HeldAlert
from services.alerts.matchers import Unreadable, hides, read, spelled_all
from services.errors import Problem
from services.model.action import Target
from services.model.alert import Silence
from services.model.ref import ALERTS, SILENCES, Ref
from services.model.source import SourceState, SourceStatus
from services.sanitize import safe_text

OF_ALERTING = frozenset({("", "Alert"), ("", "Silence")})
SHORTEST_ID = 8
"""Characters of a silence's id that are enough to name it."""


def note_answers(seen: Sequence[ClusterSeen], live: LiveState, now: float) -> None:
    """Let live state know which Alertmanagers have just answered, which is what a guard asks for."""
    for one in seen:
        silent = dict(one.silent)
        for name in one.peers:
            source = f"alertmanager/{name}"
            if name in silent:
                live.status(SourceStatus(source, SourceState.FAILED, since=now, error=safe_text(silent[name])))
            else:
                live.status(SourceStatus(source, SourceState.LIVE, last_ok=now, last_byte=now, since=now))
    live.publish()


def acts_on_alerts(listed: Listed) -> bool:
    """Return whether an action is for what Alertmanagers hold."""
    return bool(listed.fits & OF_ALERTING)


def given_of(listed: Listed, given: Mapping[str, str], reason: str) -> Mapping[str, str]:
    """Return the parameters with the reason as the comment, where none was given."""
    takes = any(one.name == "comment" for one in listed.parameters)
    defaults = {one.name: one.default for one in listed.parameters if one.default}
    return {**defaults, **({"comment": reason} if takes and reason.strip() else {}), **given}


async def find(words: Sequence[str], listed: Listed, hands: Hands, cluster: str) -> tuple[Target, Mapping[str, str]]:
    """Return the target, and what was chosen beside it. Raises Problem where nothing, or nothing clear, is meant."""
    seen = await silencing.look(hands)
    if len(words) == 1 and (silence := _silence(words[0], seen)) is not None:
        if ("", "Silence") not in listed.fits:
            raise Problem(safe_text(f"{listed.id} is for alerts, and {words[0]} is a silence."))
        named = next((one.value for one in silence.matchers if one.name == "alertname"), silence.id[:SHORTEST_ID])
        return Target(Ref(cluster, "", "Silence", silence.source, named, silence.id), SILENCES), {}
    everything = [alert for one in seen for alert in one.alerts]
    chosen: dict[str, HeldAlert] = {}
    typed = ""
    for word in words:
        found, matchers = _alerts(word, everything)
        if not found:
            known = ", ".join(sorted({dict(one.labels).get("alertname", "") for one in everything})[:8]) or "none"
            text = f"No alert is {word[:80]!r}: name, fingerprint or matchers of one that fires are wanted ({known})."
            raise Problem(safe_text(text, 400))
        typed = matchers if len(words) == 1 else ""
        chosen |= {one.key: one for one in found}
    first = next(iter(chosen.values()))
    ref = Ref(cluster, "", "Alert", "", dict(first.labels).get("alertname", first.key), first.key)
    given = {"alerts": " ".join(chosen)}
    if typed and any(one.name == "matchers" for one in listed.parameters):
        given["matchers"] = typed
    return Target(ref, ALERTS), given


def _silence(word: str, seen: Sequence[ClusterSeen]) -> Silence | None:
    if len(word) < SHORTEST_ID:
        return None
    found = {one.id: one for cluster in seen for one in cluster.silences if one.id.startswith(word)}
    return next(iter(found.values())) if len(found) == 1 else None


def _alerts(word: str, everything: Sequence[HeldAlert]) -> tuple[list[HeldAlert], str]:
    """Return the alerts that a word means, and the matchers that it was, "" where it was none."""
    exact = [one for one in everything if one.key == word or one.key.partition("@")[0] == word]
    named = exact or [one for one in everything if dict(one.labels).get("alertname") == word]
    if named:
        return named, ""
    try:
        matchers = read(word)
    except Unreadable:
        return [], ""
    return [one for one in everything if hides(matchers, dict(one.labels))], spelled_all(matchers)
