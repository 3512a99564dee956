"""The Alertmanagers that silences are set at: read at every peer, since each has its own alerts; written to at one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct, structs

from services.alertmanager.decode import GivenAlert, Notifying
from services.alerts.observed import AlertmanagerSeen
from services.alerts.peers import ALERTMANAGER, AlertmanagerPoller, Peer
from services.alerts.silences import clusters_of
from services.endpoint import SERVICE, Endpoint
from services.errors import Problem
from services.kubernetes.faults import WriteFault, WriteProblem
from services.kubernetes.problems import Unreached
from services.model.action import Write
from services.model.alert import Pairs, Silence
from services.sanitize import safe_text

PREFIX = "alertmanager/"
"""What the path of a change begins with: then the cluster's name, then the path at each of its peers."""

READ_WITHIN = 6.0
"""Seconds that one peer may take to show what it holds, before somebody decides without it."""

_RANK = {"active": 0, "pending": 1, "expired": 2}
_LOUDEST = (Notifying.ACTIVE, Notifying.UNPROCESSED, Notifying.SILENCED, Notifying.INHIBITED, Notifying.MUTED)
_REFUSED = {401: WriteFault.FORBIDDEN, 403: WriteFault.FORBIDDEN, 404: WriteFault.GONE, 429: WriteFault.BUSY}


class HeldAlert(Struct, frozen=True):
    """One alert as one cluster of Alertmanagers holds it, under the key of its row (`Alert.key`).

    `told` says that some peer notifies, or is about to; `silenced_by` are the silences that hide it at any peer.
    """

    key: str
    labels: Pairs
    told: bool
    silenced_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


class ClusterSeen(Struct, frozen=True):
    """What one cluster of Alertmanagers holds, as its peers that answer say.

    `peers` are the names of its members, `urls` their addresses in the same order, `silent` those that do not answer,
    each with the reason. `silences_error` says why its silences are not known, "" where they are.
    """

    name: str
    peers: tuple[str, ...]
    urls: tuple[str, ...]
    silent: tuple[tuple[str, str], ...] = ()
    alerts: tuple[HeldAlert, ...] = ()
    silences: tuple[Silence, ...] = ()
    silences_error: str = ""

    @property
    def answers(self) -> bool:
        """Whether any of its peers does."""
        return len(self.silent) < len(self.peers)


def path_of(cluster: str, path: str) -> str:
    """Return the path of a change at one peer of a cluster of Alertmanagers."""
    return f"{PREFIX}{quote(cluster, safe='')}{path}"


