"""Follows each alert from its onset to its end: what is merely not shown just now has not ended."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from services.alerts.trust import PeerView
from services.model.alert import Alert, AlertState, Onset

KEPT = 300.0
"""Seconds an ended alert stays."""
PATIENCE = 30.0
"""Seconds for which the exact onset is waited for before an alert's begin is told."""
SKEW = 15.0
QUIET_KEPT = 900.0
"""Seconds for which a silence or inhibition is believed in without the Alertmanager that told of it."""

_RANK = {kind: rank for rank, kind in enumerate(Onset)}
_EXACT = frozenset((Onset.ACTIVE_AT, Onset.FOR_STATE))
_QUIET = frozenset((AlertState.SILENCED, AlertState.INHIBITED, AlertState.MUTED))


class Advanced(Struct, frozen=True):
    """The rows of one moment, and what began and ended in it (with the onsets by which each was told)."""

    rows: dict[str, Alert]
    began: list[Alert]
    ended: list[Alert]


class _Episode:
    """One alert from its onset to its end. `row` is as last shown, `raw_onset` as the servers last gave it.

    `judged_at` is when an Alertmanager last said whether anybody is told, `closed_at` when the end became known.
    """

    __slots__ = (
        "closed_at",
        "first_at",
        "judged_at",
        "lapses_at",
        "missed",
        "raw_onset",
        "row",
        "shown_at",
        "shown_by",
        "told",
    )

    def __init__(self, row: Alert, now: float) -> None:
        self.row = row
        self.raw_onset = row.onset
        self.first_at = self.shown_at = self.judged_at = now
        self.closed_at = 0.0
        self.shown_by: set[str] = set(row.peers)
        self.missed: dict[str, int] = {}
        self.lapses_at = 0.0
        self.told: Alert | None = None


class Episodes:
    """All alerts that are open or ended a short while ago.

    An alert has ended when a server that showed it answers twice without it, and can be believed (`PeerView.credible`).
    """

    def __init__(self) -> None:
        self._open: dict[str, _Episode] = {}
        self._ended: dict[str, _Episode] = {}
        self._news: Advanced = Advanced({}, [], [])

    def advance(
        self,
        rows: Mapping[str, Alert],
        peers: Mapping[str, PeerView],
        now: float,
        lapses: Mapping[str, float] | None = None,
    ) -> Advanced:
        """Take what all servers show now; `peers` are all that are configured, `lapses` when alerts would lapse."""
        self._news = Advanced({}, [], [])
        exact_possible = any(not view.is_alertmanager for view in peers.values())
        for key, row in rows.items():
            episode = self._shown(key, row, peers, now)
            if lapses and key in lapses:
                episode.lapses_at = lapses[key]
            self._tell(episode, now, wait=exact_possible)
            self._news.rows[key] = episode.row
        for key in [key for key in self._open if key not in rows]:
            self._missing(key, self._open[key], peers, now)
        for key, episode in list(self._ended.items()):
            if now - episode.closed_at >= KEPT or key in self._open:
                del self._ended[key]
            else:
                self._news.rows[key] = episode.row
        return self._news

    def _shown(self, key: str, row: Alert, peers: Mapping[str, PeerView], now: float) -> _Episode:
        episode = self._open.get(key) or self._revived(key, row)
        if episode is not None and _anew(episode, row, peers):
            self._end(key, episode, now)
            episode = None
        if episode is None:
            episode = self._open[key] = _Episode(row, now)
            return episode
        raw_onset = row.onset
        before = episode.row
        if any(name in peers and peers[name].is_alertmanager for name in row.peers):
            episode.judged_at = now
        if row != before:
            row = _carried(before, row)
            changes = _kept_state(before, row, [peers[name] for name in episode.shown_by if name in peers])
            if changes and now - episode.judged_at < QUIET_KEPT:
                row = structs.replace(row, **changes)
        episode.raw_onset = raw_onset
        episode.row = row
        episode.shown_at = now
        episode.shown_by.update(row.peers)
        episode.missed.clear()
        return episode

    def _revived(self, key: str, row: Alert) -> _Episode | None:
        """Return the ended episode if it is the same that is shown again: it had not ended."""
        ended = self._ended.get(key)
        if ended is None or abs(ended.raw_onset - row.onset) > 1.0:
            return None
        del self._ended[key]
        ended.row = structs.replace(ended.row, state=row.state, ended_at=0.0)
        self._open[key] = ended
        return ended

    def _missing(self, key: str, episode: _Episode, peers: Mapping[str, PeerView], now: float) -> None:
        """Hold what no server shows now, or end it."""
        row = episode.row
        known = [peers[name] for name in episode.shown_by if name in peers]
        if not known:
            del self._open[key]
            return
        for view in known:
            if view.credible and not self._lapsed(episode, view, known, now):
                first = episode.missed.setdefault(view.name, view.poll)
                if view.poll > first:
                    self._end(key, episode, now)
                    return
        self._news.rows[key] = row

    @staticmethod
    def _lapsed(episode: _Episode, view: PeerView, known: list[PeerView], now: float) -> bool:
        """Return whether an Alertmanager let it go merely because the Prometheus that would send it is not there."""
        lost = any(not one.is_alertmanager and not one.credible for one in known)
        return view.is_alertmanager and lost and 0.0 < episode.lapses_at <= now + SKEW

    def _end(self, key: str, episode: _Episode, now: float) -> None:
        self._open.pop(key, None)
        row = episode.row
        if row.state is AlertState.PENDING or row.heartbeat:
            return
        self._tell(episode, now, wait=False)
        ended_at = min(now, max(episode.shown_at, row.onset))
        episode.closed_at = now
        episode.row = structs.replace(row, state=AlertState.ENDED, ended_at=ended_at)
        self._ended[key] = episode
        if episode.told is not None:
            self._news.ended.append(structs.replace(episode.row, onset=episode.told.onset))

    def _tell(self, episode: _Episode, now: float, *, wait: bool) -> None:
        """Tell the begin once, under the exact onset where that can be had: others know the episode by it."""
        row = episode.row
        if episode.told is not None or row.state is AlertState.PENDING or row.heartbeat:
            return
        if wait and row.onset_from not in _EXACT and now - episode.first_at < PATIENCE:
            return
        episode.told = row
        self._news.began.append(row)


