"""How tones look: each one is a component class that a theme's variables colour, resolved to a style once a theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import ClassVar, NamedTuple
from weakref import WeakKeyDictionary

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.css.model import RuleSet
from textual.css.styles import RenderStyles
from textual.css.stylesheet import Stylesheet
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


class Look(NamedTuple):
    """What a component class says: a ground to lay over, a colour, a weight."""

    background: Color | None
    color: Color | None
    text_style: Style


class _Looks(NamedTuple):
    """The looks of component classes under some rules, by class and by what the app is: dark, `nocolor`, `ansi`."""

    rules: list[RuleSet]
    looks: dict[tuple[str, frozenset[str]], Look]


_LOOKS: WeakKeyDictionary[Stylesheet, _Looks] = WeakKeyDictionary()


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

    OWN_LOOKS: ClassVar[frozenset[str]] = frozenset()
    """Component classes that look different on widgets of this kind, or from one moment to the next."""

    _tone_styles: Mapping[tuple[Tone, Layer], Style] = MappingProxyType({})
    _ground: tuple[Color, Color] | None = None
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
                self._component_styles[name] = self._styles_of(name)
        return super().get_component_styles(*names)

    def _styles_of(self, name: str) -> RenderStyles:
        virtual = DOMNode(classes=name)
        virtual._attach(self)
        self.app.stylesheet.apply(virtual, animate=False)
        return virtual.styles

    def _look(self, name: str) -> Look:
        """Return how a component class looks on this widget: as on every other, unless its kind has rules of its own.

        To apply the stylesheet costs a fifth of a millisecond, and a first frame has fifty tones on twenty widgets.
        """
        sheet = self.app.stylesheet
        known = _LOOKS.get(sheet)
        if known is None or known.rules is not sheet.rules:
            known = _LOOKS[sheet] = _Looks(sheet.rules, {})
        key = (name, self.app.pseudo_classes)
        look = None if name in self.OWN_LOOKS else known.looks.get(key)
        if look is None:
            styles = self._styles_of(name)
            look = Look(
                styles.background if styles.has_rule("background") else None,
                styles.color if styles.has_rule("color") else None,
                styles.text_style,
            )
            if name not in self.OWN_LOOKS:
                known.looks[key] = look
        return look

    def notify_style_update(self) -> None:
        """Forget the resolved styles: the theme or the classes changed."""
        painted = bool(self._tone_styles or self._component_styles)
        self._component_styles.clear()
        self._tone_styles = {}
        self._ground = None
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
        except KeyError:
            style = self._resolve(tone, layer)
        self._tone_styles = {**self._tone_styles, (tone, layer): style}
        return style

    @property
    def _plain(self) -> tuple[Color, Color]:
        """Background and foreground of this widget, before any tone."""
        if self._ground is None:
            self._ground = self.background_colors[1], self.colors[3]
        return self._ground

    def _resolve(self, tone: Tone, layer: Layer) -> Style:
        """Combine the component classes of a tone and its layers; translucent colours are blended here."""
        names = [f"tone--{tone.value}"]
        if Layer.HEADER in layer and tone is Tone.MUTED:
            names.append("layer--header")
        if Layer.EDGE in layer:
            names.append("layer--edge")
        if Layer.DIMMED in layer:
            names.append("layer--dimmed")
        background, foreground = self._plain
        text_style = Style.null()
        if Layer.CURSOR in layer:
            names.append("layer--cursor")
        for name in names:
            look = self._look(name)
            if look.background is not None:
                background += look.background
            if look.color is not None:
                foreground = look.color
            added = look.text_style
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
