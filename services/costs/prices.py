"""Says what a node costs an hour: the operator's price book, else list prices of a known day, else by its size.

The split of a node's price over CPU and memory, and the default prices, follow OpenCost
(pkg/costmodel/costmodel.go, configs/aws.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from services.model.cluster import Node
from services.model.cost import MICRO

LISTED_ON = "2026-01-19"
LISTED_BY = "AWS list, us-east-1, Linux, on demand"
"""Where the built-in prices come from: EC2's public price list."""

_LARGE: Mapping[str, float] = {
    "c5": 0.085, "c5a": 0.077, "c5ad": 0.086, "c5d": 0.096, "c5n": 0.108, "c6a": 0.0765, "c6g": 0.068,
    "c6gd": 0.0768, "c6gn": 0.0864, "c6i": 0.085, "c6id": 0.1008, "c6in": 0.1134, "c7a": 0.10264, "c7g": 0.0725,
    "c7gd": 0.0907, "c7gn": 0.1248, "c7i": 0.08925, "c7i-flex": 0.08479, "c8a": 0.10777, "c8g": 0.07976,
    "c8gd": 0.09798, "c8gn": 0.1185, "c8i": 0.09371, "c8i-flex": 0.08902, "i3": 0.156, "i3en": 0.226,
    "i4g": 0.15444, "i4i": 0.1716, "i7i": 0.18876, "i7ie": 0.2599, "i8g": 0.1716, "im4gn": 0.1819, "m4": 0.1,
    "m5": 0.096, "m5a": 0.086, "m5ad": 0.103, "m5d": 0.113, "m5dn": 0.136, "m5n": 0.119, "m6a": 0.0864,
    "m6g": 0.077, "m6gd": 0.0904, "m6i": 0.096, "m6id": 0.11865, "m6idn": 0.15912, "m6in": 0.13923,
    "m7a": 0.11592, "m7g": 0.0816, "m7gd": 0.1068, "m7i": 0.1008, "m7i-flex": 0.09576, "m8a": 0.12172,
    "m8g": 0.08976, "m8gd": 0.11532, "m8gn": 0.1455, "m8i": 0.10584, "m8i-flex": 0.10055, "r4": 0.133, "r5": 0.126,
    "r5a": 0.113, "r5ad": 0.131, "r5b": 0.149, "r5d": 0.144, "r5dn": 0.167, "r5n": 0.149, "r6a": 0.1134,
    "r6g": 0.1008, "r6gd": 0.1152, "r6i": 0.126, "r6id": 0.1512, "r6in": 0.17433, "r7a": 0.15215, "r7g": 0.1071,
    "r7gd": 0.1361, "r7i": 0.1323, "r7iz": 0.186, "r8a": 0.15976, "r8g": 0.11782, "r8gd": 0.14696, "r8i": 0.13892,
    "r8i-flex": 0.13197, "t2": 0.0928, "t3": 0.0832, "t3a": 0.0752, "t4g": 0.0672, "x2gd": 0.167, "x8g": 0.1954,
}  # fmt: skip
"""Dollars an hour of a family's `large`; within these families the price is proportional to the size."""

_SINGLE: Mapping[str, float] = {
    "g4dn.xlarge": 0.526, "g4dn.2xlarge": 0.752, "g4dn.4xlarge": 1.204, "g4dn.8xlarge": 2.176,
    "g4dn.12xlarge": 3.912, "g4dn.16xlarge": 4.352, "g5.xlarge": 1.006, "g5.2xlarge": 1.212, "g5.4xlarge": 1.624,
    "g5.8xlarge": 2.448, "g5.12xlarge": 5.672, "g5.16xlarge": 4.096, "g5.24xlarge": 8.144, "g5.48xlarge": 16.288,
    "g6.xlarge": 0.8048, "g6.2xlarge": 0.9776, "g6.4xlarge": 1.3232, "g6.8xlarge": 2.0144, "g6.12xlarge": 4.6016,
    "g6.16xlarge": 3.3968, "g6.24xlarge": 6.6752, "g6.48xlarge": 13.3504, "inf2.xlarge": 0.7582,
    "inf2.8xlarge": 1.96786, "inf2.24xlarge": 6.49063, "inf2.48xlarge": 12.98127, "p3.2xlarge": 3.06,
    "p3.8xlarge": 12.24, "p3.16xlarge": 24.48, "p4d.24xlarge": 21.957642, "p4de.24xlarge": 27.44705,
    "p5.4xlarge": 6.88, "p5.48xlarge": 55.04, "trn1.2xlarge": 1.34375, "trn1.32xlarge": 21.5,
}  # fmt: skip
"""Families whose price does not follow the size."""

