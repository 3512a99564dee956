"""Says of each channel to people outside whether it would work, without telling anybody anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.clock import SystemClock
from services.config_notify import NotifySettings
from services.config_schema import Config
from tui.doctor import Check, CheckState, check

REMEDY = "see [notify.{name}] in the configuration; quarterdeck config example has every setting"


async def examine_channels(config: Config) -> Sequence[Check]:
    """Return a row a channel: its credentials are fetched, its server is asked for, and mail is signed in to."""
    tried = (_channel(name, settings) for name, settings in config.notify.items())
    return await asyncio.gather(*tried)


async def _channel(name: str, settings: NotifySettings) -> Check:
    from services.notifications.outlet import Outlet

    outlet = Outlet(name, settings, SystemClock())
    well, words = await outlet.knock()
    kind = outlet.channel.label
    to = f" to {outlet.to}" if outlet.to != name else ""
    if well:
        return check("notify", CheckState.OK, f"{name}: {kind}{to}, {words}")
    return check("notify", CheckState.FAIL, f"{name}: {kind}{to} {words}", REMEDY.format(name=name))
