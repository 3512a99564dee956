"""How tones look: each one is a component class that a theme's variables colour, resolved to a style once a theme."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from rich.segment import Segment
from rich.style import Style
from textual.css.styles import RenderStyles
from textual.dom import DOMNode
from textual.filter import ANSIToTruecolor, LineFilter
from textual.strip import Strip
from textual.widget import Widget

from widgets.ink import ASCII_SIGNS, UNICODE_SIGNS, InkLine, Layer, Signs, line_cells
from widgets.viewmodels import Tone

ASCII_CLASS = "-ascii"
"""Put on the app, a screen or a widget: everything below draws ASCII."""

REVERSED_TWICE = Style(bold=True, underline=True)
"""What a reversed word is besides, on a line that is reversed as a whole."""


class Toned(Widget):
    """A widget that paints ink. Themes set `$primary` (notice), `$warning`, `$error` (crit) and `$foreground-muted`.

    Severity is a shape and a word already; where there is no colour, warn adds bold and crit reverse.
    """

    COMPONENT_CLASSES = {f"tone--{tone.value}" for tone in Tone} | {
        "layer--header",
        "layer--cursor",
        "layer--dimmed",
        "layer--edge",
    }

    DEFAULT_CSS = """
    Toned {
        & > .tone--plain { color: $foreground; }
        & > .tone--strong { color: $foreground; text-style: bold; }
        & > .tone--muted { color: $foreground-muted; }
        & > .tone--notice { color: $primary; }
        & > .tone--warn { color: $warning; text-style: bold; }
        & > .tone--crit { color: $error; text-style: bold; }
        & > .tone--prod { color: $foreground; text-style: bold reverse; }
        & > .tone--key { color: $primary; text-style: bold; }
        & > .tone--match { color: $primary; text-style: bold underline; }
        & > .layer--header { color: $foreground-muted; }
        & > .layer--cursor { background: $block-cursor-blurred-background; }
        & > .layer--dimmed { color: $foreground-muted; }
        & > .layer--edge { color: $border-blurred; }
    }
    Toned:nocolor, Toned:ansi {
        & > .tone--notice { text-style: underline; }
        & > .tone--crit { text-style: bold reverse; }
        & > .layer--cursor { text-style: reverse; }
    }
    """

    _tone_styles: dict[tuple[Tone, Layer], Style]
    _signs: Signs | None = None

    @classmethod
    @cache
    def _get_component_classes(cls) -> frozenset[str]:
        """Return none: Textual (8.2.8) would style every class of every widget at each mount, and few are painted."""
        return frozenset()

    def get_component_styles(self, *names: str) -> RenderStyles:
        """Return the styles of component classes, made when first asked for."""
        for name in names:
            if name not in self._component_styles:
                virtual = DOMNode(classes=name)
                virtual._attach(self)
                self.app.stylesheet.apply(virtual, animate=False)
                self._component_styles[name] = virtual.styles
        return super().get_component_styles(*names)

    def notify_style_update(self) -> None:
        """Forget the resolved styles: the theme or the classes changed."""
        painted = bool(self._component_styles)
        self._component_styles.clear()
        self._tone_styles = {}
        self._signs = None
        super().notify_style_update()
        if painted:
            self.refresh()

    @property
    def signs(self) -> Signs:
        """Return the signs to draw with: ASCII ones under the class `-ascii`."""
        if self._signs is None:
            plain = any(node.has_class(ASCII_CLASS) for node in self.ancestors_with_self)
            self._signs = ASCII_SIGNS if plain else UNICODE_SIGNS
        return self._signs

    def tone_style(self, tone: Tone, layer: Layer = Layer.NONE) -> Style:
        """Return the style of a tone under its layers, from this widget's component classes."""
        try:
            return self._tone_styles[tone, layer]
        except (AttributeError, KeyError):
            style = self._resolve(tone, layer)
        if not hasattr(self, "_tone_styles"):
            self._tone_styles = {}
        self._tone_styles[tone, layer] = style
        return style

    def _resolve(self, tone: Tone, layer: Layer) -> Style:
        """Combine the component classes of a tone and its layers; translucent colours are blended here."""
        names = [f"tone--{tone.value}"]
        if Layer.HEADER in layer and tone is Tone.MUTED:
            names.append("layer--header")
        if Layer.EDGE in layer:
            names.append("layer--edge")
        if Layer.DIMMED in layer:
            names.append("layer--dimmed")
        background, foreground = self.background_colors[1], self.colors[3]
        text_style = Style.null()
        if Layer.CURSOR in layer:
            names.append("layer--cursor")
        for name in names:
            component = self.get_component_styles(name)
            if component.has_rule("background"):
                background += component.background
            if component.has_rule("color"):
                foreground = component.color
            added = component.text_style
            # Reversed twice would not be seen, and upright words would tear the line: they stand out by their weight.
            text_style += added + REVERSED_TWICE if added.reverse and text_style.reverse else added
        if Layer.DIMMED in layer:
            # Colour and weight speak of fresh facts only; the words stay readable.
            text_style += Style(bold=False, underline=False)
        if Layer.MARKED in layer:
            text_style += Style(bold=True)
        return Style.from_color((background + foreground).rich_color, background.rich_color) + text_style

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of its lines, without that for the terminal's own colours: a tone has none of them."""
        return [one for one in super().get_line_filters() if not isinstance(one, ANSIToTruecolor)]

    def strip_of(self, line: InkLine) -> Strip:
        """Return a line of ink as a strip in this widget's styles."""
        segments = [Segment(ink.text, self.tone_style(ink.tone, ink.layer)) for ink in line]
        return Strip(segments, line_cells(line))
