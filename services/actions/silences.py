"""Silences alerts for a while, acknowledges them, makes a silence last longer, and ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from services.actions import amtool, silencing
from services.actions.ordinary import Ordinary
from services.actions.silenced import found_silences, see_ended, see_extended, see_silenced, sought
from services.actions.silencing import Wanted
from services.actions.spec import Hands, Note, Refused
from services.alerts.alertmanagers import ClusterSeen, path_of
from services.alerts.matchers import spelled_all
from services.model.action import Ended, Fact, Plan, Right, Target, Tier, Undo, Write
from services.model.alert import Alert, AlertState, Matcher, Silence
from services.model.ref import SILENCES, Ref
from services.model.severity import Severity
from services.ports import Snapshot
from services.redact import redact
from services.sanitize import safe_text

SETS, ENDS = Right("create", SILENCES), Right("delete", SILENCES)
"""What a user must be allowed; a server that is reached directly knows no rights that could be asked for."""


class SetSilence(Ordinary):
    """Keeps notifications of what its matchers hide away until it ends (`amtool silence add`).

    `given` holds "matchers" (as amtool writes them), "alerts" (keys, for those that were chosen beside the target's),
    "for" and "comment"; or "wanted", silences that are set again as they were.
    """

    id = "silence"
    lasts = "1h"

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """For what is told, and for a silence that is over."""
        if isinstance(row, Silence) and row.state == "active":
            return "it is active: extend it instead"
        alert = row if isinstance(row, Alert) else getattr(row, "lead", None)
        return _not_firing(alert) if isinstance(alert, Alert) else ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return what would be silenced, from what every Alertmanager holds now."""
        seen = await silencing.look(hands)
        chosen = frozenset(given.get("alerts", "").split()) or frozenset({target.ref.uid})
        wanted = self._wanted(target, given, chosen, seen, hands)
        now = hands.clock.now()
        if any(one.ends <= now for one in wanted):
            raise Refused(safe_text("The time it was to end at has passed: nothing is silenced."))
        hidden = silencing.hidden_by(wanted, seen)
        self.check(hidden, chosen, seen, now)
        rows = hands.snapshot().tables.get("alerts", {})
        facts, risky = silencing.preview(hidden, chosen if target.resource != SILENCES else frozenset(), rows)
        first, writes = wanted[0], tuple(one.write() for one in wanted)
        named = silencing.names_alerts(first.matchers)
        return Plan(
            action=self.id,
            target=target,
            title=f"{'Acknowledge' if self.id == 'ack' else 'Silence'} {target.ref.name}",
            parameters={
                "wanted": silencing.encoded(wanted),
                "alerts": " ".join(sorted(chosen)),
                "comment": first.comment,
            },
            facts=(
                *self.means(),
                Fact("matches", spelled_all(first.matchers)),
                Fact("until", f"{silencing.clock_words(first.ends, now)}, {_span(first)}"),
                Fact("comment", first.comment),
                *facts,
                *([] if named else [Fact("any name", "its matchers do not say which alerts by name", Severity.WARN)]),
                *silencing.silent_facts(seen, (one.at for one in wanted)),
                silencing.DRY_RUN,
            ),
            edits=hidden.edits(),
            writes=writes,
            command=amtool.command(seen, first.at, amtool.add_words(first), hands.context),
            rights=(SETS,),
            tier=Tier.TYPED if risky or not named else Tier.KEY,
            typed=target.ref.name,
            expects="until the silence is active and what it hides is shown as silenced",
            undo=_expiry(target.ref, wanted, ()),
            state={"hidden": " ".join(one.key for one in hidden.all)},
        )

    def _wanted(
        self,
        target: Target,
        given: Mapping[str, str],
        chosen: frozenset[str],
        seen: Sequence[ClusterSeen],
        hands: Hands,
    ) -> list[Wanted]:
        if given.get("wanted"):
            return silencing.decoded(given["wanted"])
        now = round(hands.clock.now(), 3)
        comment = redact(self.comment(given.get("comment", "").strip(), hands))
        ends = now + silencing.seconds_of(given.get("for", "") or self.lasts)
        if target.resource == SILENCES:
            found = found_silences(target, given, seen)
            return [Wanted(at, one.matchers, now, ends, hands.who, comment) for at, one in found]
        at = [one.name for one in seen if any(alert.key in chosen for alert in one.alerts)]
        if not at:
            raise Refused(
                safe_text(
                    f"No Alertmanager that answers holds {target.ref.name} any more: there is nothing to silence."
                )
            )
        matchers = self._matchers(given, chosen, seen)
        return [Wanted(name, matchers, now, ends, hands.who, comment) for name in at]

    def _matchers(
        self, given: Mapping[str, str], chosen: frozenset[str], seen: Sequence[ClusterSeen]
    ) -> tuple[Matcher, ...]:
        if given.get("matchers", "").strip():
            return silencing.read_matchers(given["matchers"])
        everything = [alert for one in seen for alert in one.alerts]
        mine = list(dict.fromkeys(one.labels for one in everything if one.key in chosen))
        found = silencing.default_matchers(mine, [one.labels for one in everything])
        if not found:
            raise Refused(safe_text("These alerts have no label in common: silence them one by one, or say what by."))
        return silencing.read_matchers(spelled_all(found))

    def means(self) -> tuple[Fact, ...]:
        """Return what has to be said of this kind of silence."""
        return ()

    def comment(self, said: str, _hands: Hands) -> str:
        """Return the comment. Raises Refused where there is none."""
        if not said:
            raise Refused(safe_text("A silence needs a comment: say why, and where to read more."))
        return said

    def check(
        self, hidden: silencing.Hidden, _chosen: frozenset[str], _seen: Sequence[ClusterSeen], _now: float
    ) -> None:
        """Refuse what would be of no use. Raises Refused."""
        del hidden

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Read the silence back, and look whether what was chosen is shown as silenced."""
        wanted = silencing.decoded(plan.parameters["wanted"])
        chosen = frozenset(plan.parameters.get("alerts", "").split())
        ended, ids = await see_silenced(wanted, chosen, hands, note)
        return structs.replace(ended, undo=_expiry(plan.target.ref, wanted, ids)) if ids else ended


class Acknowledge(SetSilence):
    """Says that somebody is at it. Without a pager that is a short silence by the convention of karma and kthxbye."""

    id = "ack"
    lasts = "15m"

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """For what is told."""
        alert = row if isinstance(row, Alert) else getattr(row, "lead", None)
        return _not_firing(alert) if isinstance(alert, Alert) else "it is no alert"

    def means(self) -> tuple[Fact, ...]:
        """Say what it is."""
        text = "a short silence (no pager here); what still fires is told after it"
        return (Fact("means", text, Severity.NOTICE),)

    def comment(self, said: str, hands: Hands) -> str:
        """Return the comment, which names who is at it."""
        if said.upper().startswith(silencing.ACK):
            return said
        return f"{silencing.ACK} {hands.who.partition('@')[0]}: {said or 'looking at it'}"

    def check(self, hidden: silencing.Hidden, chosen: frozenset[str], seen: Sequence[ClusterSeen], now: float) -> None:
        """Refuse what is hidden already: it would look as if somebody had just come."""
        if not chosen & {one.key for one in hidden.falling}:
            ids = {each for one in hidden.already if one.key in chosen for each in one.silenced_by}
            known = [one for cluster in seen for one in cluster.silences if one.id in ids]
            last = max(known, key=lambda one: one.ends_at, default=None)
            by = f" by {last.created_by} until {silencing.clock_words(last.ends_at, now)}" if last is not None else ""
            raise Refused(safe_text(f"It is silenced already{by}: extend that silence where it is too short."))


class Extend(Ordinary):
    """Lets a silence last longer; its matchers and its words stay, and so does its id while it is active."""

    id = "extend"

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """For what is silenced."""
        return _not_silenced(row)

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the change of its end: "for" is how much longer, "until" (epoch seconds) when exactly."""
        seen, now = await silencing.look(hands), hands.clock.now()
        found = found_silences(target, given, seen)
        before = max(one.ends_at for _, one in found)
        until = _moment(given["until"]) if given.get("until") else max(before, now) + _longer(given)
        until = round(until, 3)
        if until <= now or until - now > silencing.LONGEST:
            raise Refused(safe_text(f"It cannot end {silencing.clock_words(until, now)}: give another time."))
        wanted = [Wanted(at, one.matchers, one.starts_at, until, one.created_by, one.comment) for at, one in found]
        hidden = silencing.hidden_by(wanted, seen)
        ids, first, at = _ids(found), found[0][1], found[0][0]
        writes = tuple(
            one.write(each.id if each.state != "expired" else "") for one, (_, each) in zip(wanted, found, strict=True)
        )
        words = f"silence update {first.id} --end={silencing.stamp(until)}"
        undo = Undo(
            self.id,
            _ref(target.ref.cluster, found[0]),
            SILENCES,
            {"ids": ids, "until": f"{before:.3f}"},
            f"let it end {silencing.clock_words(before, now)} again",
            before,
        )
        return Plan(
            action=self.id,
            target=target,
            title=f"{'Extend' if until >= before else 'Shorten'} the silence of {target.ref.name}",
            parameters={"ids": ids, "until": f"{until:.3f}", "wanted": silencing.encoded(wanted)},
            facts=(
                *(Fact("silence", _described(one, now)) for _, one in found),
                Fact("matches", spelled_all(first.matchers)),
                Fact("until", f"{silencing.clock_words(until, now)}, instead of {silencing.clock_words(before, now)}"),
                Fact("hides", silencing.counted(hidden.all)),
                *silencing.silent_facts(seen, (at for at, _ in found)),
                silencing.DRY_RUN,
            ),
            edits=hidden.edits(),
            writes=writes,
            command=amtool.command(seen, at, words, hands.context),
            rights=(SETS,),
            expects="until the silence shows its new end",
            undo=undo if before > now else None,
            no_undo="" if before > now else "it would have ended before",
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Read the silence back with its new end."""
        wanted = silencing.decoded(plan.parameters["wanted"])
        ended, ids = await see_extended(wanted, hands, note)
        if ids and plan.undo is not None:
            undo = structs.replace(plan.undo, parameters={**plan.undo.parameters, "ids": ids})
            return structs.replace(ended, undo=undo)
        return ended


class Expire(Ordinary):
    """Ends a silence now (`amtool silence expire`): what still fires is told again."""

    id = "expire"

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """For what is silenced."""
        return _not_silenced(row)

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the end of the silences: the target's own, those that hide it, or those that "wanted" describes."""
        seen, now = await silencing.look(hands), hands.clock.now()
        found = [(at, one) for at, one in found_silences(target, given, seen) if one.state != "expired"]
        if not found:
            raise Refused(safe_text("It has expired already: nothing is left to end."))
        ends = {one.id for _, one in found}
        loud = [one for cluster in seen for one in cluster.alerts if one.silenced_by and ends >= {*one.silenced_by}]
        still = [one for cluster in seen for one in cluster.alerts if ends & {*one.silenced_by}]
        others = len(still) - len(loud)
        again = [Wanted(at, one.matchers, now, one.ends_at, hands.who, one.comment) for at, one in found]
        last = max(one.ends_at for _, one in found)
        receivers = ", ".join(sorted({each for one in loud for each in one.receivers}))
        kept = [Fact("stay", f"{others} are hidden by other silences too", Severity.NOTICE)] if others else []
        writes = tuple(
            Write("DELETE", path_of(at, f"/api/v2/silence/{one.id}"), f"end a silence at {at}") for at, one in found
        )
        words = f"silence expire {' '.join(one.id for _, one in found)}"
        back = f"silence it again until {silencing.clock_words(last, now)}: a new silence, with another id"
        return Plan(
            action=self.id,
            target=target,
            title=f"End the silence of {target.ref.name}",
            parameters={"ids": _ids(found)},
            facts=(
                *(Fact("silence", _described(one, now)) for _, one in found),
                Fact("matches", spelled_all(found[0][1].matchers)),
                Fact("shows", f"{silencing.counted(loud)}"),
                Fact("tells", receivers or "nobody: nothing that it hides fires now"),
                *kept,
                *silencing.silent_facts(seen, (at for at, _ in found)),
                silencing.DRY_RUN,
            ),
            edits=tuple(
                structs.replace(one, before="silenced", after="firing")
                for one in silencing.Hidden(tuple(loud), ()).edits()
            ),
            writes=writes,
            command=amtool.command(seen, found[0][0], words, hands.context),
            rights=(ENDS,),
            expects="until the silence is shown as expired",
            undo=Undo("silence", target.ref, target.resource, {"wanted": silencing.encoded(again)}, back, last),
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Read the silences back: they are expired."""
        return await see_ended(sought(plan.parameters["ids"]), hands, note)


def _expiry(ref: Ref, wanted: Sequence[Wanted], ids: Sequence[tuple[str, str]]) -> Undo:
    """Return the end of silences that were set: by their ids where the server has told them, else by what they say."""
    until = max(one.ends for one in wanted)
    words = f"end it before {silencing.clock_words(until, wanted[0].starts)}: what still fires is told again"
    if not ids:
        return Undo("expire", ref, SILENCES, {"wanted": silencing.encoded(wanted)}, words, until)
    at, first = ids[0]
    target = Ref(ref.cluster, "", "Silence", at, ref.name, first)
    given = {"ids": " ".join(f"{name}/{one}" for name, one in ids)}
    return Undo("expire", target, SILENCES, given, words, until)


def _ref(cluster: str, found: tuple[str, Silence]) -> Ref:
    at, silence = found
    named = next((one.value for one in silence.matchers if one.name == "alertname"), silence.id[:8])
    return Ref(cluster, "", "Silence", at, named, silence.id)


def _ids(found: Sequence[tuple[str, Silence]]) -> str:
    return " ".join(f"{at}/{one.id}" for at, one in found)


def _described(one: Silence, now: float) -> str:
    """Return "set by alice until 14:55 UTC: INC-42, being looked at"."""
    return f"set by {one.created_by} until {silencing.clock_words(one.ends_at, now)}: {one.comment}"


def _span(one: Wanted) -> str:
    return f"for {silencing.span_words(one.ends - one.starts)}"


def _longer(given: Mapping[str, str]) -> float:
    return silencing.seconds_of(given.get("for", "") or SetSilence.lasts)


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refused(safe_text(f"{text[:40]!r} is no moment in epoch seconds.")) from None


def _not_firing(alert: Alert) -> str:
    if alert.state is AlertState.PENDING:
        return "it is pending: no Alertmanager knows it yet"
    return "it has ended" if alert.state is AlertState.ENDED else ""


def _not_silenced(row: object) -> str:
    if isinstance(row, Silence):
        return "it has expired" if row.state == "expired" else ""
    alert = row if isinstance(row, Alert) else getattr(row, "lead", None)
    return "" if isinstance(alert, Alert) and alert.silenced_by else "no silence hides it"
