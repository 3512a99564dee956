"""Joins the silences of all Alertmanagers: one row each, whichever peers of a cluster hold it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from services.alerts.observed import AlertmanagerSeen
from services.model.alert import Alert, AlertState, Silence

REMEMBERED = 86400.0
"""Seconds for which an expired silence is still shown."""

_RANK = {"active": 0, "pending": 1, "expired": 2}


def clusters_of(alertmanagers: Sequence[AlertmanagerSeen]) -> dict[str, str]:
    """Return for each Alertmanager (by our name) the cluster it is in, named after the first of its peers given.

    Two are in one cluster where the configuration says so, or either's status lists the other as a member; one without
    a cluster is its own.
    """
    result: dict[str, str] = {}
    names = {seen.name: seen.status.name if seen.status is not None else "" for seen in alertmanagers}
    for seen in alertmanagers:
        members = set(seen.status.members) if seen.status is not None else set()
        home = seen.name
        for other in alertmanagers:
            if other.name == seen.name:
                break
            theirs = other.status.members if other.status is not None else ()
            told = bool(seen.cluster) and seen.cluster == other.cluster
            if told or (names[other.name] and names[other.name] in members) or (names[seen.name] in theirs):
                home = result[other.name]
                break
        result[seen.name] = home
    return result


def silence_rows(
    alertmanagers: Sequence[AlertmanagerSeen], alerts: Iterable[Alert], now: float
) -> Mapping[str, Silence]:
    """Return the silences by id: active ones, those to come, and those that expired within a day.

    `matching` counts the alerts that a silence hides now, as the Alertmanagers themselves say.
    """
    cluster = clusters_of(alertmanagers)
    hidden = Counter(each for alert in alerts if alert.state is not AlertState.ENDED for each in alert.silenced_by)
    result: dict[str, Silence] = {}
    for seen in alertmanagers:
        for silence in seen.silences:
            if silence.state == "expired" and now - silence.ends_at > REMEMBERED:
                continue
            known = result.get(silence.id)
            if known is None or _RANK.get(silence.state, 3) > _RANK.get(known.state, 3):
                result[silence.id] = structs.replace(
                    silence, source=cluster[seen.name], matching=hidden.get(silence.id, 0)
                )
    return result
