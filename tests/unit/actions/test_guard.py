"""What a guard lets through, and the one sentence it refuses with."""

from __future__ import annotations

import pytest
from msgspec import structs

from services.actions.guard import BURST, Allow, Circumstances, Consent, Deny, consents, guard, may_begin
from services.config_policy import Policy
from services.model.action import Plan, Right, Target, Tier
from services.model.ref import DEPLOYMENTS, SILENCES, Ref, Resource
from services.ports import AccessAnswer

NOW = 1_795_229_647.0
CART = Target(Ref("c", "apps", "Deployment", "shop", "cart", "u-1"), DEPLOYMENTS)
PLAN = Plan("rollback", CART, "Roll back shop/cart", typed="cart", touches=3)
CALM = Circumstances(NOW)
RIGHT = Right("patch", DEPLOYMENTS, "shop")


def refusal(policy: Policy, **found: object) -> str:
    judged = guard(PLAN, policy, structs.replace(CALM, **found))
    return judged.reason if isinstance(judged, Deny) else ""


@pytest.mark.parametrize(
    ("policy", "found", "said"),
    [
        (Policy(), {}, ""),
        (Policy(arm_first=True), {}, "nothing is armed here, and the policy asks for it: press ! first"),
        (Policy(arm_first=True), {"arm_key": "f9"}, "press f9 first"),
        (Policy(arm_first=True), {"armed_until": NOW}, "nothing is armed"),
        (Policy(arm_first=True), {"armed_until": NOW + 1.0}, ""),
        (Policy(deny=("roll*",)), {}, "denies rollback"),
        (Policy(deny=("drain",)), {}, ""),
        (Policy(hours="Mon-Fri 08:00-09:00"), {}, "frozen"),
        (Policy(), {"data_age": None}, "not known how old"),
        (Policy(), {"data_age": 15.0}, ""),
        (Policy(), {"data_age": 17.2}, "data is 17 s old"),
        (Policy(), {"burst": [NOW - 10.0] * BURST}, "10 actions within 5 minutes"),
        (Policy(), {"burst": [NOW - 301.0] * BURST}, ""),
        (Policy(max_pods=2), {}, "3 pods, and the policy of this cluster allows 2"),
        (Policy(max_pods=3), {}, ""),
        (Policy(), {"rights": [(RIGHT, AccessAnswer(True))]}, ""),
        (
            Policy(),
            {"rights": [(RIGHT, AccessAnswer(False, "no role"))]},
            "may not patch deployments in shop (no role)",
        ),
    ],
)
def test_the_first_reason_against_it(policy: Policy, found: dict[str, object], said: str) -> None:
    refused = refusal(policy, **found)
    assert said in refused
    assert bool(refused) is bool(said)


def test_what_may_not_begin_is_refused_when_it_is_confirmed_too() -> None:
    policy = Policy(deny=("*",))
    assert may_begin("scale", policy, CALM)
    assert isinstance(guard(PLAN, policy, CALM), Deny)


@pytest.mark.parametrize(
    ("action", "frozen"),
    [("rollback", True), ("resume-gitops", True), ("ack", False), ("silence", False), ("extend", False)],
)
def test_a_freeze_keeps_nobody_from_silencing_an_alert(action: str, frozen: bool) -> None:
    for policy in (Policy(hours="Mon-Fri 08:00-09:00"), Policy(freeze=("1970-01-01 - 2970-01-01",))):
        assert ("frozen" in may_begin(action, policy, CALM)) is frozen


@pytest.mark.parametrize(
    ("production", "resource", "typed", "policy", "tier"),
    [
        (True, DEPLOYMENTS, "cart", Policy(), Tier.TYPED),
        (False, DEPLOYMENTS, "cart", Policy(), Tier.KEY),
        (False, DEPLOYMENTS, "", Policy(), Tier.KEY),
        (False, DEPLOYMENTS, "cart", Policy(typed=("*",)), Tier.TYPED),
        (False, DEPLOYMENTS, "cart", Policy(reason=("*",)), Tier.REASON),
        (False, DEPLOYMENTS, "bob@bastion-1", Policy(), Tier.TYPED),
        (False, SILENCES, "cart", Policy(), Tier.TYPED),
    ],
)
def test_a_name_is_typed_in_production_and_where_the_policy_asks(
    production: bool, resource: Resource, typed: str, policy: Policy, tier: Tier
) -> None:
    target = structs.replace(CART, resource=resource)
    plan = structs.replace(PLAN, target=target, tier=Tier.TYPED, typed=typed)
    judged = guard(plan, policy, structs.replace(CALM, production=production))
    assert isinstance(judged, Allow)
    assert judged.tier is tier


def test_an_action_on_what_was_just_acted_upon_is_warned_of() -> None:
    judged = guard(PLAN, Policy(), structs.replace(CALM, recent=(NOW - 40,)))
    assert isinstance(judged, Allow)
    assert [one.text for one in judged.warnings] == ["this console acted on it 40 s ago"]


@pytest.mark.parametrize(
    ("tier", "policy", "consent", "missing"),
    [
        (Tier.KEY, Policy(), Consent(), ""),
        (Tier.KEY, Policy(reason=("*",)), Consent(), "a reason is needed"),
        (Tier.KEY, Policy(reason=("*",)), Consent("bad image"), ""),
        (Tier.KEY, Policy(reason=("*",), ticket="INC-[0-9]+"), Consent("bad image"), "must name a ticket"),
        (Tier.KEY, Policy(reason=("*",), ticket="INC-[0-9]+"), Consent("INC-42 bad image"), ""),
        (Tier.REASON, Policy(), Consent("  "), "a reason is needed"),
        (Tier.TYPED, Policy(), Consent(), "type cart to confirm"),
        (Tier.TYPED, Policy(), Consent(typed="Cart"), "type cart to confirm"),
        (Tier.TYPED, Policy(), Consent(typed=" cart "), ""),
        (Tier.KEY, Policy(typed=("rollback",)), Consent(), "type cart to confirm"),
    ],
)
def test_what_is_still_to_be_said(tier: Tier, policy: Policy, consent: Consent, missing: str) -> None:
    plan = structs.replace(PLAN, tier=tier)
    judged = guard(plan, policy, CALM)
    assert isinstance(judged, Allow)
    said = consents(judged, plan, policy, consent)
    assert missing in said
    assert bool(said) is bool(missing)
