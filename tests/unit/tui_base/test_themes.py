"""The palettes, measured: contrast for every eye, distance for colour-blind ones, and what 16 colours make of them."""

from __future__ import annotations

import math
import re
import sys
import textwrap
from itertools import combinations
from pathlib import Path

import pytest
from pty_program import PtyProgram
from rich.color import Color, ColorSystem
from textual.app import App, ComposeResult
from textual.color import Color as CssColor
from textual.widgets import Static

from services.config_schema import ContextColour, ThemeName
from tui.presenters.header import BADGES
from tui.themes import CONTEXT_COLOURS, PALETTES, Palette, is_native, theme_name, themes

Rgb = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
MACHADO = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(hexed: str) -> Rgb:
    parts = [int(hexed[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio."""
    lights = sorted(sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def lab(colour: Rgb) -> Rgb:
    matrix = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    xyz = [sum(m * c for m, c in zip(row, colour, strict=True)) for row in matrix]
    scaled = [value / white for value, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)]
    x, y, z = [value ** (1 / 3) if value > (6 / 29) ** 3 else value * 841 / 108 + 4 / 29 for value in scaled]
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen(hexed: str, eye: str) -> Rgb:
    colour = linear(hexed)
    values = [min(1.0, max(0.0, sum(m * c for m, c in zip(row, colour, strict=True)))) for row in MACHADO[eye]]
    return lab((values[0], values[1], values[2]))


def delta_e(one: Rgb, other: Rgb) -> float:
    """CIEDE2000 (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - math.sqrt(mean7 / (mean7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    dh = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    big_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = (h1 + h2) / 2 if abs(h1 - h2) <= 180 else ((h1 + h2 + 360) / 2) % 360
    hm = h1 + h2 if c1 * c2 == 0 else hm
    t = (
        1
        - 0.17 * math.cos(math.radians(hm - 30))
        + 0.24 * math.cos(math.radians(2 * hm))
        + 0.32 * math.cos(math.radians(3 * hm + 6))
        - 0.20 * math.cos(math.radians(4 * hm - 63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    turn = 30 * math.exp(-(((hm - 275) / 25) ** 2))
    rt = -2 * math.sqrt(cm**7 / (cm**7 + 25**7)) * math.sin(math.radians(2 * turn))
    dl, dc, dhh = (l2 - l1) / sl, (c2 - c1) / sc, big_h / sh
    return math.sqrt(dl**2 + dc**2 + dhh**2 + rt * dc * dhh)


def nearest(palette: Palette, eye: str) -> float:
    severities = (palette.notice, palette.warn, palette.crit)
    return min(delta_e(seen(one, eye), seen(other, eye)) for one, other in combinations(severities, 2))


def test_the_yardsticks_themselves() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    # Pairs 1 and 7 of the test data of Sharma et al.
    assert delta_e((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert delta_e((50, 0, 0), (50, -1, 2)) == pytest.approx(2.3669, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("dark", {"notice": 7, "warn": 7, "crit": 6.4, "foreground": 12, "muted": 7}),
        ("cvd", {"notice": 7, "warn": 7, "crit": 6.4, "foreground": 12, "muted": 7}),
        ("light", {"notice": 6.4, "warn": 4.5, "crit": 7, "foreground": 12, "muted": 7}),
        ("contrast", {"notice": 7, "warn": 7, "crit": 7, "foreground": 20, "muted": 12}),
    ],
)
def test_text_stands_out_from_its_ground(name: str, least: dict[str, float]) -> None:
    palette = PALETTES[name]
    for tone, bound in least.items():
        assert contrast(getattr(palette, tone), palette.background) >= bound, tone
        for ground in (palette.cursor, palette.surface, palette.panel):
            assert contrast(getattr(palette, tone), ground) >= 3.6, (tone, ground)


@pytest.mark.parametrize(
    ("name", "normal", "deutan", "protan", "tritan"),
    [("dark", 45, 17, 28, 27), ("cvd", 46, 25, 24, 26), ("light", 39, 23, 15.5, 9), ("contrast", 30, 15, 15, 15)],
)
def test_severities_stay_apart_for_every_eye(
    name: str, normal: float, deutan: float, protan: float, tritan: float
) -> None:
    for eye, bound in {"normal": normal, "deutan": deutan, "protan": protan, "tritan": tritan}.items():
        assert nearest(PALETTES[name], eye) >= bound, eye


@pytest.mark.parametrize("name", list(PALETTES))
def test_severities_stay_apart_in_sixteen_colours(name: str) -> None:
    palette = PALETTES[name]
    indices = {Color.parse(hexed).downgrade(ColorSystem.STANDARD).number for hexed in palette[3:6]}
    assert len(indices) == 3


@pytest.mark.parametrize("name", list(PALETTES))
def test_severities_are_cube_entries_of_256_colours(name: str) -> None:
    for hexed in PALETTES[name][3:6]:
        assert all(int(hexed[at : at + 2], 16) in {0, 95, 135, 175, 215, 255} for at in (1, 3, 5))


def test_context_badges_carry_white_text() -> None:
    assert {"none", *CONTEXT_COLOURS} == set(BADGES) | {"none"} == set(ContextColour.__args__)  # type: ignore[attr-defined]
    for colour in CONTEXT_COLOURS.values():
        assert contrast("#FFFFFF", colour) >= 4.5


def test_every_name_of_the_setting_is_a_theme() -> None:
    names = {theme.name for theme in themes()}
    assert {theme_name(setting, False) for setting in ThemeName.__args__} == names  # type: ignore[attr-defined]
    assert theme_name("light", True) == theme_name("mono", False)
    assert is_native(theme_name("light", True))


class _Themed(App[None]):
    def __init__(self, name: str) -> None:
        super().__init__(ansi_color=is_native(name) or None)
        for theme in themes():
            self.register_theme(theme)
        self.theme = name

    def compose(self) -> ComposeResult:
        yield Static("text")


@pytest.mark.parametrize("theme", themes(), ids=lambda theme: theme.name)
async def test_an_app_takes_each_theme(theme: object) -> None:
    name = theme.name  # type: ignore[attr-defined]
    app = _Themed(name)
    async with app.run_test():
        colours = app.get_css_variables()
        palette = PALETTES.get(name.removeprefix("quarterdeck-"))
        if palette is None:
            assert app.native_ansi_color
            assert colours["error"] == colours["primary"] == "ansi_default"
        else:
            for variable, tone in {
                "primary": "notice",
                "warning": "warn",
                "error": "crit",
                "foreground-muted": "muted",
            }.items():
                assert CssColor.parse(colours[variable]) == CssColor.parse(getattr(palette, tone))
        assert all(f"context-{word}" in colours for word in CONTEXT_COLOURS)


COLOURLESS = """
    import os, sys
    os.environ["NO_COLOR"] = "1"
    os.environ["TEXTUAL_COLOR_SYSTEM"] = sys.argv[1]
    from textual.app import App
    from textual.widgets import Static
    from tui.themes import is_native, theme_name, themes

    class Colourless(App):
        CSS = ".crit { color: $error; text-style: bold; } .framed { border: round $border; background: $surface; }"
        def __init__(self):
            name = theme_name("dark", True)
            super().__init__(ansi_color=is_native(name) or None)
            for theme in themes():
                self.register_theme(theme)
            self.theme = name
        def compose(self):
            yield Static("wrong", classes="crit")
            yield Static("ready to go", classes="framed")
        def on_key(self):
            self.exit()
    Colourless().run()
"""


@pytest.mark.parametrize("colours", ["truecolor", "standard"])
def test_no_color_leaves_every_colour_to_the_terminal(colours: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(COLOURLESS))
    with PtyProgram([sys.executable, str(program), colours]) as child:
        child.read_until(b"ready to go")
        child.write(b"q")
        assert child.finish() == 0
    pens = {code for pen in re.findall(rb"\x1b\[([0-9;]*)m", child.output) for code in pen.split(b";")}
    assert pens <= {b"", b"0", b"1", b"39", b"49"}, "default colours, bold or nothing"
