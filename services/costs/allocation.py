"""Shares out what the nodes cost over the pods on them, and keeps the shares up as pods come, change and go.

A pod takes the larger of what it requests and what it uses, of CPU and of memory, at the price of its node
(`getContainerAllocation` in OpenCost's pkg/costmodel/costmodel.go, for whole pods: containers are not kept apart here).
What nobody takes is idle; where pods use more than their nodes have, idle is nothing, never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from fnmatch import fnmatchcase

from msgspec import Struct

from services.costs.prices import WEIGHT_OF_MICRO, NodePrice, PriceBook, PricedBy, by_size, weight_of
from services.costs.rounding import rounded
from services.model.cluster import Node, Usage
from services.model.cost import MICRO, CostKind, CostShare
from services.model.workload import Owner, Pod

NANO = 1000
"""Nano-USD in a micro-USD: pods are priced in these, so that what is rounded away is nothing."""

ENDED = frozenset({"Succeeded", "Failed"})
IDLE = CostShare(CostKind.IDLE, name="idle")


class Rates(Struct, frozen=True):
    """What everything costs at one moment, in micro-USD an hour: the shares add up to `total`.

    `used` is what usage alone would cost, by share; empty where no usage is known. `pods` counts pods by share.
    """

    total: int
    shares: Mapping[CostShare, int]
    used: Mapping[CostShare, int]
    pods: Mapping[CostShare, int]
    nodes: int = 0
    priced: int = 0
    counted: int = 0
    sized: int = 0


class _Held(Struct, frozen=True, gc=False):
    share: CostShare
    cost: int
    used: int


class _Sum(Struct, gc=False):
    cost: int = 0
    used: int = 0
    pods: int = 0


class Allocation:
    """The shares of one cluster's cost. `put` and `drop` are cheap; `rates` adds up."""

    def __init__(
        self,
        book: PriceBook,
        team_label: str,
        flat: Mapping[str, float] | None = None,
        teams: Mapping[str, str] | None = None,
    ) -> None:
        """`teams` are teams by pattern of the namespace: they win over the label of a pod or its namespace."""
        self._book = book
        self._team = f"{team_label}="
        self._given = dict(teams or {})
        self._flat = {
            CostShare(CostKind.FLAT, name=name): round(price * MICRO * NANO) for name, price in (flat or {}).items()
        }
        self._nodes: dict[str, NodePrice] = {}
        self._node_cost = 0
        self._held: dict[str, _Held] = {}
        self._unsized: set[str] = set()
        self._sums: dict[CostShare, _Sum] = {}
        self._interned: dict[CostShare, CostShare] = {}
        self._teams: dict[tuple[str, ...], str] = {}
        self._namespace_teams: dict[str, str] = {}
        self._owners: dict[str, Owner] = {}
        self._unknown: set[str] = set()
        self._homeless: set[str] = set()

    # What prices and names depend on: each returns whether every pod has to be put again.

    def set_nodes(self, nodes: Mapping[str, Node]) -> bool:
        """Take the nodes, by name."""
        prices = {node.ref.name: self._book.price(node) for node in nodes.values()}
        if prices == self._nodes:
            return False
        before, self._nodes = self._nodes, prices
        self._node_cost = sum(price.amount for price in prices.values()) * NANO
        late = not self._homeless.isdisjoint(prices)
        self._homeless.difference_update(prices)
        return late or any(before.get(name, price) != price for name, price in prices.items())

    def set_namespaces(self, labels: Mapping[str, tuple[str, ...]]) -> bool:
        """Take the labels of the namespaces, by name."""
        teams = {name: team for name, own in labels.items() if (team := self._team_of(own))}
        if teams == self._namespace_teams:
            return False
        self._namespace_teams = teams
        return bool(self._held)

    def add_owners(self, owners: Mapping[str, Owner]) -> bool:
        """Take what owns the owners of pods: "Kind/namespace/name" of a ReplicaSet or Job to its controller."""
        self._owners.update(owners)
        late = not self._unknown.isdisjoint(owners)
        self._unknown.difference_update(owners)
        return late

    # Pods

    def put(self, key: str, pod: Pod, usage: Usage | None) -> None:
        """Take a pod as it is now, under its key."""
        self.drop(key)
        if not pod.node or pod.phase in ENDED:
            return
        if not pod.ref.uid:
            self._unsized.add(key)
            return
        cpu, memory = pod.cpu_request, pod.memory_request
        used = 0
        if usage is not None:
            used = self._cost(weight_of(usage.cpu, usage.memory), pod.node)
            cpu, memory = max(cpu, usage.cpu), max(memory, usage.memory)
        held = _Held(self._share(pod), self._cost(weight_of(cpu, memory), pod.node), used)
        self._held[key] = held
        total = self._sums.get(held.share)
        if total is None:
            total = self._sums[held.share] = _Sum()
        total.cost += held.cost
        total.used += held.used
        total.pods += 1

    def drop(self, key: str) -> None:
        """Forget a pod."""
        self._unsized.discard(key)
        held = self._held.pop(key, None)
        if held is None:
            return
        total = self._sums[held.share]
        total.cost -= held.cost
        total.used -= held.used
        total.pods -= 1
        if not total.pods:
            del self._sums[held.share]
            self._interned.pop(held.share, None)

    def keys(self) -> list[str]:
        """Return the keys of all pods that count."""
        return [*self._held, *self._unsized]

    def rates(self, usage: bool) -> Rates:
        """Return what everything costs now; `usage` says whether usage is known at all."""
        parts = {share: total.cost for share, total in self._sums.items()} | self._flat
        taken = sum(total.cost for total in self._sums.values())
        if self._nodes:
            parts[IDLE] = max(0, self._node_cost - taken)
        shares = rounded(parts, NANO)
        return Rates(
            total=sum(shares.values()),
            shares=shares,
            used={share: total.used // NANO for share, total in self._sums.items()} if usage else {},
            pods={share: total.pods for share, total in self._sums.items()},
            nodes=len(self._nodes),
            priced=sum(1 for price in self._nodes.values() if price.by is not PricedBy.SIZE),
            counted=len(self._held) + len(self._unsized),
            sized=len(self._held),
        )

    # What was before

    @property
    def nodes(self) -> Set[str]:
        """The names of the nodes there are now."""
        return self._nodes.keys()

    @property
    def flat(self) -> Mapping[CostShare, int]:
        """The flat items, in nano-USD an hour."""
        return self._flat

    def price_of(self, name: str, millicores: int, size: int) -> int:
        """Return what a node of the past cost, in micro-USD an hour: as itself now, else as one of its size does."""
        known = self._nodes.get(name)
        if known is None:
            weight = weight_of(millicores, size)
            alike = (price for price in self._nodes.values() if price.weight == weight)
            known = next(alike, None) or by_size(millicores, size)
        return known.amount

    def owner_of(self, kind: str, namespace: str, name: str) -> Owner | None:
        """Return what owns a ReplicaSet or Job, None where that is not known (any more)."""
        return self._owners.get(f"{kind}/{namespace}/{name}")

    def shares(self) -> Iterable[CostShare]:
        """Return the shares that cost anything now."""
        return self._sums.keys()

    def team_of(self, namespace: str) -> str:
        """Return the team that a namespace belongs to, "" for none."""
        return self._given_team(namespace) or self._namespace_teams.get(namespace, "")

    # Inside

    def _cost(self, weight: int, node: str) -> int:
        """Return what a weight costs on a node, in nano-USD an hour; at the default prices where it is not known."""
        price = self._nodes.get(node)
        if price is None:
            self._homeless.add(node)
        if price is None or not price.weight:
            return weight * NANO // WEIGHT_OF_MICRO
        return price.amount * NANO * weight // price.weight

    def _share(self, pod: Pod) -> CostShare:
        namespace = pod.ref.namespace
        team = self._given_team(namespace) or self._team_of(pod.labels) or self._namespace_teams.get(namespace, "")
        kind, name = self._controller(pod)
        share = CostShare(CostKind.WORKLOAD, namespace, team, kind, name)
        return self._interned.setdefault(share, share)

    def _controller(self, pod: Pod) -> tuple[str, str]:
        owner = pod.owner
        if owner is None:
            return "Pod", pod.ref.name
        if owner.kind == "Node":
            return "Static", pod.ref.name.removesuffix(f"-{pod.node}")
        if owner.kind in ("ReplicaSet", "Job"):
            key = f"{owner.kind}/{pod.ref.namespace}/{owner.name}"
            above = self._owners.get(key)
            if above is not None:
                return above.kind, above.name
            self._unknown.add(key)
        return owner.kind, owner.name

    def _given_team(self, namespace: str) -> str:
        return next((team for pattern, team in self._given.items() if fnmatchcase(namespace, pattern)), "")

    def _team_of(self, labels: tuple[str, ...]) -> str:
        known = self._teams.get(labels)
        if known is None:
            start = self._team
            known = next((label[len(start) :] for label in labels if label.startswith(start)), "")
            if len(self._teams) > 10_000:
                self._teams.clear()
            self._teams[labels] = known
        return known
