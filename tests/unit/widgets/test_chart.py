"""Charts to the glyph, and that no number and no size breaks one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.chart_layout import ChartVM, Limit, Mark, Pen, States, chart_rows, joined_marks
from widgets.chart_scale import scale_of
from widgets.ink import ASCII_SIGNS, UNICODE_SIGNS, InkLine
from widgets.measures import change, measured
from widgets.sparkline import ASCII_BARS, sparkline
from widgets.viewmodels import Span, Tone

NAN = math.nan
RAMP = tuple(float(value) for value in range(9))


def drawn(vm: ChartVM, width: int, height: int) -> list[str]:
    return [text(line) for line in chart_rows(vm, width, height)]


def text(line: InkLine) -> str:
    return "".join(ink.text for ink in line)


def vm(*values: float, **settings: object) -> ChartVM:
    return ChartVM((Span("errors"),), values=values, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chart", "size", "rows"),
    [
        (vm(*RAMP), (12, 5), ["errors      ", "10         ⣀", "        ⣀⠤⠒⠁", "      ⣀⠖⠁   ", " 0 ⣀⠖⠉      "]),
        (
            vm(*RAMP, pen=Pen.BLOCKS),
            (12, 5),
            ["errors      ", "10         ▂", "         ▃▆█", "      ▂▅████", " 0 ▁▃▆██████"],
        ),
        (
            vm(*RAMP, pen=Pen.ASCII),
            (12, 5),
            ["errors      ", "10         .", "         -*#", "      .+####", " 0 _-*######"],
        ),
        (vm(0, 1, 2, 3, 3, 2, 1, 0), (10, 4), ["errors    ", "5         ", "    ⣀⠏⠉⣆  ", "0 ⣀⠖⠁   ⠓⣄"]),
        (
            vm(1, 1, NAN, NAN, 2, 2, 4, 4, limits=(Limit(3.0, "", Tone.WARN),)),
            (11, 5),
            ["errors     ", "5        ⣀⣀", "3 ╌╌╌╌╌╌╌⡇╌", "      ⠐⠒⠒⠁ ", "0 ⠉⠉⠁      "],
        ),
        (vm(*RAMP), (9, 2), ["errors   ", "▁▂▃▄▅▅▆▇█"]),
        (vm(*RAMP), (9, 1), ["errors   "]),
        (vm(*RAMP), (9, 4), ["errors   ", "       ⣀⠤", "    ⣀⠖⠉  ", "⣀⠤⠒⠉     "]),
    ],
)
def test_a_chart_to_the_glyph(chart: ChartVM, size: tuple[int, int], rows: list[str]) -> None:
    assert drawn(chart, *size) == rows


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 7), "▁▂▃▄▅▆▇█"),
        ((7.0,) * 8, "████████"),
        ((0.0,) * 8, "▁▁▁▁▁▁▁▁"),
        ((NAN, 1.0, NAN, NAN, 1.0, 0.0, 0.5, NAN), " █  █▁▅ "),
        ((1.0, NAN, math.inf, 0.0), "██    ▁▁"),
        ((-1.0, 1.0), "▁▁▁▁████"),
        ((1.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), "█▂▂▂▂▂▂▂"),
    ],
)
def test_a_sparkline_to_the_glyph(values: tuple[float, ...], bars: str) -> None:
    assert sparkline(values, 8) == bars


def test_a_sparkline_in_ascii_and_on_a_fixed_scale() -> None:
    assert sparkline(RAMP[:8], 8, ASCII_BARS) == ASCII_BARS
    assert sparkline((1.0, 1.0), 2, high=7.0) == "▂▂"
    assert sparkline((), 8) == sparkline((1.0,), 0) == ""


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.124, "ratio", "12.4 %"),
        (1.0, "ratio", "100 %"),
        (0.25, "seconds", "250 ms"),
        (3.21, "seconds", "3.21 s"),
        (150.0, "seconds", "2.5m"),
        (7200.0, "seconds", "2h"),
        (0.0, "seconds", "0 s"),
        (1.5 * 2**30, "bytes", "1.5Gi"),
        (512.0, "bytes", "512"),
        (0.25, "cores", "250m"),
        (4.0, "cores", "4"),
        (1234.0, "per_second", "1.23k/s"),
        (0.0, "", "0"),
        (12345678.0, "", "12.3M"),
        (-0.5, "ratio", "-50 %"),
        (0.99996, "seconds", "1 s"),
        (0.0009997, "seconds", "1 ms"),
        (0.9994, "seconds", "999 ms"),
        (1023.9 * 2**20, "bytes", "1Gi"),
        (0.9998, "cores", "1"),
        (999.8, "per_second", "1k/s"),
        (59.99 * 60, "seconds", "1h"),
        (1e30, "", "1.00e18T"),
        (NAN, "bytes", "?"),
        (math.inf, "seconds", "inf"),
    ],
)
def test_numbers_are_written_short(value: float, unit: str, words: str) -> None:
    assert measured(value, unit) == words


def test_a_change_has_its_sign_and_none_is_silent() -> None:
    assert [change(one, "ratio") for one in (0.031, -0.031, 0.0, NAN)] == ["+3.1 %", "-3.1 %", "", ""]


@pytest.mark.parametrize(
    ("values", "limits", "unit", "ticks"),
    [
        ((0.0, 9.0), (), "", (0.0, 5.0, 10.0)),
        ((3.0, 3.0), (), "", (0.0, 2.0, 4.0)),
        ((0.0, 0.0), (), "", (0.0, 0.5, 1.0)),
        ((0.90, 0.91), (), "ratio", (0.9, 0.905, 0.91)),
        ((0.9999, 1.0), (), "seconds", (0.0, 0.5, 1.0)),
        ((-1.0, -0.9999), (), "", (-1.0, -0.5, 0.0)),
        ((0.0, 0.2), (0.5,), "ratio", (0.0, 0.25, 0.5)),
        ((0.0, 0.1), (0.9,), "ratio", (0.0, 0.05, 0.1)),
        ((0.0, 300 * 2**20), (), "bytes", (0.0, 256.0 * 2**20, 512.0 * 2**20)),
        ((0.0, 500.0), (), "seconds", (0.0, 300.0, 600.0)),
        ((-4.0, 4.0), (), "", (-5.0, 0.0, 5.0)),
    ],
)
def test_the_scale_is_round_and_holds_values_and_near_limits(
    values: tuple[float, ...], limits: tuple[float, ...], unit: str, ticks: tuple[float, ...]
) -> None:
    assert scale_of(values, limits, unit, 3).ticks == pytest.approx(ticks)


def test_a_limit_runs_through_its_row_and_alarms_above_it() -> None:
    chart = vm(1, 1, 1, 9, 9, 9, limits=(Limit(5.0, "limit", Tone.WARN, alarms=True),), pen=Pen.BLOCKS)
    rows = chart_rows(chart, 20, 6)
    shown = {text(row)[:2].strip(): row for row in rows}
    assert text(shown["5"]).startswith(" 5 limit ──")
    assert shown["5"][-1].tone is Tone.WARN
    assert shown["10"][-1].tone is Tone.WARN, "what is above the limit has its tone"
    assert shown["0"][-1].tone is chart.tone


def test_a_gap_is_blank_and_zero_is_not() -> None:
    for pen in Pen:
        low = text(chart_rows(vm(0, 0, NAN, NAN, NAN, NAN, 0, 0, pen=pen), 12, 4)[-1])
        assert low[2:].strip()
        assert "   " in low[2:]


def test_marks_stand_below_their_moment() -> None:
    chart = vm(*[1.0] * 30, step=30.0, marks=(Mark(450.0, "↻", "rev 17"),), ends=("03:00", "03:15"))
    rows = drawn(chart, 40, 6)
    column = rows[-1].index("↻")
    assert "rev 17" in rows[-1]
    assert rows[-1].rstrip().endswith("03:15")
    assert rows[-1].lstrip().startswith("03:00")
    assert 18 <= column <= 24
    assert any(row[column] == "┊" for row in rows[1:-1])
    assert "rev" not in drawn(chart, 20, 6)[-1], "without room the sign stands alone"
    assert "↻" in drawn(chart, 20, 6)[-1]


def test_marks_close_together_are_one() -> None:
    marks = [Mark(at, "↻", "x") for at in (100.0, 10.0, 12.0)]
    assert [(one.at, one.label) for one in joined_marks(marks, 5.0)] == [(10.0, "2 changes"), (100.0, "x")]


def test_a_long_message_takes_the_rows_there_are() -> None:
    said = "Prometheus main did not answer within 10 s."
    assert [line.strip() for line in drawn(vm(message=said), 24, 4)[1:]] == [
        "· Prometheus main did",
        "not answer within 10 s.",
        "",
    ]
    assert drawn(vm(message=said), 24, 2)[1].strip().endswith("…")


def test_a_message_stands_in_for_what_cannot_be_drawn() -> None:
    assert drawn(vm(message="Prometheus does not answer."), 40, 4)[1].strip() == "· Prometheus does not answer."
    assert "no data" in drawn(vm(), 40, 4)[1]


def test_each_row_of_the_plot_is_one_run() -> None:
    chart = vm(*[math.sin(at / 5) for at in range(200)], marks=(Mark(60.0, "↻"), Mark(80.0, "↻")))
    assert all(len(row) <= 2 for row in chart_rows(chart, 100, 20)[1:-1])


def test_ascii_signs_draw_nothing_else() -> None:
    chart = vm(*RAMP, limits=(Limit(4.0, "l"),), ends=("a", "b"))
    assert all(text(row).isascii() for row in chart_rows(chart, 40, 8, ASCII_SIGNS))


ANY = st.floats(allow_nan=True, allow_infinity=True)
SERIES = st.lists(ANY, max_size=300).map(tuple)


@given(
    SERIES,
    st.lists(st.tuples(ANY, st.text("abc", max_size=5), st.booleans()), max_size=3),
    st.lists(ANY, max_size=5),
    st.tuples(st.integers(-1, 130), st.integers(-1, 30)),
    st.sampled_from(Pen),
    st.sampled_from(["", "ratio", "seconds", "bytes", "cores", "per_second"]),
    st.sampled_from([UNICODE_SIGNS, ASCII_SIGNS]),
)
def test_any_chart_fills_its_room_exactly(values, limits, marks, size, pen, unit, signs) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    chart = ChartVM(
        (Span("head"), Span("  and more")),
        briefs=((Span("brief"),),),
        unit=unit,
        start=0.0,
        step=30.0,
        values=values,
        limits=tuple(Limit(value, label, Tone.WARN, alarm) for value, label, alarm in limits),
        marks=tuple(Mark(at, "↻" if signs is UNICODE_SIGNS else "%", "rev") for at in marks),
        ends=("left", "right"),
        pen=pen,
    )
    width, height = size
    rows = chart_rows(chart, width, height, signs)
    assert len(rows) == max(0, height)
    assert {cell_len(text(row)) for row in rows} <= {max(0, width)}


@given(SERIES, st.integers(-1, 60))
def test_any_sparkline_is_as_wide_as_asked(values: tuple[float, ...], width: int) -> None:
    assert len(sparkline(values, width)) == (max(0, width) if values else 0)


@given(ANY, st.sampled_from(["", "ratio", "seconds", "bytes", "cores", "per_second", "unheard-of"]))
def test_any_number_is_written_in_a_few_cells(value: float, unit: str) -> None:
    assert 0 < len(measured(value, unit)) <= 14


@given(SERIES, st.lists(ANY, max_size=3), st.sampled_from(["", "bytes", "seconds"]), st.integers(1, 6))
def test_any_scale_rises_and_has_few_ticks(values, limits, unit, most) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    scale = scale_of(values, limits, unit, most)
    assert scale.low < scale.high
    assert 2 <= len(scale.ticks) <= max(3, most)
    assert list(scale.ticks) == sorted(scale.ticks)
    for value in values:
        assert math.isnan(value) or 0.0 <= scale.share(value) <= 1.0


def test_the_line_stands_in_front_of_its_limits_and_marks_in_their_own_tone() -> None:
    limits = (Limit(5.0, "request"), Limit(9.0, "limit", Tone.WARN, alarms=True))
    mark = Mark(30.0, "*", "rev 2", Tone.KEY)
    values = (5.0,) * 50 + (10.0,) * 50
    rows = chart_rows(ChartVM((Span("x"),), values=values, limits=limits, marks=(mark,), ends=("a", "b")), 60, 12)
    tones = [{ink.tone for ink in row} for row in rows[1:-1]]
    assert Tone.KEY in set().union(*tones), "a moment has its own tone"
    held = next(row for row in rows[1:-1] if any(ink.tone is Tone.NOTICE for ink in row))
    assert any(ink.tone is Tone.NOTICE and any(cell > "\u2800" for cell in ink.text) for ink in held)
    assert all(Tone.NOTICE not in found for found in tones[:1]), "what is above a limit that alarms is a warning"


@pytest.mark.parametrize("pen", [Pen.DOTS, Pen.BLOCKS])
def test_when_it_was_the_case_lies_under_the_same_moments(pen: Pen) -> None:
    states = States("firing", 100.0, 10.0, (0.0, 0.5, 1.0, 0.0))
    vm = ChartVM((Span("x"),), start=100.0, step=1.0, values=(1.0,) * 40, states=states, ends=("a", "b"), pen=pen)
    row = "".join(ink.text for ink in chart_rows(vm, 47, 8)[-1])
    assert row == " firing "[1:] + " " * 10 + "▄" * 10 + "█" * 10 + " " * 10


@pytest.mark.parametrize(("width", "said"), [(40, "long head"), (6, "brief"), (3, "br…")])
def test_a_head_without_room_is_a_brief_one(width: int, said: str) -> None:
    vm = ChartVM((Span("long head"),), briefs=((Span("brief"),),), values=(1.0, 2.0))
    assert "".join(ink.text for ink in chart_rows(vm, width, 1)[0]).strip() == said
