"""The yardstick of the first paint: an app with nothing in it."""

from __future__ import annotations

from textual.app import App


class EmptyApp(App[None]):
    """Nothing."""


EmptyApp().run()
