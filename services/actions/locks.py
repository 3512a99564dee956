"""Takes a lock away from an operator who holds it, for whoever has typed that operator's name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from services.actions.following import locked_as
from services.actions.ordinary import Ordinary
from services.actions.reading import JSON_PATCH, at, rehearse
from services.actions.spec import Document, Hands, Note, Refused
from services.errors import Problem
from services.kubernetes.lease import CLAIM, DRAINS, LEASES, Spot, held, renewed_at, spot_of
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Tier, Write
from services.model.severity import Severity
from services.sanitize import safe_text


class BreakLock(Ordinary):
    """Leaves the Lease of an object without holder; the console that held it stops before its next change."""

    id = "break-lock"

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return who holds it, what for and until when; their name has to be typed. Refused where nobody does."""
        for spot in await _spots(target, hands):
            document = await _lease(spot, hands)
            holder, claim = held(document) if document is not None else ("", None)
            if document is None or not holder:
                continue
            write = _freeing(spot, document, holder)
            edits, said = await rehearse(write, document, hands)
            who = holder.partition("/")[0]
            elsewhere = f"-n {spot.namespace} " if spot.namespace != target.ref.namespace else ""
            until = claim.until if claim is not None else 0.0
            facts = [
                Fact("held by", holder, Severity.WARN),
                Fact("for", claim.what if claim is not None and claim.what else "it does not say what for"),
                Fact("until", _clock(until) if until else "it does not say until when"),
                Fact("renewed", f"{_clock(renewed_at(document))} by its holder's clock"),
                Fact("means", "they may be in the middle of it: talk to them first", Severity.WARN),
                *said,
            ]
            return Plan(
                action=self.id,
                target=target,
                title=f"Break the lock on {spot.what}",
                facts=tuple(facts),
                edits=tuple(one for one in edits if "renewTime" not in one.path),
                writes=(write,),
                rights=(Right("patch", LEASES, spot.namespace),),
                command=f"{elsewhere}patch lease {spot.name} --type json -p '{write.body.decode()}'",
                tier=Tier.TYPED,
                typed=who,
                expects="at once",
                no_undo="who held it has to take it again",
                leased=False,
                state={"namespace": spot.namespace, "name": spot.name, "holder": holder},
            )
        raise Refused(safe_text(f"Nobody holds a lock on {target.ref.kind.lower()} {target.ref.key}."))

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Look whether they hold it still."""
        await note(Progress(Stage.VERIFY, "looking who holds it"))
        document = await _lease(Spot(plan.state["namespace"], ""), hands, plan.state["name"])
        holder = held(document)[0] if document is not None else ""
        if holder == plan.state["holder"]:
            return Ended(Outcome.FAILED, safe_text(f"{holder} holds it still"), at=hands.clock.now())
        words = f"{holder} has it now" if holder else "nobody holds it any more"
        return Ended(Outcome.OK, safe_text(words), at=hands.clock.now())


async def _spots(target: Target, hands: Hands) -> tuple[Spot, ...]:
    """Return where an object may be locked: a node by whoever drains in this cluster, too."""
    spot = spot_of(await locked_as(target.ref, hands))
    return (spot, DRAINS) if target.ref.kind == "Node" else (spot,)


async def _lease(spot: Spot, hands: Hands, name: str = "") -> Document | None:
    try:
        return await hands.get(LEASES, spot.namespace, name or spot.name)
    except Problem as problem:
        if problem.status == 404:
            return None
        raise


def _freeing(spot: Spot, document: Document, holder: str) -> Write:
    """Return the change that frees a Lease while its holder is the one that was read, however often they renew it."""
    steps: list[dict[str, object]] = [
        {"op": "test", "path": "/spec/holderIdentity", "value": holder},
        {"op": "replace", "path": "/spec/holderIdentity", "value": ""},
        {"op": "replace", "path": "/spec/leaseDurationSeconds", "value": 1},
    ]
    if CLAIM in (at(document, "metadata", "annotations") or {}):
        steps.append({"op": "remove", "path": f"/metadata/annotations/{CLAIM.replace('/', '~1')}"})
    return Write(
        method="PATCH",
        path=LEASES.path(spot.namespace, spot.name),
        what=f"free lease {spot.namespace}/{spot.name}",
        body=msgspec.json.encode(steps),
        content_type=JSON_PATCH,
        uid=str(at(document, "metadata", "uid") or ""),
    )


def _clock(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%H:%M:%S UTC") if when else "at a time that is not known"
