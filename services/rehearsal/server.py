"""A whole estate behind real ports: the simulation, the API over TLS, and the admin port for tests."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from services.rehearsal.admin import Admin
from services.rehearsal.clock import WallClock
from services.rehearsal.estate import delivery
from services.rehearsal.estate.blueprint import Blueprint, draft
from services.rehearsal.estate.build import Builder
from services.rehearsal.faults import Faults
from services.rehearsal.hostile import Hostility
from services.rehearsal.monitoring.watchtower import Watchtower
from services.rehearsal.outage import Outages
from services.rehearsal.resources import BUILT_IN, ROLLOUTS, SERVICES
from services.rehearsal.scenarios.life import Life
from services.rehearsal.scenarios.registry import Outage, find
from services.rehearsal.simulation.engine import Engine
from services.rehearsal.wire import kubeconfig, pki
from services.rehearsal.wire.access import Access, standing_accounts
from services.rehearsal.wire.api import Api, Extension
from services.rehearsal.wire.discovery import Catalogue
from services.rehearsal.wire.http1 import HttpServer
from services.rehearsal.wire.listing import Pager
from services.rehearsal.wire.logs import Logs
from services.rehearsal.wire.metrics import METRICS, Metrics
from services.rehearsal.wire.mutations import Mutations
from services.rehearsal.wire.reviews import REVIEWS, Reviews
from services.rehearsal.wire.serviceproxy import ServiceProxy

if TYPE_CHECKING:
    from types import TracebackType

    from services.rehearsal.clock import Clock
    from services.rehearsal.store import Store


@dataclass(slots=True)
class Options:
    """How to set an estate up. Port 0 chooses a free one; without a folder a temporary one is made."""

    scenario: str = "calm"
    seed: int = 7
    size: str = "small"
    host: str = "127.0.0.1"
    port: int = 0
    folder: Path | None = None
    hostile: bool = False
    outage: Outage | None = None
    """Replaces the scenario's own outage cycle."""
    past: float | None = None
    """Replaces the scenario's seconds of simulated history."""
    rollouts: bool = False
    """Whether Argo Rollouts is installed."""
    life: bool = True
    """Whether small things happen by themselves: releases that succeed, a restart now and then."""