class Alertmanagers:
    """The Alertmanagers of one context. `home` is the identity of the cluster shown: its alerts have bare keys.

    `changed` is called once a change was taken: what is shown of it is out of date.
    """

    def __init__(self, peers: Sequence[Peer], home: str = "", changed: Callable[[], None] = lambda: None) -> None:
        self._pollers = {peer.name: AlertmanagerPoller(peer) for peer in peers if peer.kind == ALERTMANAGER}
        self._home = home
        self._changed = changed
        self._known: dict[str, AlertmanagerSeen] = {}
        self._silent: dict[str, str] = {}

    @property
    def services(self) -> tuple[str, ...]:
        """The Services ("namespace/name:port") that all of them are behind; none where any is reached directly."""
        urls = [poller.peer.url for poller in self._pollers.values()]
        found = [url.removeprefix(SERVICE) for url in urls if url.startswith(SERVICE)]
        return tuple(found) if len(found) == len(urls) else ()

    async def look(self) -> Sequence[ClusterSeen]:
        """Ask every peer now, and return its cluster's view; a peer that does not answer is named."""
        answers = await asyncio.gather(*(self._poll(poller) for poller in self._pollers.values()))
        fresh = {seen.name: seen for seen in answers if seen is not None}
        self._known |= fresh
        homes = self._homes()
        return [
            self._seen(home, [name for name in self._pollers if homes[name] == home], fresh)
            for home in dict.fromkeys(homes.values())
        ]

    async def send(self, write: Write) -> dict[str, Any]:
        """Send a change to one peer of its cluster, and return the answer. Raises WriteProblem.

        The next peer is tried only where the request surely never left for the one before.
        """
        cluster, _, path = write.path.removeprefix(PREFIX).partition("/")
        said = "none of its peers is configured"
        for name in self._in_turn(unquote(cluster)):
            endpoint = self._pollers[name].peer.getter
            if not isinstance(endpoint, Endpoint):
                continue
            try:
                answer = await endpoint.change(write.method, f"/{path}", write.body or None)
            except Problem as problem:
                if isinstance(problem, Unreached) and not problem.sent:
                    said = str(problem.sentence)
                    continue
                raise _fault(problem, write) from None
            self._changed()
            return _answer(answer)
        words = f"Could not {write.what}: {said.rstrip('.')}. Nothing was changed."
        raise WriteProblem(safe_text(words, 1000), WriteFault.UNSENT)

    async def _poll(self, poller: AlertmanagerPoller) -> AlertmanagerSeen | None:
        name = poller.peer.name
        try:
            async with asyncio.timeout(READ_WITHIN):
                seen = await poller.poll()
        except TimeoutError:
            self._silent[name] = f"did not answer within {READ_WITHIN:.0f} s"
            return None
        except Problem as problem:
            self._silent[name] = str(problem.sentence).rstrip(".")
            return None
        self._silent.pop(name, None)
        return seen

    def _homes(self) -> Mapping[str, str]:
        """Return for each peer the cluster it is in, as far as was ever learned: a peer may fall silent."""
        never = {
            name: AlertmanagerSeen(name, 0, (), None, (), cluster=poller.peer.cluster)
            for name, poller in self._pollers.items()
        }
        return clusters_of([self._known.get(name, never[name]) for name in self._pollers])

    def _in_turn(self, cluster: str) -> list[str]:
        """Return the peers of a cluster, which is named after any of them: those that answered last time first."""
        homes = self._homes()
        members = [name for name in self._pollers if homes[name] == homes.get(cluster, cluster)]
        return sorted(members, key=lambda name: name in self._silent)

    def _seen(self, home: str, names: Sequence[str], fresh: Mapping[str, AlertmanagerSeen]) -> ClusterSeen:
        answered = [fresh[name] for name in names if name in fresh]
        silences: dict[str, Silence] = {}
        for seen in answered:
            for one in seen.silences:
                known = silences.get(one.id)
                if known is None or _RANK.get(one.state, 3) >= _RANK.get(known.state, 3):
                    silences[one.id] = structs.replace(one, source=home)
        errors = [seen.silences_error for seen in answered if seen.silences_error]
        return ClusterSeen(
            home,
            tuple(names),
            tuple(self._pollers[name].peer.url for name in names),
            tuple((name, self._silent.get(name, "")) for name in names if name not in fresh),
            tuple(self._held(answered)),
            tuple(silences.values()),
            errors[0] if errors and len(errors) == len(answered) else "",
        )

    def _held(self, answered: Sequence[AlertmanagerSeen]) -> list[HeldAlert]:
        found: dict[str, list[GivenAlert]] = {}
        for seen in answered:
            away = f"@{seen.scope}" if seen.scope not in ("", self._home) else ""
            for alert in seen.alerts:
                found.setdefault(alert.fingerprint + away, []).append(alert)
        return [
            HeldAlert(
                key,
                alerts[0].labels,
                min(_LOUDEST.index(one.state) for one in alerts) < _LOUDEST.index(Notifying.SILENCED),
                tuple(sorted({name for one in alerts for name in one.silenced_by})),
                tuple(sorted({name for one in alerts for name in one.receivers})),
            )
            for key, alerts in sorted(found.items())
        ]


def _fault(problem: Problem, write: Write) -> WriteProblem:
    """Return what a problem means for the change: refused, never sent, or nobody knows."""
    said = str(problem.sentence).rstrip(".")
    if problem.status == 404:
        said = f"it is not there any more ({said})"
    if problem.status and problem.status < 500:
        kind = _REFUSED.get(problem.status, WriteFault.INVALID)
        return WriteProblem(
            safe_text(f"Could not {write.what}: {said}; nothing was changed.", 1000), kind, problem.status
        )
    words = f"Could not {write.what}: {said}. It may have been done all the same: look before you repeat it."
    return WriteProblem(safe_text(words, 1000), WriteFault.UNKNOWN, problem.status)


def _answer(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