_SMALL = {"nano": 0.0625, "micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1.0}

TYPE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_SPOT_LABELS = frozenset(
    {
        "karpenter.sh/capacity-type=spot",
        "eks.amazonaws.com/capacityType=SPOT",
        "cloud.google.com/gke-spot=true",
        "cloud.google.com/gke-preemptible=true",
        "kubernetes.azure.com/scalesetpriority=spot",
    }
)

CPU_ON_DEMAND, RAM_ON_DEMAND = 31_611, 4_237
CPU_SPOT, RAM_SPOT = 6_655, 892
"""Micro-USD an hour of a core and of a GiB of memory, where a node's type has no price."""

CPU_WEIGHT, RAM_WEIGHT = CPU_ON_DEMAND, RAM_ON_DEMAND
"""How a node's price is split: a core weighs as much more than a GiB as it costs more."""


class PricedBy(StrEnum):
    """Where a node's price comes from, the surest first."""

    CONFIG = "config"
    LIST = "list"
    SIZE = "size"


class NodePrice(Struct, frozen=True, gc=False):
    """What a node costs an hour, in micro-USD, and its `weight`: what its whole allocatable size weighs."""

    amount: int
    weight: int
    by: PricedBy


class PriceBook:
    """The prices in force: `prices` are dollars an hour by instance type, or "type/spot"; `percent` of list prices."""

    def __init__(self, prices: Mapping[str, float] | None = None, percent: int = 100) -> None:
        self._prices = dict(prices or {})
        self._percent = percent

    def price(self, node: Node) -> NodePrice:
        """Return what a node costs."""
        weight = weight_of(node.cpu_allocatable, node.memory_allocatable)
        kind, spot = instance_type(node.labels), is_spot(node.labels)
        named = self._prices.get(f"{kind}/spot") if spot else self._prices.get(kind)
        if named is not None and kind:
            return NodePrice(round(named * MICRO), weight, PricedBy.CONFIG)
        listed = None if spot else list_price(kind)
        if listed is not None:
            return NodePrice(round(listed * MICRO * self._percent / 100), weight, PricedBy.LIST)
        return by_size(node.cpu_allocatable, node.memory_allocatable, spot=spot)


def by_size(millicores: int, size: int, *, spot: bool = False) -> NodePrice:
    """Return the price of a node of which nothing but its size (allocatable, in bytes) is known."""
    cpu, ram = (CPU_SPOT, RAM_SPOT) if spot else (CPU_ON_DEMAND, RAM_ON_DEMAND)
    amount = millicores * cpu / 1000 + size * ram / 2**30
    return NodePrice(round(amount), weight_of(millicores, size), PricedBy.SIZE)


def weight_of(millicores: int, size: int) -> int:
    """Return what CPU (millicores) and memory (bytes) weigh together when a node's price is shared out."""
    return millicores * CPU_WEIGHT * 2**30 + size * RAM_WEIGHT * 1000


WEIGHT_OF_MICRO = 1000 * 2**30
"""The weight that costs one micro-USD an hour at the default prices."""


def instance_type(labels: tuple[str, ...]) -> str:
    """Return a node's instance type from its "key=value" labels, "" where it has none."""
    for name in TYPE_LABELS:
        start = f"{name}="
        for label in labels:
            if label.startswith(start):
                return label[len(start) :]
    return ""


def is_spot(labels: tuple[str, ...]) -> bool:
    """Return whether a node is spare capacity that may be taken back: another price."""
    return not _SPOT_LABELS.isdisjoint(labels)


def list_price(kind: str) -> float | None:
    """Return the list price of an EC2 instance type in dollars an hour, None where it is not known."""
    single = _SINGLE.get(kind)
    if single is not None:
        return single
    family, _, size = kind.partition(".")
    large = _LARGE.get(family)
    factor = _factor(size)
    return large * factor if large is not None and factor else None


def _factor(size: str) -> float:
    """Return how many `large` a size is: 2 for "xlarge", 8 for "4xlarge", 0 for what is no such size."""
    known = _SMALL.get(size)
    if known is not None:
        return known
    count = size.removesuffix("xlarge")
    if count == size or (count and not (count.isascii() and count.isdigit() and len(count) <= 3)):
        return 0.0
    return 2.0 * (int(count) if count else 1)
