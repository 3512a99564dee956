"""The same trials on real servers and on the rehearsal's: what either says is shown, and its faults end no alert."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from msgspec import structs

from services.clock import ManualClock, SystemClock
from services.config_endpoints import EndpointSettings, MetricSettings
from services.config_secret import SecretRef
from services.endpoint import Endpoint
from services.errors import Problem
from services.model.alert import Onset
from services.model.severity import Severity
from services.model.source import SourceState
from services.prometheus.session import PrometheusSession
from services.rehearsal.monitoring.rulebook import Rule
from services.rehearsal.server import Options, Rehearsal
from tests.contract.alerting import Seen, posted, shown, stamp
from tests.contract.test_alertmanager import INHIBITING
from tests.contract.test_prometheus_access import SLOW
from tests.contract.test_prometheus_measured import alert
from tests.monitoring.fixtures import require_monitoring
from tests.monitoring.gateway import Gateway
from tests.monitoring.servers import Monitoring, group, rule
from tests.monitoring.web import PASSWORD, USER, Web

NAMES = ("alertmanager-0", "alertmanager-1")
PATIENCE = 60
NOT_SENT = {"HeartbeatMissing", "AlertsNotSent", "AlertRuleFailing"}
"""What the console alone knows."""

RULES = group(
    rule("Watchdog", "vector(1)", labels={"severity": "none"}),
    rule("Firing", "vector(2) > 1", labels={"severity": "critical", "service": "pay"}),
    rule("Inhibited", "vector(2) > 1", labels={"severity": "warning", "service": "pay"}),
    rule("Silenced", "vector(2) > 1", labels={"severity": "warning", "service": "mail"}),
    rule("Pending", "vector(2) > 1", "1h", {"severity": "warning"}),
)

TRIAL = rule("Trial", "trial > 0", "1s", {"severity": "critical"})
SPOILT = "{0} / on(cluster) {0} > 0"
"""Several on either side for one and the same: no server can tell which belongs to which."""


class Duo(Protocol):
    """A Prometheus and two Alertmanagers that gossip: silenced, inhibited, pending and firing alerts among theirs."""

    prometheus: str
    alertmanagers: tuple[str, ...]

    async def die(self, number: int) -> None:
        """End an Alertmanager without a word."""
        ...

    async def forget(self, number: int) -> None:
        """Restart it without its alerts."""
        ...

    async def hang(self, number: int, *, on: bool) -> None:
        """Let it answer nothing, or answer again."""
        ...

    async def begin(self) -> None:
        """Let what the rule "Trial" asks for come true; it holds for a second before it fires."""
        ...

    async def end(self) -> None:
        """Let it be true no more."""
        ...

    async def spoil(self) -> None:
        """Have a rule "Spoilt" that cannot be evaluated."""
        ...

    async def slow(self) -> str:
        """Return a query that takes much longer than a second."""
        ...


class Real:
    """Real servers."""

    def __init__(self, monitoring: Monitoring) -> None:
        first = monitoring.alertmanager(INHIBITING, clustered=True)
        self._peers = (first, monitoring.alertmanager(INHIBITING, peers=[first]))
        first.silence({"alertname": "Silenced"}, stamp(0), stamp(3600))
        self._exporter = monitoring.exporter()
        for side in ("x", "y"):
            self._exporter.set("spoilt", 1.0, side=side)
        self.prometheus = monitoring.prometheus(
            [RULES, group(TRIAL, rule("Spoilt", SPOILT.format("spoilt")), name="trials")],
            scrape={"trials": self._exporter},
            alertmanagers=self._peers,
            arguments=["--rules.alert.resend-delay=2s", "--query.max-samples=2000000000"],
        ).url
        self.alertmanagers = tuple(peer.url for peer in self._peers)

    async def die(self, number: int) -> None:
        await asyncio.to_thread(self._peers[number].kill)

    async def forget(self, number: int) -> None:
        await asyncio.to_thread(self._peers[number].restart, empty=True)

    async def hang(self, number: int, *, on: bool) -> None:
        (self._peers[number].stall if on else self._peers[number].resume)()

    async def begin(self) -> None:
        self._exporter.set("trial", 1.0)

    async def end(self) -> None:
        self._exporter.set("trial", 0.0)

    async def spoil(self) -> None:
        """It is so from the start."""

    async def slow(self) -> str:
        return SLOW


class Rehearsed:
    """The rehearsal's, on the test's own loop."""

    def __init__(self, estate: Rehearsal) -> None:
        self._tower = estate.watchtower
        self.prometheus = estate.address.prometheus
        self.alertmanagers = tuple(estate.address.alertmanagers)

    async def die(self, number: int) -> None:
        await self._tower.stop(NAMES[number])

    async def forget(self, number: int) -> None:
        await self._tower.stop(NAMES[number])
        await self._tower.start(NAMES[number])

    async def hang(self, number: int, *, on: bool) -> None:
        self._tower.hang(NAMES[number], on=on)

    async def begin(self) -> None:
        await self._tower.add_rule(Rule("Trial", "vector(1) > 0", 1.0, {"severity": "critical"}, {}))

    async def end(self) -> None:
        self._tower.remove_rule("Trial")

    async def spoil(self) -> None:
        await self._tower.add_rule(Rule("Spoilt", SPOILT.format("kube_node_info"), 0.0, {}, {}))

    async def slow(self) -> str:
        self._tower.slow("node_load1", PATIENCE)
        return "node_load1"


@pytest.fixture(params=["real", "rehearsal"])
async def duo(request: pytest.FixtureRequest) -> AsyncIterator[Duo]:
    if request.param == "real":
        require_monitoring()
        with Monitoring() as running:
            yield await asyncio.to_thread(Real, running)
    else:
        async with Rehearsal(Options(scenario="bad-deploy", size="tiny", seed=5, life=False)) as estate:
            yield Rehearsed(estate)


def watching(duo: Duo, **surroundings: Any) -> Any:
    peers = {f"am-{number}": url for number, url in enumerate(duo.alertmanagers)}
    return shown(peers, {"main": duo.prometheus}, **surroundings)


async def told(duo: Duo) -> dict[str, str]:
    """Return what the servers say themselves: the state of each alert by its fingerprint, pending ones by name."""
    found: dict[str, str] = {}
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        for url in duo.alertmanagers:
            for one in (await client.get(f"{url}/api/v2/alerts")).json():
                status = one["status"]
                quiet = "silenced" if status["silencedBy"] else "inhibited" if status["inhibitedBy"] else "firing"
                found[one["fingerprint"]] = quiet
        answer = (await client.get(f"{duo.prometheus}/api/v1/alerts")).json()
        pending = [one for one in answer["data"]["alerts"] if one["state"] == "pending"]
        return found | {f"pending {one['labels']['alertname']}": "pending" for one in pending}


def said(seen: Seen) -> dict[str, str]:
    """Return the same as the console shows it."""
    rows = [one for one in seen.live.snapshot().tables.get("alerts", {}).values() if one.name not in NOT_SENT]
    keyed = ((f"pending {one.name}" if one.state.value == "pending" else one.fingerprint, one) for one in rows)
    return {key: one.state.value for key, one in keyed if one.state.value != "ended"}


async def until_alike(seen: Seen, duo: Duo) -> dict[str, str]:
    """Wait until the console shows what the servers say; they go on meanwhile, so they are asked again."""
    theirs: dict[str, str] = {}
    for _ in range(60):
        theirs = await told(duo)
        if theirs and theirs == said(seen):
            return theirs
        await seen.polls("alertmanager/am-0", 1)
    raise AssertionError(f"they say {theirs}, the console {said(seen)}")


def ended(seen: Seen) -> set[str]:
    """Return the ids of the ends that are told."""
    return {event.id for event in seen.events() if event.payload.get("what") == "ended"}


async def test_every_state_is_shown_as_the_servers_say(duo: Duo) -> None:
    async with watching(duo, young=0.0) as seen:
        await seen.until(
            lambda: {"firing", "silenced", "inhibited", "pending"} <= {*said(seen).values()}, "alerts of every state"
        )
        await until_alike(seen, duo)
        assert {row.cluster_size for name, row in seen.peers().items() if name != "main"} == {2}
        watchdog = seen.alerts()["Watchdog"]
        assert watchdog.heartbeat
        assert not any("Watchdog" in group.title for group in seen.live.snapshot().tables["alert-groups"].values())
        assert not any(event.ref.name == "Watchdog" for event in seen.events())


async def test_one_dies_and_the_other_restarts_empty_and_nothing_ends(duo: Duo) -> None:
    async with watching(duo) as seen:
        before = await until_alike(seen, duo)
        past = ended(seen)
        await duo.die(1)
        await seen.until(lambda: seen.status("alertmanager/am-1") is SourceState.FAILED, "the death of one")
        assert "refused the connection" in seen.error("alertmanager/am-1") or "broke" in seen.error("alertmanager/am-1")
        await seen.polls("alertmanager/am-0", 2)
        started = seen.peers()["am-0"].started_at
        await duo.forget(0)
        await seen.until(lambda: seen.peers()["am-0"].started_at > started, "the restart")
        await seen.polls("alertmanager/am-0", 4)
        kept = {key for key in before if not key.startswith("pending")}
        assert kept <= said(seen).keys()
        assert ended(seen) == past


async def test_one_hangs_and_comes_back_and_the_other_goes_on(duo: Duo) -> None:
    async with watching(duo) as seen:
        before = await until_alike(seen, duo)
        await duo.hang(1, on=True)
        await seen.until(lambda: seen.status("alertmanager/am-1") is SourceState.FAILED, "the hung server")
        assert "did not answer within 2 s" in seen.error("alertmanager/am-1")
        await _post(duo, posted("News", severity="critical"))
        await seen.until(lambda: "News" in seen.states(), "news of the other")
        assert before.keys() <= said(seen).keys()
        await duo.hang(1, on=False)
        await seen.until(lambda: seen.status("alertmanager/am-1") is SourceState.LIVE, "its return", within=60.0)


async def test_a_silence_comes_and_goes(duo: Duo) -> None:
    async with watching(duo) as seen:
        await _post(duo, posted("Loud", severity="critical", team="tried"))
        await seen.until(lambda: seen.states().get("Loud") == "firing", "the alert")
        matcher = {"name": "team", "value": "tried", "isRegex": False, "isEqual": True}
        body = {
            "matchers": [matcher],
            "startsAt": stamp(0),
            "endsAt": stamp(3600),
            "createdBy": "tests",
            "comment": "known",
        }
        async with httpx.AsyncClient(base_url=duo.alertmanagers[0], trust_env=False, timeout=PATIENCE) as client:
            answer = await client.post("/api/v2/silences", json=body)
            identity = answer.raise_for_status().json()["silenceID"]
            await seen.until(lambda: seen.states()["Loud"] == "silenced", "the silence")
            row = seen.silences()[identity]
            assert (row.matching, row.state, row.comment, row.created_by) == (1, "active", "known", "tests")
            (await client.delete(f"/api/v2/silence/{identity}")).raise_for_status()
        await seen.until(lambda: seen.states()["Loud"] == "firing", "its end")
        await seen.until(lambda: seen.silences()[identity].state == "expired", "the silence as expired")


async def test_a_flood_is_shown_whole_and_ends_nothing(duo: Duo) -> None:
    async with watching(duo) as seen:
        before = await until_alike(seen, duo)
        await _post(duo, *(posted("Flood", pod=f"app-{n}", namespace=f"ns-{n % 50}") for n in range(5000)))
        await seen.until(lambda: len(said(seen)) >= 5000 + len(before), "all of them", within=60.0)
        assert before.items() <= said(seen).items()
        groups = [one for one in seen.live.snapshot().tables["alert-groups"].values() if len(one.members) > 20]
        assert sum(len(one.members) for one in groups) >= 5000


async def test_a_rule_goes_pending_fires_and_ends_as_one_episode(duo: Duo) -> None:
    async with watching(duo, young=0.0) as seen:
        await until_alike(seen, duo)
        await duo.begin()
        await seen.until(lambda: seen.states().get("Trial") == "pending", "it pending")
        pending = seen.alerts()["Trial"]
        assert not [event for event in seen.events() if "Trial" in event.text]
        await seen.until(lambda: seen.states().get("Trial") == "firing", "it firing", within=120.0)
        await seen.until(lambda: "am-0" in seen.alerts()["Trial"].peers, "it at an Alertmanager")
        alert = seen.alerts()["Trial"]
        assert (alert.key, alert.onset, alert.onset_from) == (pending.key, pending.onset, Onset.ACTIVE_AT)
        assert alert.fired_at - alert.onset > 0.9
        await duo.end()
        await seen.until(lambda: seen.states().get("Trial") == "ended", "its end", within=120.0)
        told = [event for event in seen.events() if "Trial" in event.text]
        assert min((event.at, event.text) for event in told) == (pending.onset, "Trial firing")
        assert {event.payload["what"] for event in told} == {"began", "ended"}


async def test_a_rule_that_fails_is_an_alert_in_the_servers_words(duo: Duo) -> None:
    async with watching(duo) as seen:
        await duo.spoil()
        await seen.until(lambda: "AlertRuleFailing" in seen.states(), "the failing rule")
        alert, peer = seen.alerts()["AlertRuleFailing"], seen.peers()["main"]
        assert (alert.label("rule"), alert.severity) == ("Spoilt", Severity.WARN)
        assert "many-to-many matching not allowed" in alert.annotation("summary")
        assert (peer.sick_rules, [words.partition(":")[0] for words in peer.sick]) == (1, ["Spoilt"])


async def test_a_slow_query_ends_in_time_and_does_not_hold_alerts_up(duo: Duo) -> None:
    clock, now = ManualClock(), SystemClock().now()
    endpoint = Endpoint("prometheus main", EndpointSettings(url=duo.prometheus, timeout=1), clock, jitter=lambda: 1.0)
    session = PrometheusSession([endpoint], MetricSettings(), SystemClock())
    query = await duo.slow()
    try:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Problem, match=r"did not answer within 1 s|timed out"):
                await session.alert_values(alert(f"{query} > 1"), now - 600, now, 60)
            assert time.monotonic() - began < 15.0
        with pytest.raises(Problem, match="left alone for 5 s"):
            await session.alert_values(alert("vector(1) > 0"), now - 600, now, 60)
        assert await endpoint.get("/api/v1/rules", [("type", "alert")]), "alerts go on"
        await clock.advance(5.1)
        assert await session.alert_values(alert("vector(1) > 0"), now - 600, now, 60)
        assert endpoint.queries.reopens_in == 0
    finally:
        await endpoint.close()


async def test_the_whole_pane_behind_certificates_passwords_tenants_and_prefixes(
    duo: Duo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = Web(tmp_path, basic=True, tls=True, client_certificate=True)
    secrets = {"password": PASSWORD, "bearer": "s3cret", "tenant": "shop"}
    for name, words in secrets.items():
        monkeypatch.setenv(name.upper(), words)
    with (
        Gateway(duo.prometheus, prefix="/prom", web=web) as guarded,
        Gateway(duo.alertmanagers[0], prefix="/tenants/shop", bearer="s3cret", tenant="shop") as gated,
    ):
        main = EndpointSettings(
            url=guarded.url,
            username=USER,
            password=SecretRef("env:PASSWORD"),
            ca_file=str(web.authority),
            client_cert=str(web.certificate),
            client_key=str(web.key),
            timeout=5,
        )
        tenant = {"X-Scope-OrgID": "env:TENANT"}
        ours = EndpointSettings(url=gated.url, bearer=SecretRef("env:BEARER"), headers=tenant, timeout=5)
        async with shown({"am": ours}, {"main": main}, young=0.0) as seen:
            await seen.until(lambda: "firing" in seen.states().values() and seen.peers()["main"].rules, "the alerts")
            await seen.until(
                lambda: any({"am", "main"} <= {*one.peers} for one in seen.alerts().values()), "one of both"
            )
            assert seen.status("alertmanager/am") is seen.status("prometheus/main") is SourceState.LIVE
        stranger = {"client_cert": str(web.stranger), "client_key": str(web.stranger_key)}
        for settings, sentence in (
            (structs.replace(main, password=SecretRef("env:TENANT")), "does not accept the credentials"),
            (structs.replace(main, **stranger), "could not agree on TLS|broke the connection off"),
            (structs.replace(main, ca_file=""), "certificate that is not trusted"),
            (structs.replace(main, url=guarded.url.removesuffix("/prom")), "check the URL's path prefix"),
            (structs.replace(ours, headers={}), "does not accept the credentials"),
            (structs.replace(ours, bearer=None), "does not accept the credentials"),
        ):
            endpoint = Endpoint("tried", settings, SystemClock())
            with pytest.raises(Problem, match=sentence) as refusal:
                await endpoint.get("/api/v1/status/buildinfo" if settings.username else "/api/v2/status")
            assert not [words for words in ("s3cret", PASSWORD) if words in refusal.value.sentence]
            await endpoint.close()


async def test_a_deadline_is_kept_by_every_server(duo: Duo) -> None:
    settings = EndpointSettings(url=duo.alertmanagers[0], timeout=1)
    await duo.hang(0, on=True)
    async with shown({"slow": settings}) as seen:
        await seen.until(lambda: seen.status("alertmanager/slow") is SourceState.FAILED, "the deadline")
        assert "did not answer within 1 s" in seen.error("alertmanager/slow")
        await duo.hang(0, on=False)
        await seen.until(lambda: seen.status("alertmanager/slow") is SourceState.LIVE, "its return", within=60.0)


async def _post(duo: Duo, *alerts: Any) -> None:
    async with httpx.AsyncClient(base_url=duo.alertmanagers[0], trust_env=False, timeout=PATIENCE) as client:
        (await client.post("/api/v2/alerts", json=list(alerts))).raise_for_status()
