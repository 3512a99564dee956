"""Fills a form with what is there now, so that a person at night changes one number or one tag, and types no path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.actions.registry import Listed
from services.actions.workloads import rollout_of
from services.model.action import Parameter, Target
from services.ports import Snapshot
from widgets.form import Field


def fields_of(
    listed: Listed, target: Target, given: Mapping[str, str], missing: Sequence[Parameter], snapshot: Snapshot
) -> list[Field]:
    """Return the fields that ask for an action's parameters; what is `missing` has to be filled in."""
    first = {**prefilled(listed, target, snapshot), **given}
    asked = [one for one in listed.parameters if one.name != "matchers"]
    return [
        Field(one.name, one.label, first.get(one.name, one.default), (), one.required or one in missing)
        for one in asked
    ]


def prefilled(listed: Listed, target: Target, snapshot: Snapshot) -> Mapping[str, str]:
    """Return the present values of what an action asks for, as far as the workload's row tells them."""
    row = rollout_of(target, snapshot)
    if row is None:
        return {}
    wanted = {one.name for one in listed.parameters}
    images = row.workload.images
    present = {"replicas": str(row.workload.desired), "image": images[0] if len(images) == 1 else ""}
    return {name: value for name, value in present.items() if name in wanted and value}
