"""Shares add up to what the nodes cost, whatever comes and goes, in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.costs.allocation import IDLE, Allocation, Rates
from services.costs.lines import SEVERAL, Amounts, Sheet
from services.costs.prices import PriceBook
from services.model.cost import CostBy, CostKind, CostLine, CostShare
from services.model.workload import Owner
from tests.unit.costs.estate import GIB, node, pod, usage

BOOK = PriceBook({"big": 1.0})
BIG = ("node.kubernetes.io/instance-type=big",)


def allocation(nodes: int = 1, flat: dict[str, float] | None = None) -> Allocation:
    made = Allocation(BOOK, "team", flat)
    made.set_nodes({f"n{at}": node(f"n{at}", 4000, 16, BIG) for at in range(1, nodes + 1)})
    return made


def by_name(rates: Rates) -> dict[str, int]:
    return {share.name: rate for share, rate in rates.shares.items()}


def test_a_pod_pays_its_part_of_its_node_and_the_rest_is_idle() -> None:
    made = allocation()
    made.put("a", pod("a", cpu=2000, gib=8), None)
    rates = made.rates(usage=False)
    assert by_name(rates) == {"a": 500_000, "idle": 500_000}
    assert (rates.total, rates.nodes, rates.priced, rates.sized) == (1_000_000, 1, 1, 1)


def test_the_larger_of_request_and_usage_counts_for_cpu_and_memory_each() -> None:
    made = allocation()
    one = pod("a", cpu=2000, gib=2)
    made.put("a", one, usage(one, cpu=500, gib=8))
    assert by_name(made.rates(usage=True))["a"] == 500_000


def test_used_is_what_usage_alone_explains() -> None:
    made = allocation()
    one = pod("a", cpu=2000, gib=8)
    made.put("a", one, usage(one, cpu=1000, gib=4))
    rates = made.rates(usage=True)
    assert list(rates.used.values()) == [250_000]
    assert not made.rates(usage=False).used


def test_idle_is_never_less_than_nothing() -> None:
    made = allocation()
    one = pod("a", cpu=100, gib=1)
    made.put("a", one, usage(one, cpu=8000, gib=32))
    rates = made.rates(usage=True)
    assert by_name(rates) == {"a": 2_000_000, "idle": 0}
    assert rates.total == 2_000_000


def test_without_nodes_the_default_prices_stand_and_nothing_is_idle() -> None:
    made = Allocation(BOOK, "team")
    made.put("a", pod("a", cpu=2000, gib=4), None)
    assert by_name(made.rates(usage=False)) == {"a": 2 * 31_611 + 4 * 4_237}


def test_a_pod_that_came_before_its_node_is_priced_again() -> None:
    made = Allocation(BOOK, "team")
    made.put("a", pod("a", cpu=2000, gib=8), None)
    assert made.set_nodes({"n1": node("n1", 4000, 16, BIG)})
    made.put("a", pod("a", cpu=2000, gib=8), None)
    assert by_name(made.rates(usage=False))["a"] == 500_000
    assert not made.set_nodes({"n1": node("n1", 4000, 16, BIG)})


def test_another_price_of_a_node_asks_for_all_pods_again() -> None:
    made = allocation()
    assert made.set_nodes({"n1": node("n1", 4000, 16, ())})
    assert not made.set_nodes({"n1": node("n1", 4000, 16, ()), "n2": node("n2", 4000, 16, ())})


def test_pods_that_ended_or_wait_for_a_node_cost_nothing() -> None:
    made = allocation()
    made.put("a", pod("a", phase="Succeeded"), None)
    made.put("b", pod("b", phase="Failed"), None)
    made.put("c", pod("c", phase="Pending", on=""), None)
    assert by_name(made.rates(usage=False)) == {"idle": 1_000_000}


def test_a_pod_that_has_not_told_its_requests_is_counted_apart() -> None:
    made = allocation()
    made.put("a", pod("a", sized=False), None)
    made.put("b", pod("b"), None)
    rates = made.rates(usage=False)
    assert (rates.counted, rates.sized) == (2, 1)
    made.put("a", pod("a"), None)
    assert made.rates(usage=False).sized == 2


def test_owners_are_followed_to_the_workload() -> None:
    made = allocation()
    made.put("a", pod("cart-7d-x", owner=Owner("ReplicaSet", "cart-7d", "u1")), None)
    assert by_name(made.rates(usage=False)).keys() == {"cart-7d", "idle"}
    assert made.add_owners({"ReplicaSet/shop/cart-7d": Owner("Deployment", "cart", "u2")})
    made.put("a", pod("cart-7d-x", owner=Owner("ReplicaSet", "cart-7d", "u1")), None)
    made.put("b", pod("db-0", owner=Owner("StatefulSet", "db", "u3")), None)
    made.put("c", pod("etcd-n1", owner=Owner("Node", "n1", "u4")), None)
    made.put("d", pod("bare"), None)
    found = {(share.workload, share.name) for share in made.rates(usage=False).shares if share.namespace}
    assert found == {("Deployment", "cart"), ("StatefulSet", "db"), ("Static", "etcd"), ("Pod", "bare")}


def test_the_team_is_the_pods_own_label_else_its_namespaces() -> None:
    made = allocation()
    made.set_namespaces({"shop": ("team=retail",), "data": ()})
    made.put("a", pod("a", labels=("app=x", "team=mine")), None)
    made.put("b", pod("b"), None)
    made.put("c", pod("c", "data"), None)
    assert {share.name: share.team for share in made.rates(usage=False).shares} == {
        "a": "mine", "b": "retail", "c": "", "idle": "",
    }  # fmt: skip


def test_flat_items_stand_beside_the_nodes() -> None:
    rates = allocation(flat={"NAT gateway": 0.045}).rates(usage=False)
    assert rates.total == 1_045_000
    assert rates.shares[CostShare(CostKind.FLAT, name="NAT gateway")] == 45_000


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.integers(0, 9000),
        st.integers(0, 64),
        st.sampled_from(["n1", "n2", "gone"]),
        st.sampled_from(["shop", "data", "idle"]),
        st.sampled_from([(), ("team=x",), ("team=idle",)]),
        st.booleans(),
    ),
    max_size=30,
)


@given(STEPS)
def test_shares_kept_up_step_by_step_are_those_made_anew(steps: list[tuple[object, ...]]) -> None:
    grown, last = allocation(2), {}
    for key, cpu, quarters, on, namespace, labels, stays in steps:
        if stays:
            last[key] = pod(key, namespace, cpu, quarters / 4, on=on, labels=labels)  # type: ignore[arg-type]
            grown.put(key, last[key], None)  # type: ignore[arg-type]
        else:
            last.pop(key, None)
            grown.drop(key)  # type: ignore[arg-type]
    anew = allocation(2)
    for key, one in reversed(last.items()):
        anew.put(key, one, None)  # type: ignore[arg-type]
    rates = grown.rates(usage=False)
    assert rates == anew.rates(usage=False)
    assert sum(rates.shares.values()) == rates.total
    assert rates.total >= 2_000_000
    assert rates.shares[IDLE] >= 0


@given(STEPS)
def test_lines_of_each_way_of_adding_up_sum_to_the_whole(steps: list[tuple[object, ...]]) -> None:
    made = allocation(2, {"EKS": 0.1, "idle": 0.2})
    for key, cpu, quarters, on, namespace, labels, _ in steps:
        made.put(key, pod(key, namespace, cpu, quarters / 4, on=on, labels=labels), None)  # type: ignore[arg-type]
    rates = made.rates(usage=False)
    lines = sheet(rates)
    for by in CostBy:
        of = [line for line in lines.values() if line.by is by]
        assert sum(line.rate for line in of) == rates.total
        assert sum(line.today for line in of) == sum(rates.shares.values())
        assert sum(line.pods for line in of) == rates.sized
    assert len({line.key for line in lines.values()}) == len(lines)


def sheet(rates: Rates) -> dict[str, CostLine]:
    made = Sheet(rates, None, Amounts(rates.shares, rates.shares, rates.shares))
    for share in made.shares:
        made.add(share)
    return made.lines()


def test_a_namespace_has_the_team_of_all_that_is_in_it() -> None:
    made = allocation()
    for name, namespace, team in (("a", "shop", "x"), ("b", "shop", "x"), ("c", "data", "x"), ("d", "data", "y")):
        made.put(name, pod(name, namespace, labels=(f"team={team}",)), None)
    lines = sheet(made.rates(usage=False)).values()
    teams = {line.name: line.team for line in lines if line.by is CostBy.NAMESPACE and line.kind is CostKind.WORKLOAD}
    assert teams == {"shop": "x", "data": SEVERAL}


def test_a_namespace_called_idle_is_not_what_is_idle() -> None:
    made = allocation()
    made.put("a", pod("a", "idle", cpu=2000, gib=8), None)
    lines = sheet(made.rates(usage=False))
    assert {line.kind for line in lines.values() if line.by is CostBy.NAMESPACE and line.name == "idle"} == {
        CostKind.IDLE, CostKind.WORKLOAD,
    }  # fmt: skip


def test_memory_of_a_node_that_names_none_breaks_nothing() -> None:
    made = Allocation(BOOK, "team")
    made.set_nodes({"n1": node("n1", 0, 0, BIG)})
    made.put("a", pod("a", cpu=1000, gib=1), None)
    assert by_name(made.rates(usage=False))["a"] == 31_611 + 4_237
    assert GIB == 2**30


def test_a_team_is_given_by_the_settings_else_by_the_pod_else_by_its_namespace() -> None:
    made = Allocation(BOOK, "squad", teams={"shop-*": "retail", "*-prod": "platform"})
    made.set_nodes({"n1": node("n1", 4000, 16, BIG)})
    made.set_namespaces({"shop-prod": ("squad=label",), "pay": ("squad=money",), "lab": ()})
    expected = {"shop-prod": "retail", "pay-prod": "platform", "pay": "money", "lab": ""}
    for namespace in expected:
        made.put(namespace, pod("a", namespace), None)
    made.put("own", pod("b", "pay", labels=("app=b", "squad=risk")), None)
    shares = {(one.namespace, one.name): one.team for one in made.rates(usage=False).shares if one.namespace}
    assert shares == {**{(name, "a"): team for name, team in expected.items()}, ("pay", "b"): "risk"}
    assert made.team_of("shop-prod") == "retail"


def test_a_team_names_the_namespaces_it_is_made_of() -> None:
    made = Allocation(BOOK, "team", teams={"shop": "retail", "cart": "retail", "pay": "money"})
    made.set_nodes({"n1": node("n1", 4000, 16, BIG)})
    for namespace in ("shop", "cart", "pay"):
        made.put(namespace, pod("a", namespace), None)
    sheet = Sheet(made.rates(usage=False), None, Amounts({}, {}, {}))
    for share in sheet.shares:
        sheet.add(share)
    named = {line.name: line.namespaces for line in sheet.lines().values() if line.by is CostBy.TEAM}
    assert named == {"retail": ("cart", "shop"), "money": ("pay",), "idle": ()}
