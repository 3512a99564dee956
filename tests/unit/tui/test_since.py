"""What is said to an operator who comes back: what began, what ended, what was rolled out."""

from __future__ import annotations

import pytest

from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from tests.unit.kubernetes.estate_of import NOW, workload
from tui.presenters.lens import Lens
from tui.presenters.since import present_since

LEFT = NOW - 2000


def row(name: str, severity: Severity = Severity.OK, revision: int = 2) -> Rollout:
    return Rollout(workload(name=name), severity, "", done=True, revision=revision)


def rows(*listed: Rollout) -> dict[str, Rollout]:
    return {f"Deployment/{one.ref.key}": one for one in listed}


def alert(name: str, what: str, ago: float, severity: Severity = Severity.CRIT) -> Event:
    ref = Ref("c", "", "Alert", "shop", name, name)
    payload = {"what": what, "fingerprint": name}
    return Event(f"{name}{what}", NOW - ago, NOW, EventKind.ALERT, ref, f"{name} {what}", severity, payload)


def rolled(name: str, text: str, ago: float, severity: Severity = Severity.NOTICE) -> Event:
    ref = Ref("c", "apps", "Deployment", "shop", name, name)
    return Event(f"{name}{text}", NOW - ago, NOW, EventKind.ROLLOUT, ref, text, severity)


def said(before: dict[str, Rollout], now: dict[str, Rollout], *events: Event, left_at: float = LEFT) -> str:
    return "".join(span.text for span in present_since(before, now, left_at, Lens(NOW), events))


CALM = rows(row("cart"), row("search"))


@pytest.mark.parametrize(
    ("now", "events", "words"),
    [
        (CALM, (), "nothing changed"),
        (rows(row("cart", Severity.CRIT), row("search")), (), "▲ shop/cart broke"),
        (CALM, (alert("CartDown", "began", 300),), "▲ CartDown firing"),
        (CALM, (alert("CartDown", "ended", 100), alert("CartDown", "began", 300)), "1 alert ended"),
        (CALM, (alert("CartDown", "began", 3000),), "nothing changed"),
        (CALM, (rolled("cart", "rev 17  v1→v2", 300),), "rolled out shop/cart rev 17  v1→v2"),
        (CALM, (rolled("cart", "rev 17 complete", 300, Severity.OK),), "nothing changed"),
        (rows(row("cart", revision=3), row("search")), (), "1 rolled out"),
        (rows(row("cart")), (), "1 gone"),
        (rows(*(row(name) for name in ("cart", "search", "new"))), (), "1 new"),
    ],
)
def test_one_thing_at_a_time(now: dict[str, Rollout], events: tuple[Event, ...], words: str) -> None:
    assert said(CALM, now, *events) == f" since 07:26 (33m): {words}"


def test_what_began_comes_first_then_what_ended_then_what_was_rolled_out() -> None:
    before = rows(row("cart"), row("search", Severity.WARN), row("a"))
    now = rows(row("cart", Severity.CRIT, 3), row("search"), row("a"))
    events = (rolled("cart", "rev 3", 400), alert("CartDown", "began", 300), alert("Disk", "ended", 200))
    assert said(before, now, *events).removeprefix(" since 07:26 (33m): ").split("; ") == [
        "▲ shop/cart broke",
        "▲ CartDown firing",
        "1 recovered",
        "1 alert ended",
        "rolled out shop/cart rev 3",
    ]


def test_many_are_counted_and_the_worst_are_named() -> None:
    events = [alert(f"A{number}", "began", 300 - number, Severity.WARN) for number in range(4)]
    assert said(CALM, CALM, alert("Z", "began", 1), *events).endswith("▲ Z ◆ A0 and 3 more firing")


def test_nothing_is_said_where_nothing_was_known() -> None:
    assert present_since({}, CALM, LEFT, Lens(NOW)) == ()
    assert present_since(CALM, CALM, 0.0, Lens(NOW)) == ()


def test_hostile_names_stay_text() -> None:
    line = present_since(CALM, CALM, LEFT, Lens(NOW), [alert("\x1b[31mX\u202e[/]", "began", 5)])
    assert "\x1b" not in "".join(span.text for span in line)