def _anew(episode: _Episode, row: Alert, peers: Mapping[str, PeerView]) -> bool:
    """Return whether the alert ended and began again between two polls.

    A server's restart moves times too; then it is the same episode. PENDING after it fired is a new one.
    """
    before = episode.row
    if any(peers[name].young or not peers[name].credible for name in row.peers if name in peers):
        return False
    if row.state is AlertState.PENDING and before.state is not AlertState.PENDING:
        return True
    begun = min((at for at in (row.onset, row.fired_at) if at), default=0.0)
    return abs(row.onset - episode.raw_onset) > 1.0 and begun > episode.shown_at


def _carried(before: Alert, row: Alert) -> Alert:
    """Return the new row with the better onset of the two, and the rule as it was last known."""
    changes: dict[str, object] = {}
    better = _RANK[row.onset_from] < _RANK[before.onset_from]
    if not better and (before.onset < row.onset or before.onset_from is not row.onset_from) and before.onset:
        changes |= {"onset": before.onset, "onset_from": before.onset_from}
    if before.fired_at and before.fired_at < row.fired_at:
        changes["fired_at"] = before.fired_at
    if before.expression and not row.expression:
        changes |= {
            "expression": before.expression,
            "hold": before.hold,
            "rule_group": before.rule_group,
            "onset_slack": before.onset_slack,
            "value": before.value,
            "heartbeat": before.heartbeat,
        }
    return structs.replace(row, **changes) if changes else row


def _kept_state(before: Alert, row: Alert, shown_by: list[PeerView]) -> dict[str, object]:
    """Keep that nobody is told while the Alertmanager that said so is away, and that it fires while rules restart."""
    if before.state in _QUIET and row.state is AlertState.FIRING:
        judges = [view for view in shown_by if view.is_alertmanager]
        silent = not any(view.name in row.peers for view in judges)
        if silent and judges and not any(view.credible for view in judges):
            return {
                "state": before.state,
                "silenced_by": before.silenced_by,
                "inhibited_by": before.inhibited_by,
                "receivers": before.receivers,
            }
    if row.state is AlertState.PENDING and before.state is not AlertState.PENDING:
        return {"state": before.state, "fired_at": before.fired_at}
    return {}
