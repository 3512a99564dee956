"""Decides, before anything is sent, whether an action may run at all and how much a person has to say; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from services.actions.registry import BY_ID
from services.config_policy import Policy, barred_until
from services.model.action import Fact, Plan, Right, Tier
from services.model.ref import ALERTS, SILENCES
from services.model.severity import Severity
from services.ports import AccessAnswer
from services.sanitize import safe_text

OLDEST = 15.0
"""Seconds after which data is too old to act upon: what it shows may be over."""

COOL_DOWN = 300.0
BURST = 10
"""So many actions of one console within `COOL_DOWN` are taken for a runaway, and stop."""


class Circumstances(Struct, frozen=True):
    """What a guard looks at. `data_age` is in seconds, None where nobody knows; `armed_until` epoch seconds, 0: not.

    `arm_key` is the key that arms, `source` where the data comes from; `production` whether the cluster counts as such
    (`services.config_schema.ContextSettings`). `rights` are the server's answers; `recent` the
    times of this console's actions on this very object, `burst` of all of them.
    """

    now: float
    armed_until: float = 0.0
    arm_key: str = "!"
    data_age: float | None = 0.0
    source: str = "the cluster"
    production: bool = True
    rights: Sequence[tuple[Right, AccessAnswer]] = ()
    recent: Sequence[float] = ()
    burst: Sequence[float] = ()


class Allow(Struct, frozen=True):
    """It may run once a person has said as much as `tier` asks for; warnings stand on the confirm screen."""

    tier: Tier
    warnings: tuple[Fact, ...] = ()


class Deny(Struct, frozen=True):
    """It may not run: why, and what to do instead, in one sentence (safe)."""

    reason: str


def guard(plan: Plan, policy: Policy, found: Circumstances) -> Allow | Deny:
    """Return whether a plan may run; the first reason against it wins."""
    reason = may_begin(plan.action, policy, found) or _rights(found) or _blast(plan, policy) or plan.blocked
    if reason:
        return Deny(safe_text(reason))
    warnings = []
    if any(found.now - then < COOL_DOWN for then in found.recent):
        last = found.now - max(found.recent)
        warnings.append(Fact("again", f"this console acted on it {last:.0f} s ago", Severity.WARN))
    return Allow(_tier(plan, policy, production=found.production), tuple(warnings))


def may_begin(action: str, policy: Policy, found: Circumstances) -> str:
    """Return why an action may not even be planned here and now, "" where it may: what greys a key."""
    if policy.denies(action):
        return f"the policy of this cluster denies {action}; ask who keeps the configuration"
    until = barred_until(policy, datetime.fromtimestamp(found.now, UTC))
    if until and not _of_alerting(action):
        return f"changes are frozen here {until}; the configuration's policy says so"
    if policy.arm_first and found.armed_until <= found.now:
        return f"nothing is armed here, and the policy asks for it: press {found.arm_key} first"
    if found.data_age is None:
        return f"it is not known how old this data is: wait until {found.source} answers"
    if found.data_age > OLDEST:
        return f"data is {found.data_age:.0f} s old: wait until {found.source} answers"
    if sum(found.now - then < COOL_DOWN for then in found.burst) >= BURST:
        return f"{BURST} actions within {COOL_DOWN / 60:.0f} minutes came from this console: wait, and look again"
    return ""


def _of_alerting(action: str) -> bool:
    """Tell whether an action changes nothing in the cluster, but who is told: a freeze mutes nobody's pager."""
    listed = BY_ID.get(action)
    return listed is not None and all(one in (ALERTS, SILENCES) for one in listed.kinds) and bool(listed.kinds)


def _rights(found: Circumstances) -> str:
    for right, answer in found.rights:
        if not answer.allowed:
            where = f" in {right.namespace}" if right.namespace else ""
            said = f" ({answer.reason})" if answer.reason else ""
            return f"you may not {right.verb} {kind_of(right)}{where}{said}: ask for a role that allows it"
    return ""


def kind_of(right: Right) -> str:
    """Return what a right is for as roles name it: "deployments", "pods/exec"."""
    return right.resource.plural + (f"/{right.subresource}" if right.subresource else "")


def _blast(plan: Plan, policy: Policy) -> str:
    if policy.max_pods and plan.touches > policy.max_pods:
        return f"it touches {plan.touches} pods, and the policy of this cluster allows {policy.max_pods} at a time"
    return ""


def _tier(plan: Plan, policy: Policy, *, production: bool) -> Tier:
    """Return how much has to be said: outside production the worst is confirmed by its key, unless the policy asks.

    Another name than the object's is typed everywhere (whose lock is broken), and so is what an Alertmanager is told,
    which may serve other clusters too.
    """
    own = plan.name_to_type == plan.target.ref.name and plan.target.resource not in (ALERTS, SILENCES)
    tier = plan.tier if production or not own else min(plan.tier, Tier.KEY)
    if policy.wants_reason(plan.action):
        tier = max(tier, Tier.REASON)
    if policy.wants_name(plan.action):
        tier = Tier.TYPED
    return tier


class Consent(Struct, frozen=True):
    """What a person said on the confirm screen: why (a ticket where the policy asks for one), the name they typed."""

    reason: str = ""
    typed: str = ""


def consents(allow: Allow, plan: Plan, policy: Policy, consent: Consent) -> str:
    """Return what is still to be said before it runs, "" when it is enough."""
    if allow.tier is Tier.REASON or policy.wants_reason(plan.action):
        if not consent.reason.strip():
            return "a reason is needed"
        if policy.ticket and re.search(policy.ticket, consent.reason) is None:
            return f"the reason must name a ticket ({policy.ticket})"
    if allow.tier is Tier.TYPED and consent.typed.strip() != plan.name_to_type:
        return f"type {plan.name_to_type} to confirm"
    return ""
