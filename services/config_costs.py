"""The settings of the cost estimate: what nodes cost, what belongs to whom, and which amounts are too much."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

Dollars = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Price = Annotated[float, Meta(ge=0, le=100_000)]


class CostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the cluster is estimated to cost, in US dollars; days, weeks (from Monday) and months are UTC."""

    enabled: Annotated[bool, Meta(description="Estimate costs from requests, usage and node prices.")] = True
    team_label: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=317,
            description="The label that names a team: on the pod, else on its namespace.",
        ),
    ] = "team"
    teams: Annotated[
        dict[str, Annotated[str, Meta(min_length=1, max_length=253)]],
        Meta(
            description="Teams by namespace, * allowed, the first that matches; they win over the label.",
            examples=[{"shop-*": "retail", "kube-system": "platform"}],
        ),
    ] = field(default_factory=dict)
    daily_warning: Annotated[Dollars, Meta(description="Dollars a day that are a warning; 0: none.")] = 50
    daily_limit: Annotated[Dollars, Meta(description="Dollars a day that are too much; 0: no limit.")] = 100
    weekly_warning: Annotated[Dollars, Meta(description="See daily_warning.")] = 300
    weekly_limit: Annotated[Dollars, Meta(description="See daily_limit.")] = 500
    monthly_warning: Annotated[Dollars, Meta(description="See daily_warning.")] = 1000
    monthly_limit: Annotated[Dollars, Meta(description="See daily_limit.")] = 2000
    jump_percent: Annotated[
        int, Meta(ge=1, le=1000, description="Change of the hourly rate, in percent, that goes on the timeline.")
    ] = 10
    list_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="What you pay of the built-in list prices, in percent: another region, a savings plan.",
        ),
    ] = 100
    prices: Annotated[
        dict[str, Price],
        Meta(
            description="Dollars an hour by instance type, or type/spot; they win over the built-in list prices.",
            examples=[{"m7i.4xlarge": 0.8064, "m7i.4xlarge/spot": 0.31}],
        ),
    ] = field(default_factory=dict)
    flat: Annotated[
        dict[str, Price],
        Meta(
            description="Dollars an hour that the cluster costs beside its nodes, by name.",
            examples=[{"EKS control plane": 0.1, "NAT gateway": 0.045}],
        ),
    ] = field(default_factory=dict)
