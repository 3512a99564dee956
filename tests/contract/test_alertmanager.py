"""Real Alertmanagers: what they hold is shown; that one dies or forgets is never taken for an end."""

from __future__ import annotations

import asyncio
import json
import time

from services.alertmanager.decode import decode_alerts
from services.alertmanager.fingerprint import fingerprint
from services.model.source import SourceState
from tests.contract.alerting import posted, shown, stamp
from tests.monitoring.servers import QUIET, Alertmanager, Monitoring

INHIBITING = {
    **QUIET,
    "inhibit_rules": [
        {"source_matchers": ["severity=critical"], "target_matchers": ["severity=warning"], "equal": ["service"]}
    ],
}


def pair(monitoring: Monitoring) -> tuple[Alertmanager, Alertmanager]:
    """Start two that gossip."""
    first = monitoring.alertmanager(clustered=True)
    return first, monitoring.alertmanager(peers=[first])


def held(peer: Alertmanager) -> list[str]:
    return [one["labels"]["alertname"] for one in peer.get("/api/v2/alerts")]


def test_fingerprints_are_the_servers_own(monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    peer.post([posted("A"), posted("B", namespace="shop", pod="cart-0"), posted("C", text="späte Ströme ✓ \x7f")])
    alerts = decode_alerts(peer.client.get("/api/v2/alerts").content).items
    theirs = {one["fingerprint"] for one in peer.get("/api/v2/alerts")}
    assert {fingerprint(alert.labels) for alert in alerts} == theirs
    assert len(theirs) == 3


async def test_firing_silenced_and_inhibited_are_shown_as_such_with_the_silence_and_its_count(
    monitoring: Monitoring,
) -> None:
    peer = monitoring.alertmanager(INHIBITING)
    peer.post([
        posted("Cause", severity="critical", service="pay"),
        posted("Effect", severity="warning", service="pay"),
        posted("Hushed", severity="critical", service="mail"),
        posted("HushedToo", severity="warning", service="chat"),
    ])  # fmt: skip
    identity = peer.silence({"service": "mail"}, stamp(0), stamp(3600), "ACK! ops: known")
    async with shown({"one": peer.url}, young=0.0) as seen:
        wanted = {"Cause": "firing", "Effect": "inhibited", "Hushed": "silenced", "HushedToo": "firing"}
        await seen.until(lambda: seen.states() == wanted, "all four states")
        alerts = seen.alerts()
        assert alerts["Hushed"].silenced_by == (identity,)
        assert alerts["Effect"].inhibited_by == (alerts["Cause"].fingerprint,)
        assert alerts["Cause"].receivers == ("nobody",)
        silence = seen.silences()[identity]
        assert (silence.matching, silence.state, silence.source) == (1, "active", "one")
        assert (silence.comment, silence.created_by) == ("ACK! ops: known", "tests")
        await asyncio.to_thread(peer.client.delete, f"/api/v2/silence/{identity}")
        await seen.until(lambda: seen.states()["Hushed"] == "firing", "the end of the silence")
        await seen.until(lambda: seen.silences()[identity].state == "expired", "the silence as expired")
        assert seen.silences()[identity].matching == 0
        row = seen.peers()["one"]
        assert (row.state, row.alerts, row.version[:2], row.mutes) == ("disabled", 4, "0.", "")


async def test_an_alert_that_one_peer_alone_holds_is_shown_and_silences_are_one_row(monitoring: Monitoring) -> None:
    first, second = pair(monitoring)
    await asyncio.to_thread(first.post, [posted("OnlyFirst"), posted("Both")])
    await asyncio.to_thread(second.post, [posted("OnlySecond"), posted("Both")])
    identity = await asyncio.to_thread(first.silence, {"alertname": "Both"}, stamp(0), stamp(3600))
    async with shown({"one": first.url, "two": second.url}) as seen:
        names = {"OnlyFirst", "OnlySecond", "Both"}
        await seen.until(lambda: set(seen.states()) == names, "the alerts of both")
        await seen.until(lambda: seen.states()["Both"] == "silenced", "the silence on both peers")
        assert seen.alerts()["Both"].peers == ("one", "two")
        assert {one: (each.source, each.matching) for one, each in seen.silences().items()} == {identity: ("one", 1)}
        await seen.until(lambda: seen.peers()["two"].cluster_size == 2, "a cluster of two")


async def test_one_of_two_dies_and_nothing_ends_until_it_ends(monitoring: Monitoring) -> None:
    first, second = pair(monitoring)
    for peer in (first, second):
        await asyncio.to_thread(peer.post, [posted("Both")])
    await asyncio.to_thread(first.post, [posted("OnlyFirst")])
    async with shown({"one": first.url, "two": second.url}) as seen:
        await seen.until(lambda: seen.peers().get("two") and seen.peers()["two"].state == "ready", "a settled cluster")
        await seen.until(lambda: len(seen.states()) == 2, "both alerts")
        await asyncio.to_thread(first.kill)
        await seen.until(lambda: seen.status("alertmanager/one") is SourceState.FAILED, "the death of one")
        assert "refused the connection" in seen.error("alertmanager/one") or "broke" in seen.error("alertmanager/one")
        await seen.polls("alertmanager/two", 4)
        assert seen.states() == {"Both": "firing", "OnlyFirst": "firing"}
        assert seen.status("alertmanager/two") is SourceState.LIVE
        await asyncio.to_thread(second.post, [{**posted("Both"), "endsAt": stamp(-1)}])
        # It runs for less than two minutes: what it does not show may be on its way still.
        await seen.polls("alertmanager/two", 4)
        assert seen.states() == {"Both": "firing", "OnlyFirst": "firing"}
        assert not [event for event in seen.events() if event.payload["what"] == "ended"]


async def test_one_that_restarts_empty_resolves_nothing_and_says_so(monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    peer.post([posted("Held")])
    async with shown({"one": peer.url}) as seen:
        await seen.until(lambda: seen.states() == {"Held": "firing"}, "the alert")
        started = seen.peers()["one"].started_at
        await asyncio.to_thread(peer.restart, empty=True)
        assert await asyncio.to_thread(held, peer) == []
        await seen.until(lambda: seen.peers()["one"].started_at > started, "the restart")
        await seen.polls("alertmanager/one", 5)
        assert seen.states() == {"Held": "firing"}
        assert "alerts may be missing" in seen.peers()["one"].mutes
        await asyncio.to_thread(peer.post, [posted("Held")])
        await seen.until(lambda: seen.peers()["one"].alerts == 1, "the alert sent again")
        assert [event.payload["what"] for event in seen.events()] == ["began"]


async def test_one_that_hangs_is_said_to_and_the_other_goes_on(monitoring: Monitoring) -> None:
    stuck, well = monitoring.alertmanager(), monitoring.alertmanager()
    stuck.post([posted("Stuck")])
    well.post([posted("Well")])
    async with shown({"stuck": stuck.url, "well": well.url}) as seen:
        await seen.until(lambda: len(seen.states()) == 2, "both alerts")
        stuck.stall()
        await seen.until(lambda: seen.status("alertmanager/stuck") is SourceState.FAILED, "the hung server")
        await asyncio.to_thread(well.post, [posted("New")])
        await seen.until(lambda: "New" in seen.states(), "news of the other")
        assert seen.states()["Stuck"] == "firing"
        stuck.resume()
        await seen.until(lambda: seen.status("alertmanager/stuck") is SourceState.LIVE, "its return", within=60.0)


async def test_five_thousand_at_once_are_shown(monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    async with shown({"one": peer.url}) as seen:
        await seen.until(lambda: "one" in seen.peers(), "the server")
        storm = [
            posted(
                f"Alert{n % 40}", namespace=f"ns-{n % 50}", pod=f"app-{n % 400}-7d9f8c6b5-{n:05d}", severity="warning"
            )
            for n in range(5000)
        ]
        await asyncio.to_thread(peer.post, storm)
        began = time.monotonic()
        await seen.until(lambda: len(seen.live.snapshot().tables["alerts"]) == 5000, "all of them")
        print(f"\n5,000 on screen {time.monotonic() - began:.2f} s after they were sent")  # noqa: T201 - to be read
        groups = seen.live.snapshot().tables["alert-groups"]
        assert sorted(key for group in groups.values() for key in group.members) == sorted(
            seen.live.snapshot().tables["alerts"]
        )


async def test_hostile_labels_come_through_raw_and_break_nothing(monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    nasty = "\x1b]0;gone\x07\u202e[red]x[/]" + "y" * 3000
    await asyncio.to_thread(peer.post, [posted("Nasty", text=nasty), posted("\x1b[2J", namespace=nasty)])
    async with shown({"one": peer.url}) as seen:
        await seen.until(lambda: len(seen.states()) == 2, "both")
        assert seen.alerts()["Nasty"].label("text") == nasty
        await seen.until(lambda: len(seen.events()) == 2, "their events")
        for event in seen.events():
            assert "\x1b" not in event.text
            assert json.dumps(event.payload)
