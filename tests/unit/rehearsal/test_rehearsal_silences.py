"""A silence that is set, made longer, changed and ended, as Alertmanager's API has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.rehearsal.clock import ManualClock, stamp

if TYPE_CHECKING:
    from services.rehearsal.server import Rehearsal

Json = dict[str, Any]
MATCHER: Json = {"name": "alertname", "value": "Watchdog", "isRegex": False, "isEqual": True}


async def test_extend_change_expire(calm: Rehearsal, clock: ManualClock) -> None:
    async with httpx.AsyncClient(base_url=calm.address.alertmanagers[0], timeout=20) as client:
        begun = clock.now()

        async def put(**changed: Any) -> httpx.Response:
            told = {
                "matchers": [MATCHER],
                "startsAt": stamp(begun),
                "endsAt": stamp(begun + 600),
                "createdBy": "a",
                "comment": "b",
                **changed,
            }
            return await client.post("/api/v2/silences", json=told)

        async def look(identity: str) -> Json:
            found: Json = (await client.get(f"/api/v2/silence/{identity}")).json()
            return found

        identity = (await put()).json()["silenceID"]
        clock.advance(300)
        longer = await put(id=identity, endsAt=stamp(begun + 3600))
        assert longer.json()["silenceID"] == identity
        assert (await look(identity))["endsAt"].startswith(stamp(begun + 3600)[:-1])
        clock.advance(900)
        assert (await look(identity))["status"]["state"] == "active"
        other = await put(id=identity, matchers=[{**MATCHER, "value": "Else"}], endsAt=stamp(begun + 3600))
        assert other.json()["silenceID"] != identity
        assert (await look(identity))["status"]["state"] == "expired"
        moved = await put(
            id=other.json()["silenceID"],
            matchers=[{**MATCHER, "value": "Else"}],
            startsAt=stamp(clock.now() + 60),
            endsAt=stamp(begun + 7200),
        )
        assert moved.json()["silenceID"] != other.json()["silenceID"]
        last = moved.json()["silenceID"]
        assert (await client.delete(f"/api/v2/silence/{last}")).status_code == 200
        assert (await look(last))["status"]["state"] == "expired"
        again = await put(id=last, matchers=[{**MATCHER, "value": "Else"}], endsAt=stamp(begun + 7200))
        assert again.json()["silenceID"] != last


@pytest.mark.parametrize(("path", "code"), [("none", 422), ("00000000-0000-4000-8000-000000000000", 404)])
async def test_what_is_not_there_cannot_be_ended(calm: Rehearsal, path: str, code: int) -> None:
    async with httpx.AsyncClient(base_url=calm.address.alertmanagers[0], timeout=20) as client:
        assert (await client.delete(f"/api/v2/silence/{path}")).status_code == code
