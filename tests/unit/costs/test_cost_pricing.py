"""What a node costs: the operator's book, the list, or its size; and how amounts are rounded and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.costs.money import change, dollars
from services.costs.prices import PriceBook, PricedBy, instance_type, is_spot, list_price
from services.costs.rounding import apportioned, rounded
from tests.unit.costs.estate import node

TYPE = "node.kubernetes.io/instance-type="
SPOT = "karpenter.sh/capacity-type=spot"


@pytest.mark.parametrize(
    ("kind", "price"),
    [
        ("m5.large", 0.096),
        ("m7i.4xlarge", 0.8064),
        ("m7i-flex.2xlarge", 0.38304),
        ("c6g.medium", 0.034),
        ("t3.micro", 0.0104),
        ("r5.24xlarge", 6.048),
        ("g5.12xlarge", 5.672),
        ("m5.metal", None),
        ("m5.", None),
        ("m5", None),
        ("", None),
        ("m5.xxlarge", None),
        ("m5.9999xlarge", None),
        ("m5.٣xlarge", None),
        ("Standard_D4s_v5", None),
    ],
)
def test_list_prices_follow_the_size_within_a_family(kind: str, price: float | None) -> None:
    found = list_price(kind)
    assert found == (pytest.approx(price) if price is not None else None)


@pytest.mark.parametrize(
    ("labels", "micro", "by"),
    [
        ((f"{TYPE}m5.xlarge",), 192_000, PricedBy.LIST),
        ((f"{TYPE}mine",), 1_500_000, PricedBy.CONFIG),
        ((f"{TYPE}mine", SPOT), 400_000, PricedBy.CONFIG),
        ((f"{TYPE}m5.xlarge", SPOT), 4 * 6_655 + 16 * 892, PricedBy.SIZE),
        ((f"{TYPE}unheard.of",), 4 * 31_611 + 16 * 4_237, PricedBy.SIZE),
        ((), 4 * 31_611 + 16 * 4_237, PricedBy.SIZE),
        (("beta.kubernetes.io/instance-type=m5.xlarge",), 192_000, PricedBy.LIST),
    ],
)
def test_a_node_is_priced_by_the_book_then_the_list_then_its_size(
    labels: tuple[str, ...], micro: int, by: PricedBy
) -> None:
    price = PriceBook({"mine": 1.5, "mine/spot": 0.4}).price(node("n", 4000, 16, labels))
    assert (price.amount, price.by) == (micro, by)


def test_a_share_of_the_list_price_is_paid_where_the_settings_say_so() -> None:
    assert PriceBook({}, 50).price(node("n", 4000, 16, (f"{TYPE}m5.xlarge",))).amount == 96_000


def test_an_empty_type_never_finds_an_entry_of_the_book() -> None:
    assert PriceBook({"": 9.0}).price(node("n", 4000, 16, ())).by is PricedBy.SIZE


@pytest.mark.parametrize("label", [SPOT, "eks.amazonaws.com/capacityType=SPOT", "cloud.google.com/gke-spot=true"])
def test_spare_capacity_is_known_by_its_labels(label: str) -> None:
    assert is_spot((label,))
    assert not is_spot((label + "x", "karpenter.sh/capacity-type=on-demand"))


def test_an_instance_type_may_hold_an_equals_sign() -> None:
    assert instance_type((f"{TYPE}a=b",)) == "a=b"


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 10**15), max_size=12), st.integers(1, 10**7))
def test_rounded_parts_add_up_to_the_rounded_whole(parts: dict[str, int], unit: int) -> None:
    found = rounded(parts, unit)
    assert found.keys() == parts.keys()
    assert sum(found.values()) == (2 * sum(parts.values()) + unit) // (2 * unit)
    assert all(part // unit <= found[name] <= part // unit + 1 for name, part in parts.items())
    assert rounded(dict(reversed(parts.items())), unit) == found


@given(st.integers(0, 10**15), st.dictionaries(st.text(max_size=4), st.integers(0, 10**12), max_size=12))
def test_what_is_shared_out_is_all_of_it_and_no_more(total: int, weights: dict[str, int]) -> None:
    found = apportioned(total, weights)
    assert sum(found.values()) == (total if any(weights.values()) else 0)
    assert all(not found.get(name) or weight for name, weight in weights.items())
    assert apportioned(total, dict(reversed(weights.items()))) == found


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0"),
        (1, "<$0.01"),
        (4_999, "<$0.01"),
        (5_000, "$0.01"),
        (61_200_000, "$61.20"),
        (288_095_000, "$288.10"),
        (999_994_999, "$999.99"),
        (999_995_000, "$1,000"),
        (1_420_400_000, "$1,420"),
        (-800_000, "-$0.80"),
        (-1, "<-$0.01"),
    ],
)
def test_money_reads_as_money(amount: int, text: str) -> None:
    assert dollars(amount) == text


def test_a_change_has_its_sign() -> None:
    assert [change(620_000), change(-620_000)] == ["+$0.62/h", "-$0.62/h"]
