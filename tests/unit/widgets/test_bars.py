"""What fits into a line at 40 to 200 columns, and which part goes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from widgets.bar_layout import (
    bar_line,
    edge_line,
    footer_line,
    last_parts_line,
    note_lines,
    strip_line,
    timeline_line,
    wrap,
)
from widgets.ink import ASCII_SIGNS, InkLine
from widgets.viewmodels import BarVM, FooterVM, KeyHint, Line, PaneStripVM, PaneVM, Span, Tone

WIDTHS = (40, 60, 80, 120, 200)


def text(line: InkLine) -> str:
    return "".join(ink.text for ink in line)


def part(words: str, tone: Tone = Tone.PLAIN) -> Line:
    return (Span(words, tone),)


HEADER = BarVM(
    (part("◉ prod-eu-1 PROD"), part("live 2s"), part("▲2 CRIT ◆3 WARN"), part("RO")),
    (part("duty1@bastion-2"), part("Sat 03:14:07Z")),
)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, " ◉ prod-eu-1 PROD  live 2s  ▲2 CRIT ◆3… "),
        (60, " ◉ prod-eu-1 PROD  live 2s  ▲2 CRIT ◆3 WARN  RO"),
        (70, " ◉ prod-eu-1 PROD  live 2s  ▲2 CRIT ◆3 WARN  RO         Sat 03:14:07Z "),
        (80, " ◉ prod-eu-1 PROD  live 2s  ▲2 CRIT ◆3 WARN  RO  duty1@bastion-2  Sat 03:14:07Z "),
        (
            120,
            " ◉ prod-eu-1 PROD   live 2s   ▲2 CRIT ◆3 WARN   RO" + " " * 38 + "duty1@bastion-2   Sat 03:14:07Z ",
        ),
    ],
)
def test_right_parts_go_first_to_last_then_the_left_is_cut(width: int, shown: str) -> None:
    assert text(bar_line(HEADER, width)) == shown.ljust(width)


@pytest.mark.parametrize(
    ("width", "shown"),
    [(80, " 38 rules healthy  Watchdog ok  3 of 3 peers"), (40, " Watchdog ok  3 of 3 peers"), (12, " 3 of 3 pe… ")],
)
def test_of_parts_whose_last_counts_most_the_first_go(width: int, shown: str) -> None:
    parts = part("38 rules healthy"), part("Watchdog ok"), part("3 of 3 peers")
    assert text(last_parts_line(BarVM(parts), width)) == shown.ljust(width)


HINTS = tuple(
    KeyHint(key, label)
    for key, label in [
        ("enter", "open"),
        ("X", "explain"),
        ("x", "actions"),
        ("R", "roll back"),
        ("T", "tell"),
        ("/", "filter"),
        (":", "go"),
        ("?", "help"),
        ("z", "freeze"),
    ]
)


def test_a_small_footer_shows_seven_hints_at_most() -> None:
    line = text(footer_line(FooterVM(HINTS), 80))
    assert line.strip() == "enter open  X explain  x actions  R roll back  T tell  / filter  : go"
    assert text(footer_line(FooterVM(HINTS), 120)).strip().endswith("z freeze")


def test_a_kept_hint_has_its_room_before_the_others() -> None:
    hints = tuple(structs.replace(hint, kept=hint.key == "?") for hint in HINTS)
    line = text(footer_line(FooterVM(hints), 80))
    assert line.strip() == "enter open  X explain  x actions  R roll back  T tell  / filter  ? help"
    assert text(footer_line(FooterVM(hints), 30)).strip() == "enter open  ? help"
    assert text(footer_line(FooterVM(hints), 12)).strip() == "enter open"


def test_a_hint_is_whole_or_absent() -> None:
    assert text(footer_line(FooterVM(HINTS), 30)).strip() == "enter open  X explain"


SENTENCE = "state.db could not be written, the disk is full: history is off and is tried again every minute"


def note(words: str) -> FooterVM:
    return FooterVM((), part(words, Tone.NOTICE))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sentence_is_read_whole_in_the_lines_that_it_needs(width: int) -> None:
    lines = [text(line) for line in note_lines(note(SENTENCE), width, 3)]
    assert (len(lines) > 1) is (width < len(SENTENCE) + 2)
    assert all(cell_len(line) == width for line in lines)
    if lines and width > 40:
        assert " ".join(" ".join(lines).split()) == SENTENCE


def test_a_sentence_too_long_even_so_ends_in_dots_and_keys_never_wrap() -> None:
    lines = note_lines(note(SENTENCE), 24, 3)
    assert len(lines) == 3
    assert text(lines[-1]).rstrip().endswith("…")
    assert note_lines(note(SENTENCE), 24, 1) == ()
    assert note_lines(FooterVM(HINTS), 24, 3) == ()


def test_a_key_that_is_off_stands_in_brackets() -> None:
    hints = (KeyHint("enter", "open"), KeyHint("R", "roll back", reason="data is 17 s old"))
    line = footer_line(FooterVM(hints), 80)
    assert "(R roll back)" in text(line)
    assert next(ink.tone for ink in line if "(R" in ink.text) is Tone.MUTED


def test_the_footers_right_part_stays_beside_the_hints() -> None:
    line = text(footer_line(FooterVM(HINTS, part("3 moved o")), 80))
    assert line.endswith("3 moved o ")
    assert "moved" not in text(footer_line(FooterVM(HINTS, part("3 moved o")), 20))


PANES = PaneStripVM(
    (
        (Span("1", Tone.KEY), Span(" Rollouts", Tone.MUTED), Span(" 2▲", Tone.CRIT)),
        (Span("2", Tone.KEY), Span(" Alerts", Tone.MUTED), Span(" 5 ▲2", Tone.CRIT)),
        (Span("3", Tone.KEY), Span(" Costs", Tone.MUTED), Span(" ◆ $61/50", Tone.WARN)),
        (Span("4", Tone.KEY), Span(" Incidents", Tone.MUTED), Span(" P1 16m", Tone.CRIT)),
    )
)


def test_the_strip_drops_names_before_counts() -> None:
    assert (
        text(strip_line(PANES, 80)).strip() == "1 Rollouts 2▲ │ 2 Alerts 5 ▲2 │ 3 Costs ◆ $61/50 │ 4 Incidents P1 16m"
    )
    assert text(strip_line(PANES, 60)).strip() == "1 Rollouts 2▲ │ 2 5 ▲2 │ 3 ◆ $61/50 │ 4 P1 16m"
    assert "|" in text(strip_line(PANES, 80, ASCII_SIGNS))


def test_the_active_pane_is_strong_without_losing_its_severity() -> None:
    tones = {ink.text: ink.tone for ink in strip_line(PANES, 80)}
    assert tones[" Rollouts"] is Tone.STRONG
    assert tones[" 2▲"] is Tone.CRIT
    assert tones[" Alerts"] is Tone.MUTED


TIMELINE = BarVM(
    (part("03:08 ▲ CartDown firing"), part("02:58 ↻ shop/cart rev 17  v2.0.0→v2.0.1  ci"), part("02:41 nobody watched"))
)


def test_the_timeline_shows_the_newest_first_and_cuts_the_last() -> None:
    assert text(timeline_line(TIMELINE, 40)).strip() == "03:08 ▲ CartDown firing"
    assert text(timeline_line(TIMELINE, 60)).strip() == "03:08 ▲ CartDown firing   02:58 ↻ shop/cart rev 17  v2.0.…"
    assert text(timeline_line(TIMELINE, 120)).strip().endswith("02:41 nobody watched")


FRAME = PaneVM("1", (Span("Rollouts ─ 2 of 214 need you"),), (Span("as of 03:13:50"),))


def test_an_edge_holds_title_and_freshness() -> None:
    assert text(edge_line(FRAME, 60)) == "╭ 1 Rollouts ─ 2 of 214 need you ────────── as of 03:13:50 ╮"
    assert text(edge_line(FRAME, 40)) == "╭ 1 Rollouts ─ 2 of … ─ as of 03:13:50 ╮"
    assert text(edge_line(FRAME, 20)) == "╭ 1 Rollouts ─ 2… ─╮"
    assert text(edge_line(PaneVM("1", part("Pods")), 20, ASCII_SIGNS)) == "+ 1 Pods ----------+"


SPANS = st.lists(st.builds(Span, st.text("ab 日▲·", max_size=20), st.sampled_from(list(Tone))), max_size=4).map(tuple)
PARTS = st.lists(SPANS, max_size=5).map(tuple)


@pytest.mark.parametrize("width", [0, 1, 2, 3, *WIDTHS])
@given(left=PARTS, right=PARTS, active=st.integers(0, 5))
def test_no_bar_ever_overflows(width: int, left: tuple[Line, ...], right: tuple[Line, ...], active: int) -> None:
    hints = tuple(KeyHint("k", "".join(span.text for span in spans)) for spans in left)
    for line in (
        bar_line(BarVM(left, right), width),
        last_parts_line(BarVM(left), width),
        timeline_line(BarVM(left), width),
        strip_line(PaneStripVM(left, active), width),
        footer_line(FooterVM(hints, right[0] if right else ()), width),
        edge_line(PaneVM("1", left[0] if left else (), right[0] if right else ()), width),
    ):
        assert cell_len(text(line)) == width


@given(st.text("ab 日本 ", max_size=80), st.integers(1, 30))
def test_wrapped_lines_fit_and_lose_no_word(sentence: str, width: int) -> None:
    lines = wrap(sentence, max(2, width))
    assert all(cell_len(line) <= max(2, width) for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(sentence.split())


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (30, "left more      who  mode  time"),
        (24, "left more     mode  time"),
        (20, "left      mode  time"),
        (14, "left      time"),
        (6, "left  "),
    ],
)
def test_what_is_extra_goes_after_the_first_of_the_right_and_before_the_others(width: int, said: str) -> None:
    right = tuple((Span(word),) for word in ("who", "mode", "time"))
    vm = BarVM(((Span("left"),),), right, (Span(" more"),))
    assert "".join(ink.text for ink in bar_line(vm, width + 2)) == f" {said} "