@dataclass(slots=True)
class Address:
    """Where a running estate is found."""

    url: str = ""
    admin_url: str = ""
    kubeconfig: Path = field(default_factory=Path)
    cluster: str = ""
    contexts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    authority: bytes = b""
    narrow_namespaces: list[str] = field(default_factory=list)
    prometheus: str = ""
    alertmanagers: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return what is printed when the estate is ready."""
        return {
            "kubeconfig": str(self.kubeconfig),
            "url": self.url,
            "admin_url": self.admin_url,
            "cluster": self.cluster,
            "contexts": self.contexts,
            "tokens": self.tokens,
            "narrow_namespaces": self.narrow_namespaces,
            "prometheus": self.prometheus,
            "alertmanagers": self.alertmanagers,
        }


class Rehearsal:
    """One estate; an async context manager. Tests may pass a clock and reach engine, faults and access directly."""

    def __init__(self, options: Options | None = None, clock: Clock | None = None) -> None:
        self.options = options or Options()
        self.clock: Clock = clock or WallClock()
        self.scenario = find(self.options.scenario)
        self.faults = Faults()
        self.access = Access()
        self.address = Address()
        self.plan: Blueprint = draft(self.options.seed, self.options.size)
        self.hostility = Hostility(on=self.options.hostile)
        self.catalogue = Catalogue((*BUILT_IN, *METRICS, *REVIEWS))
        self.engine = self._simulate()
        self.pager = Pager(self.store, self.clock)
        extensions: list[Extension] = [
            Logs(self.engine.world, self.plan, self.access, self.clock, self.hostility.text),
            Metrics(self.store, self.engine.world.behaviours, self.access, self.clock),
            Reviews(self.access, self.clock),
        ]
        mutations = Mutations(self.engine, self.access)
        self.api = Api(
            self.store, self.catalogue, self.access, self.faults, self.clock, self.pager, mutations, extensions
        )
        tower = self.watchtower
        self.api.services = ServiceProxy(self.store, self.access, tower.answer, tower.answers)
        self.server: HttpServer | None = None
        self.outages: Outages | None = None
        self._stack = AsyncExitStack()

    @property
    def store(self) -> Store:
        """Return the objects."""
        return self.engine.world.store

    def _simulate(self) -> Engine:
        """Build the estate at rest and run its past up to now."""
        past = self.scenario.past if self.options.past is None else self.options.past
        now = self.clock.now()
        if self.scenario.prepare is not None:
            self.scenario.prepare(self.plan)
        for number, app in enumerate(self.plan.apps):
            app.current.tag = self.hostility.tag(app.current.tag, number)
        engine = Engine(self.options.seed, now - past)
        engine.world.rewrite = engine.world.recorder.rewrite = self.hostility.text
        builder = Builder(engine.world, engine.kubelet, self.plan, self.hostility)
        builder.build()
        for entry in engine.world.store.collection(SERVICES).ordered():
            engine.endpoints.at_rest(entry.namespace, entry.name)
        self.catalogue.add(builder.custom)
        if self.options.rollouts or self.scenario.rollouts:
            delivery.furnish(engine.world, engine.kubelet, self.plan)
            self.catalogue.add(ROLLOUTS)
        self.watchtower = Watchtower(engine.world, self.plan, self.clock)
        self.watchtower.begin()
        engine.begin()
        if self.options.life:
            claimed = self.scenario.claimed(self.plan) if self.scenario.claimed else set()
            Life(engine, self.plan, now, claimed).begin()
        if self.scenario.script is not None:
            self.scenario.script(engine, self.plan)
        if self.scenario.hushes is not None:
            self.watchtower.hushes = self.scenario.hushes(self.plan, now)
        engine.world.timeline.run_until(now)
        return engine

    async def __aenter__(self) -> Self:
        """Open the ports and begin to live."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        await self._stack.aclose()

    async def _open(self) -> None:
        folder = self.options.folder
        if folder is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        host = self.options.host
        authority, tls = pki.issue(folder, host)
        self.server = server = HttpServer(self.api.handle, self.faults.gate, tls)
        if self.options.port:
            server.listen(host, self.options.port)
        else:
            server.listen_anywhere(host)
        self._stack.push_async_callback(server.close)
        shown = f"[{host}]" if ":" in host else host
        self.api.address = f"{shown}:{server.port}"
        self.address.url = f"https://{shown}:{server.port}"
        self.address.authority = authority
        self._introduce(folder)
        await self.watchtower.open(host)
        self._stack.push_async_callback(self.watchtower.close)
        self.address.prometheus = self.watchtower.urls["prometheus"]
        self.address.alertmanagers = [url for name, url in self.watchtower.urls.items() if name != "prometheus"]
        self.outages = Outages(self, self.options.outage or self.scenario.outage)
        admin = Admin(self)
        port = await admin.open(host)
        self._stack.push_async_callback(admin.close)
        self.address.admin_url = f"http://{shown}:{port}/{admin.secret}"
        self.engine.go_live(self.clock)
        self._stack.callback(self.engine.stop)
        self.outages.begin()
        self._stack.push_async_callback(self.outages.stop)

    def _introduce(self, folder: Path) -> None:
        """Issue tokens and write the kubeconfig."""
        own = self.plan.namespaces[: max(2, len(self.plan.namespaces) // 3)]
        address, cluster = self.address, self.plan.cluster
        address.cluster, address.narrow_namespaces = cluster, own
        logins = []
        for name, account in standing_accounts(own).items():
            token = f"t-{secrets.token_urlsafe(24)}"
            self.access.issue(token, account)
            context = cluster if name == "admin" else f"{cluster}-{name}"
            address.tokens[name], address.contexts[name] = token, context
            logins.append(
                kubeconfig.Login(context, f"{cluster}-{name}", token, own[0] if name in {"narrow", "releaser"} else "")
            )
        address.kubeconfig = folder / "kubeconfig.yaml"
        kubeconfig.write(address.kubeconfig, cluster, address.url, address.authority, logins)

    def revoke(self, account: str) -> None:
        """Make an account's token worthless: requests with it get 401."""
        self.access.revoked.add(self.address.tokens[account])

    def restore(self, account: str) -> None:
        """Make an account's token good again."""
        self.access.revoked.discard(self.address.tokens[account])

    def compact(self) -> None:
        """Forget all history: older watches and continue tokens get 410."""
        self.store.compact()
        self.pager.forget()

    async def refuse(self) -> None:
        """Refuse connections and cut those that are open."""
        if self.server is not None:
            await self.server.close()

    async def accept(self) -> None:
        """Take connections again on the same port."""
        if self.server is not None:
            await self.server.reopen()


async def serve(options: Options, stop: asyncio.Event, ready: asyncio.Future[Address] | None = None) -> None:
    """Run an estate until `stop` is set; `ready` is told its address."""
    async with Rehearsal(options) as estate:
        if ready is not None:
            ready.set_result(estate.address)
        await stop.wait()
