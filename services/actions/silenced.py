"""Finds the silences that are meant, and reads them back until Alertmanagers show what was asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.actions import silencing
from services.actions.silencing import Wanted
from services.actions.spec import Hands, Note, Refused
from services.alerts.alertmanagers import ClusterSeen
from services.alerts.hands import clusters_in
from services.model.action import Ended, Outcome, Progress, Stage, Target
from services.model.alert import Silence
from services.model.ref import ALERTMANAGERS, SILENCES
from services.sanitize import safe_text

PATIENCE = 12.0
"""Seconds for which a change is looked for: peers tell each other within one, and a request may still be under way."""

AGAIN = 0.5
"""Seconds between two looks."""

Ids = Sequence[tuple[str, str]]
Judged = tuple[bool, str]
"""Whether it is as it was asked to be, and in words why not."""


def sought(ids: str) -> list[tuple[str, str]]:
    """Return (cluster of Alertmanagers, id) of each word of a parameter; raw."""
    return [(at, name) for at, _, name in (one.rpartition("/") for one in ids.split())]


def found_silences(target: Target, given: Mapping[str, str], seen: Sequence[ClusterSeen]) -> list[tuple[str, Silence]]:
    """Return the silences that are meant, each with its cluster of Alertmanagers. Raises Refused where there is none.

    Those of `given` ("ids", or "wanted" for what they say), the target itself, or those that hide the target.
    """
    known = [(one.name, silence) for one in seen for silence in one.silences]
    if given.get("ids"):
        wanted = dict.fromkeys(name for _, name in sought(given["ids"]))
    elif given.get("wanted"):
        described = silencing.decoded(given["wanted"])
        wanted = dict.fromkeys(one.id for at, one in known for each in described if each.at == at and each.made(one))
    elif target.resource == SILENCES:
        wanted = {target.ref.uid: None}
    else:
        hiding = (one.silenced_by for cluster in seen for one in cluster.alerts if one.key == target.ref.uid)
        wanted = dict.fromkeys(each for ids in hiding for each in ids)
    found = [(at, one) for name in wanted for at, one in known if one.id == name]
    if not found:
        errors = "; ".join(one.silences_error for one in seen if one.silences_error)
        why = f" ({errors})" if errors else ""
        raise Refused(safe_text(f"No silence of {target.ref.name} is there any more{why}: look again.", 600))
    return found


async def see_silenced(
    wanted: Sequence[Wanted], chosen: frozenset[str], hands: Hands, note: Note
) -> tuple[Ended, list[tuple[str, str]]]:
    """Watch until the silences are active and hide what was chosen; returns their (cluster, id) too."""
    ids: list[tuple[str, str]] = []

    def judge(seen: Sequence[ClusterSeen]) -> Judged:
        ids[:] = [(one.at, each.id) for one in wanted for each in _made(one, seen) if each.state == "active"]
        if missing := [one.at for one in wanted if one.at not in {at for at, _ in ids}]:
            return False, f"no active silence of this kind is at {', '.join(missing)}: never set, or ended by somebody"
        active = {name for _, name in ids}
        loud = [
            alert
            for one in seen
            for alert in one.alerts
            if alert.key in chosen and (alert.told or not active & {*alert.silenced_by})
        ]
        if any(alert.told for alert in loud):
            return False, f"the silence is active, and {silencing.counted(loud)} still told"
        hidden = silencing.hidden_by(wanted, seen)
        until = silencing.clock_words(wanted[0].ends, hands.clock.now())
        return True, f"silence {', '.join(name[:8] for _, name in ids)} until {until} hides {_count(hidden.all)}"

    ended = await _watch([one.at for one in wanted], judge, hands, note)
    return ended, ids


async def see_extended(wanted: Sequence[Wanted], hands: Hands, note: Note) -> tuple[Ended, str]:
    """Watch until the silences have their new end; returns their "cluster/id" words too: an id may be a new one."""
    ids: list[str] = []

    def judge(seen: Sequence[ClusterSeen]) -> Judged:
        made = [(one.at, each) for one in wanted for each in _made(one, seen) if each.state != "expired"]
        ids[:] = [f"{at}/{each.id}" for at, each in made]
        if missing := [one.at for one in wanted if one.at not in {at for at, _ in made}]:
            return False, f"no silence at {', '.join(missing)} has that end: it was not changed, or changed again"
        return True, f"the silence now ends {silencing.clock_words(wanted[0].ends, hands.clock.now())}"

    ended = await _watch([one.at for one in wanted], judge, hands, note)
    return ended, " ".join(ids)


async def see_ended(ids: Ids, hands: Hands, note: Note) -> Ended:
    """Watch until the silences are over."""
    names = {name for _, name in ids}

    def judge(seen: Sequence[ClusterSeen]) -> Judged:
        alive = [one for cluster in seen for one in cluster.silences if one.id in names and one.state != "expired"]
        if alive:
            return False, f"silence {', '.join(one.id[:8] for one in alive)} is still there"
        hidden = [one for cluster in seen for one in cluster.alerts if names & {*one.silenced_by}]
        return not hidden, "some alerts are still hidden by it" if hidden else "the silence has ended"

    return await _watch([at for at, _ in ids], judge, hands, note)


async def _watch(
    at: Sequence[str], judge: Callable[[Sequence[ClusterSeen]], Judged], hands: Hands, note: Note
) -> Ended:
    """Look until it is so, or patience is over; UNKNOWN while an Alertmanager that was asked does not show it."""
    await note(Progress(Stage.VERIFY, "reading the silence back"))
    until = hands.clock.monotonic() + PATIENCE
    while True:
        seen = clusters_in(await hands.find(ALERTMANAGERS))
        blind = _blind(at, seen)
        holds, words = (False, blind) if blind else judge(seen)
        if holds or hands.clock.monotonic() >= until:
            break
        await hands.clock.sleep(AGAIN)
    outcome = Outcome.OK if holds else Outcome.UNKNOWN if blind else Outcome.FAILED
    return Ended(outcome, safe_text(words, 600), at=hands.clock.now())


def _blind(at: Sequence[str], seen: Sequence[ClusterSeen]) -> str:
    """Return why it cannot be seen, "" where it can."""
    for name in at:
        one = next((each for each in seen if name == each.name or name in each.peers), None)
        if one is None or not one.answers:
            said = "; ".join(why for _, why in one.silent) if one is not None else "it is not configured any more"
            return f"Alertmanager {name} does not say whether it was done ({said})"
        if one.silences_error:
            return f"Alertmanager {name} does not show its silences ({one.silences_error})"
    return ""


def _made(wanted: Wanted, seen: Sequence[ClusterSeen]) -> list[Silence]:
    return [
        one
        for cluster in seen
        if wanted.at == cluster.name or wanted.at in cluster.peers
        for one in cluster.silences
        if wanted.made(one)
    ]


def _count(alerts: Sequence[object]) -> str:
    return f"{len(alerts)} {'alert' if len(alerts) == 1 else 'alerts'}"
