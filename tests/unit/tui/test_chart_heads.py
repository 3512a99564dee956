"""What is said above the charts of a workload, however narrow they are."""

from __future__ import annotations

import math

import pytest
from msgspec import structs

from services.model.metric import Golden, Series
from tui.presenters.chart import golden_charts
from tui.presenters.lens import Lens
from widgets.chart_layout import chart_rows

GI = float(1 << 30)
GOLDEN = Golden(
    "main",
    cpu=Series("cpu", "cores", 0.0, 60.0, (0.9, 1.4)),
    memory=Series("memory", "bytes", 0.0, 60.0, (1.1 * GI, 1.3 * GI)),
    cpu_request=1.5,
    cpu_limit=3.0,
    memory_request=1.5 * GI,
    memory_limit=3 * GI,
)


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (64, "memory  1.1Gi → 1.3Gi  request 1.5Gi  limit 3Gi"),
        (38, "memory 1.3Gi  request 1.5Gi  limit 3Gi"),
        (36, "memory 1.3Gi  req 1.5Gi  lim 3Gi"),
        (24, "memory 1.3Gi  req 1.5Gi"),
    ],
)
def test_requests_and_limits_are_worth_more_than_what_was_before(width: int, said: str) -> None:
    charts = dict(golden_charts(GOLDEN, Lens(120.0)))
    assert "".join(ink.text for ink in chart_rows(charts["memory"], width, 1)[0]).rstrip() == said
    assert "request 1.5  limit 3" in "".join(ink.text for ink in chart_rows(charts["cpu"], max(width, 37), 1)[0])


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (64, "memory  1.3Gi  no data since 00:01  request 1.5Gi  limit 3Gi"),
        (50, "memory ?  req 1.5Gi  lim 3Gi  no data since 00:01"),
        (38, "memory ?  req 1.5Gi  lim 3Gi"),
    ],
)
def test_what_is_not_known_any_more_is_never_said_as_if_it_were(width: int, said: str) -> None:
    late = Series("memory", "bytes", 0.0, 60.0, (1.3 * GI, math.nan, math.nan, math.nan))
    charts = dict(golden_charts(structs.replace(GOLDEN, memory=late), Lens(240.0)))
    assert "".join(ink.text for ink in chart_rows(charts["memory"], width, 1)[0]).rstrip() == said
