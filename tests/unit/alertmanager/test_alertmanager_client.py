"""The status of an Alertmanager is asked for seldom, and always when a restart may be behind what is missing."""

from __future__ import annotations

import pytest

from services.alertmanager.client import STATUS_EVERY, AlertmanagerClient
from services.errors import Problem
from tests.unit.alerts.scripted import ScriptedAlertmanager

STATUS = "/api/v2/status"
DOWN, SLOW = ({"alertname": "Down"}, 1.0), ({"alertname": "Slow"}, 1.0)


async def asks(client: AlertmanagerClient, server: ScriptedAlertmanager) -> bool:
    """Poll once; return whether the status was asked for. It is known either way."""
    server.asked.clear()
    answer = await client.poll()
    assert answer.status is not None
    return STATUS in server.asked


async def test_a_server_that_holds_what_it_held_is_asked_for_its_status_now_and_then() -> None:
    server = ScriptedAlertmanager(100.0)
    server.show(DOWN)
    client = AlertmanagerClient(server)
    assert [await asks(client, server) for _ in range(2 * STATUS_EVERY)] == ([True] + [False] * (STATUS_EVERY - 1)) * 2
    server.show(DOWN, SLOW)
    assert [await asks(client, server) for _ in range(STATUS_EVERY)] == [True] + [False] * (STATUS_EVERY - 1)


async def test_less_than_before_nothing_settling_and_failure_are_reasons_to_ask() -> None:
    server = ScriptedAlertmanager(100.0)
    server.show(DOWN, SLOW)
    client = AlertmanagerClient(server)
    assert [await asks(client, server), await asks(client, server)] == [True, False]
    server.show(DOWN)
    assert await asks(client, server)
    server.show()
    assert await asks(client, server)
    assert await asks(client, server)
    server.show(DOWN)
    server.answers[STATUS]["cluster"]["status"] = "settling"
    assert [await asks(client, server) for _ in range(STATUS_EVERY)] == [False] * (STATUS_EVERY - 1) + [True]
    assert [await asks(client, server), await asks(client, server)] == [True, True]
    server.answers[STATUS]["cluster"]["status"] = "ready"
    server.show(SLOW)
    assert [await asks(client, server), await asks(client, server)] == [True, False]
    server.down = "gone"
    with pytest.raises(Problem):
        await client.poll()
    server.down = ""
    assert await asks(client, server)
