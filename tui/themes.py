"""The five themes: dark cockpit, colour-blind, light, high contrast and no colour at all.

Healthy has no colour; there is no green and no red/green pair. Contrasts (WCAG) and colour-blind distances (CIEDE2000
under Machado 2009) are computed from these hexes by the tests. Severity hexes are of the xterm-256 cube, so that a
terminal of 256 colours shows the same ones.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.theme import Theme

PREFIX = "quarterdeck-"


class Palette(NamedTuple):
    """The colours of one theme. `cursor` lies behind the row under the cursor, `edge` draws borders."""

    background: str
    foreground: str
    muted: str
    notice: str
    warn: str
    crit: str
    surface: str
    panel: str
    cursor: str
    edge: str
    dark: bool = True


PALETTES = {
    "dark": Palette(
        background="#0B0F14",
        foreground="#DADADA",
        muted="#9E9E9E",
        notice="#5FAFFF",
        warn="#FFD75F",
        crit="#FF5F5F",
        surface="#10161D",
        panel="#151D26",
        cursor="#1C2733",
        edge="#3A4654",
    ),
    "cvd": Palette(
        background="#0B0F14",
        foreground="#DADADA",
        muted="#9E9E9E",
        notice="#5FAFFF",
        warn="#FFD700",
        crit="#FF5F87",
        surface="#10161D",
        panel="#151D26",
        cursor="#1C2733",
        edge="#3A4654",
    ),
    "light": Palette(
        background="#FFFFFF",
        foreground="#1C1C1C",
        muted="#585858",
        notice="#005FAF",
        warn="#AF5F00",
        crit="#AF005F",
        surface="#F7F7F7",
        panel="#EEEEEE",
        cursor="#E4E4E4",
        edge="#9E9E9E",
        dark=False,
    ),
    "contrast": Palette(
        background="#000000",
        foreground="#FFFFFF",
        muted="#D0D0D0",
        notice="#87D7FF",
        warn="#FFFF5F",
        crit="#FF8787",
        surface="#000000",
        panel="#121212",
        cursor="#303030",
        edge="#FFFFFF",
    ),
}

# Behind the cluster's badge in the header, by the context's `colour` setting; white is legible on each.
CONTEXT_COLOURS = {
    "blue": "#005FAF",
    "violet": "#5F5FAF",
    "teal": "#005F5F",
    "amber": "#875F00",
    "grey": "#585858",
}


def themes() -> tuple[Theme, ...]:
    """Return every theme, to be registered with the app."""
    return (*(_painted(name, palette) for name, palette in PALETTES.items()), _mono())


def theme_name(setting: str, no_colour: bool) -> str:
    """Return the registered name for the setting `[ui] theme`; without colour it is always the mono one.

    The app is then to be made with `ansi_color=is_native(name)`, so that NO_COLOR leaves no colour at all.
    """
    return PREFIX + ("mono" if no_colour else setting)


def is_native(name: str) -> bool:
    """Say whether a theme leaves all colours to the terminal."""
    return name == PREFIX + "mono"


def _painted(name: str, palette: Palette) -> Theme:
    return Theme(
        name=PREFIX + name,
        primary=palette.notice,
        secondary=palette.muted,
        warning=palette.warn,
        error=palette.crit,
        success=palette.foreground,
        accent=palette.notice,
        foreground=palette.foreground,
        background=palette.background,
        surface=palette.surface,
        panel=palette.panel,
        dark=palette.dark,
        variables={
            # Said again because the colour system rounds what it derives: #FFD75F would come out as #FED75F.
            "primary": palette.notice,
            "warning": palette.warn,
            "error": palette.crit,
            "foreground": palette.foreground,
            "background": palette.background,
            "surface": palette.surface,
            "panel": palette.panel,
            "foreground-muted": palette.muted,
            "text-muted": palette.muted,
            "text": palette.foreground,
            "border": palette.notice,
            "border-blurred": palette.edge,
            "block-cursor-foreground": palette.foreground,
            "block-cursor-background": palette.cursor,
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-foreground": palette.foreground,
            "block-cursor-blurred-background": palette.cursor,
            "block-hover-background": palette.panel,
            "footer-background": palette.background,
            "footer-foreground": palette.muted,
            "footer-key-foreground": palette.notice,
            "footer-description-foreground": palette.muted,
            "footer-item-background": palette.background,
            "input-cursor-background": palette.foreground,
            "input-cursor-foreground": palette.background,
            "input-selection-background": palette.edge,
            "scrollbar": palette.edge,
            "scrollbar-hover": palette.muted,
            "scrollbar-active": palette.notice,
            "scrollbar-background": palette.background,
            "scrollbar-background-hover": palette.background,
            "scrollbar-background-active": palette.background,
            "scrollbar-corner-color": palette.background,
            **{f"context-{word}": colour for word, colour in CONTEXT_COLOURS.items()},
            "context-text": "#FFFFFF",
        },
    )


def _mono() -> Theme:
    """Leave every colour to the terminal: shape, word, bold and reverse say all."""
    plain = "ansi_default"
    overrides = [
        *("block-cursor-background", "border", "border-blurred", "scrollbar", "scrollbar-hover", "scrollbar-active"),
        *("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active", "link-color"),
        *(
            "footer-key-foreground",
            "input-selection-background",
            "ansi-background",
            "ansi-foreground",
            "foreground-muted",
            "text-muted",
        ),
        *(f"context-{word}" for word in (*CONTEXT_COLOURS, "text")),
    ]
    return Theme(
        name=PREFIX + "mono",
        ansi=True,
        primary=plain,
        secondary=plain,
        warning=plain,
        error=plain,
        success=plain,
        accent=plain,
        foreground=plain,
        background=plain,
        surface=plain,
        panel=plain,
        boost=plain,
        variables=dict.fromkeys(overrides, plain)
        | {"block-cursor-text-style": "reverse", "input-cursor-text-style": "reverse"},
    )
