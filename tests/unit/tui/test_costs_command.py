"""`quarterdeck costs` from the kept hours: what is extrapolated, what they tell of a time, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from services.config_costs import CostSettings
from services.model.cost import CostBy, CostEntry, CostHour, CostKind, CostPeriod, CostShare
from tests.unit.costs.estate import spend_of
from tui.commands import costs
from tui.presenters.lens import Lens, moment

NOW = 1_793_416_447.0
HOUR = int(NOW) // 3600 * 3600
CART = CostShare(CostKind.WORKLOAD, "shop", "retail", "Deployment", "cart")
SETUP = SimpleNamespace(
    loaded=SimpleNamespace(config=SimpleNamespace(costs=CostSettings())),
    folder="",
    key="",
    identity=SimpleNamespace(cluster_name="plane", context="plane"),
)


class Kept(costs.Kept):
    def __init__(self, *hours: CostHour) -> None:
        self._hours = hours

    def hours(self, since: float, until: float) -> Sequence[CostHour]:
        return [hour for hour in self._hours if since <= hour.hour < until]


def hour(back: int, dollars: float, watched: float = 3600.0) -> CostHour:
    return CostHour(HOUR - back * 3600, watched, (CostEntry(CART, round(dollars * 1e6)),))


def kept(monkeypatch: pytest.MonkeyPatch, *hours: CostHour) -> costs.Estimate:
    monkeypatch.setattr(costs, "Kept", lambda *_: Kept(*hours))
    monkeypatch.setattr(costs, "HistoryReader", lambda *_: None)
    return costs.from_history(SETUP, NOW)  # type: ignore[arg-type]


def test_nothing_is_extrapolated_for_the_time_before_somebody_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(monkeypatch, hour(0, 1.0, watched=600.0))
    assert found.summary is not None
    day = spend_of(found.summary, CostPeriod.DAY)
    assert (day.amount, day.guessed) == (1_000_000, 0)
    found = kept(monkeypatch, hour(2, 1.0, watched=1800.0), hour(0, 1.0, watched=600.0))
    assert found.summary is not None
    day = spend_of(found.summary, CostPeriod.DAY)
    assert day.unwatched == pytest.approx(3600 + (NOW - HOUR) - 600, abs=1)


def test_what_was_kept_of_a_time_is_told_with_how_much_of_it_is_known() -> None:
    book = Kept(hour(3, 2.0), hour(2, 1.0, watched=1800.0), hour(0, 0.5, watched=600.0))
    whole = costs.within(book, HOUR - 2 * 3600, NOW)
    assert (whole.amount, whole.known) == (1_500_000, 2400.0)
    half = costs.within(book, HOUR - 2.5 * 3600, NOW)
    assert (half.amount, half.known) == (2_500_000, 4200.0)
    assert costs.within(book, NOW + 5, NOW).amount == 0


def test_it_is_printed_for_people_and_for_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(monkeypatch, hour(1, 2.0), hour(0, 0.5, watched=600.0))
    found = costs.structs.replace(found, within=costs.Within(NOW - 7200, 2_500_000, 4200.0))
    listed = [line for line in found.lines.values() if line.by is CostBy.TEAM]
    text = costs.as_table(SETUP, found, CostBy.TEAM, listed, Lens(NOW))  # type: ignore[arg-type]
    assert "in 2h00m       $2.50  known of 1h10m of it" in text
    assert "extrapolated" in text
    assert f"counted from {moment(HOUR - 3600, NOW)}, when it was first watched; --live asks further" in text
    assert "retail" in text
    said = json.loads(costs.as_json(SETUP, found, CostBy.TEAM, listed, Lens(NOW)))  # type: ignore[arg-type]
    assert said["within"] == {"since": NOW - 7200, "amount": 2.5, "known_seconds": 4200}
    assert said["lines"][0]["team"] == "retail"
