"""The signs of an incident's timeline are those of the timeline itself: what ended is no trouble."""

from __future__ import annotations

import pytest

from services.incidents.timeline import Moment, Origin
from services.model.severity import Severity
from services.model.timeline import EventKind
from tui.presenters.incidents import present_moment
from tui.presenters.lens import Lens

LENS = Lens(1_000_000.0)


@pytest.mark.parametrize(
    ("kind", "severity", "sign"),
    [
        (EventKind.ALERT, Severity.CRIT, LENS.shape(Severity.CRIT)),
        (EventKind.ALERT, Severity.OK, LENS.glyphs.mark("ok")),
        (EventKind.NODE, Severity.OK, LENS.glyphs.mark("ok")),
        (EventKind.NODE, Severity.WARN, LENS.shape(Severity.WARN)),
        (EventKind.CONFIG, Severity.NOTICE, LENS.glyphs.mark("turn")),
        (EventKind.ROLLOUT, Severity.OK, LENS.glyphs.mark("turn")),
    ],
)
def test_the_sign_says_how_bad_it_is_or_what_it_was(kind: EventKind, severity: Severity, sign: str) -> None:
    line = present_moment(
        Moment(999_990.0, Origin.CLUSTER, kind, "it was so", about="shop/cart", severity=severity), LENS
    )
    assert line[2].text == sign
