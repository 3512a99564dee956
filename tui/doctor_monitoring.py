"""The doctor's look at the monitoring: each Prometheus and Alertmanager of the configuration, reached or why not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.clock import SystemClock
from services.config_schema import Config
from services.endpoint import Endpoint, called
from services.errors import Problem
from tui.doctor import Check, CheckState, check

if TYPE_CHECKING:
    from services.kubernetes.transport import Transport

ALERTMANAGER, PROMETHEUS = "alertmanager", "prometheus"


async def examine_servers(config: Config, context: str, cluster: Transport | None) -> Sequence[Check]:
    """Return the rows of every server that is asked while `context` is shown ("": of every server), all asked at once.

    `cluster` is the way to those that are named as a Service; None where the API server did not answer.
    """
    servers = ((kind, one) for kind, one in ((PROMETHEUS, config.prometheus), (ALERTMANAGER, config.alertmanager)))
    endpoints = [
        (kind, Endpoint(called(kind, name), settings, SystemClock(), lambda: cluster))
        for kind, named in servers
        for name, settings in named.items()
        if settings.belongs_to(context)
    ]
    found = await asyncio.gather(*(_server(kind, endpoint) for kind, endpoint in endpoints))
    return [row for rows in found for row in rows]


async def _server(kind: str, endpoint: Endpoint) -> list[Check]:
    try:
        started = time.monotonic()
        said = await (_prometheus(endpoint) if kind == PROMETHEUS else _alertmanager(endpoint))
        took = (time.monotonic() - started) * 1000
        row = check(kind, CheckState.OK, f"{endpoint.name}: {endpoint.url} answered in {took:.0f} ms{said}")
        return [row, *(await _rules(endpoint) if kind == PROMETHEUS else ())]
    except Problem as problem:
        return [check(kind, CheckState.FAIL, f"{endpoint.name}: {endpoint.url}{_words(endpoint, problem)}")]
    finally:
        await endpoint.close()


async def _prometheus(endpoint: Endpoint) -> str:
    """Return what is worth a word about it: whoever answers queries is a Prometheus, whatever else it does not tell."""
    from services.alerts.answers import decode_version
    from services.prometheus.client import PrometheusClient

    await PrometheusClient(endpoint).query("vector(1)", time.time())
    try:
        version = decode_version(await endpoint.get("/api/v1/status/buildinfo"))
    except Problem:
        version = ""
    return f", version {version}" if version else ""


async def _rules(endpoint: Endpoint) -> Sequence[Check]:
    from services.alerts.answers import decode_rules

    try:
        rules, unread = decode_rules(await endpoint.get("/api/v1/rules", [("type", "alert")]))
    except Problem as problem:
        lost = "the limits and reasons of its alerts are not shown without them"
        return [check(PROMETHEUS, CheckState.WARN, f"{endpoint.name}, its rules{_words(endpoint, problem)}", lost)]
    if unread:
        return [check(PROMETHEUS, CheckState.WARN, f"{endpoint.name}: {unread} of {len(rules) + unread} rules unread")]
    return ()


async def _alertmanager(endpoint: Endpoint) -> str:
    from services.alertmanager.decode import decode_alerts, decode_status

    alerts = decode_alerts(await endpoint.get("/api/v2/alerts"))
    status = decode_status(await endpoint.get("/api/v2/status"))
    count = len(alerts.items)
    held = f", {count} alert{'' if count == 1 else 's'}"
    members = f", {status.state}, {len(status.members)} members" if status.members else ""
    return f", version {status.version}{members}{held}"


def _words(endpoint: Endpoint, problem: Problem) -> str:
    """Return a sentence that goes on after the server's name, where it begins with that."""
    own = problem.sentence.removeprefix(f"{endpoint.name} ")
    return f" {own}" if own != problem.sentence else f": {own}"
