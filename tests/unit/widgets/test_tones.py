"""Tones: distinct where there is colour, and shape, weight or reverse where there is none."""

from __future__ import annotations

import itertools

import pytest
from textual.app import App, ComposeResult
from textual.filter import NoColor
from textual.theme import Theme

from widgets.ink import Ink, Layer
from widgets.tones import Toned
from widgets.viewmodels import Tone

DARK = Theme(
    name="cockpit",
    primary="#5FAFFF",
    warning="#FFD75F",
    error="#FF5F5F",
    foreground="#DADADA",
    background="#0B0F14",
    variables={
        "warning": "#FFD75F",
        "error": "#FF5F5F",
        "foreground-muted": "#9E9E9E",
        "block-cursor-blurred-background": "#1C2733",
    },
)


class ToneApp(App[None]):
    CSS = "Toned { background: $background; color: $foreground; }"

    def __init__(self) -> None:
        super().__init__()
        self.toned = Toned()

    def compose(self) -> ComposeResult:
        yield self.toned

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = "cockpit"


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.fixture
async def toned() -> Toned:
    app = ToneApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        yield app.toned


async def test_the_theme_colours_the_tones(toned: Toned) -> None:
    colours = {tone: toned.tone_style(tone).color.get_truecolor().hex for tone in Tone}
    assert colours[Tone.NOTICE] == "#5fafff"
    assert colours[Tone.WARN] == "#ffd75f"
    assert colours[Tone.CRIT] == "#ff5f5f"
    assert colours[Tone.PLAIN] == "#dadada"


@pytest.mark.parametrize("layer", [Layer.NONE, Layer.CURSOR, Layer.DIMMED, Layer.CURSOR | Layer.DIMMED, Layer.HEADER])
@pytest.mark.parametrize("tone", list(Tone))
async def test_everything_can_be_read(toned: Toned, tone: Tone, layer: Layer) -> None:
    style = toned.tone_style(tone, layer)
    light, dark = sorted(
        (luminance(style.color.get_truecolor()), luminance(style.bgcolor.get_truecolor())), reverse=True
    )
    assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert not style.dim


async def test_dimmed_rows_have_no_severity_colour(toned: Toned) -> None:
    styles = {toned.tone_style(tone, Layer.DIMMED).color for tone in (Tone.PLAIN, Tone.WARN, Tone.CRIT, Tone.NOTICE)}
    assert len(styles) == 1


async def test_a_mark_is_bold_and_the_cursor_a_ground(toned: Toned) -> None:
    plain = toned.tone_style(Tone.PLAIN)
    assert toned.tone_style(Tone.PLAIN, Layer.MARKED).bold
    assert toned.tone_style(Tone.PLAIN, Layer.CURSOR).bgcolor != plain.bgcolor


async def test_another_theme_is_another_colour() -> None:
    app = ToneApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        before = app.toned.tone_style(Tone.CRIT)
        app.theme = "textual-light"
        await pilot.pause()
        assert app.toned.tone_style(Tone.CRIT).color != before.color


async def test_without_colour_severity_is_weight_and_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ToneApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.no_color
        strip = app.toned.strip_of(tuple(Ink("x", tone) for tone in (Tone.PLAIN, Tone.NOTICE, Tone.WARN, Tone.CRIT)))
        bare = strip.apply_filter(NoColor(), app.toned.background_colors[1])
        looks = [(bool(s.style.bold), bool(s.style.underline), bool(s.style.reverse)) for s in bare]
        assert all(one != other for one, other in itertools.combinations(looks, 2)), looks


async def test_without_colour_the_cursors_line_still_shows_what_is_critical(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ToneApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        plain = app.toned.tone_style(Tone.PLAIN, Layer.CURSOR)
        crit = app.toned.tone_style(Tone.CRIT, Layer.CURSOR)
        assert plain.reverse
        assert crit.reverse, "the line is one line"
        assert crit.bold
        assert crit.underline


@pytest.mark.parametrize("place", ["widget", "screen", "app"])
async def test_ascii_signs_below_the_ascii_class(place: str) -> None:
    app = ToneApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        {"widget": app.toned, "screen": app.screen, "app": app}[place].add_class("-ascii")
        await pilot.pause()
        app.toned.notify_style_update()
        assert app.toned.signs.ellipsis == "~"
