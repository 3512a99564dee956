"""Start, stall, kill and restart real Prometheus and Alertmanager servers, each with a folder and ports of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.controlplane.process import PlaneError, Reaper, Server, free_port, until

from .exporter import Exporter
from .gateway import Gateway
from .web import Web

PROMETHEUS = "prometheus"
ALERTMANAGER = "prometheus-alertmanager"
PROMTOOL = "promtool"
BINARIES = (PROMETHEUS, ALERTMANAGER, PROMTOOL)
HEALTH_TIMEOUT_S = 2.0
READY_WITHIN_S = 120.0

Document = Mapping[str, Any]

QUIET: Document = {
    "route": {"receiver": "nobody", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "5s"},
    "receivers": [{"name": "nobody"}],
}
"""An Alertmanager that notifies nobody."""


class Monitored:
    """One running server: where it is, and what can be done to it.

    `url` ends with the path prefix and without a slash; `client` asks it with the right credentials.
    """

    def __init__(self, server: Server, url: str, web: Web, data: Path) -> None:
        self.url = url
        self.web = web
        self.client = web.client(url)
        self._server = server
        self._data = data

    def get(self, path: str, **params: str) -> Any:
        """Return the JSON of an answer; raises for any other than 200."""
        return self.client.get(path, params=params).raise_for_status().json()

    def stall(self) -> None:
        """Make it hang: connections are taken, nothing is answered."""
        self._server.send(signal.SIGSTOP)

    def resume(self) -> None:
        """End a stall."""
        self._server.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word."""
        self._server.kill()

    def start(self) -> None:
        """Start it again on the same port; returns when it is ready."""
        self._server.start()
        self._server.await_ready()

    def restart(self, *, empty: bool = False) -> None:
        """End and start it; `empty` takes its data away."""
        self._server.end()
        if empty:
            shutil.rmtree(self._data, ignore_errors=True)
        self.start()

    def close(self) -> None:
        self.client.close()
        self._server.end()


class Alertmanager(Monitored):
    """A running Alertmanager."""

    def __init__(self, server: Server, url: str, web: Web, data: Path, gossip: str) -> None:
        super().__init__(server, url, web, data)
        self.gossip = gossip

    def post(self, alerts: Sequence[Document]) -> None:
        """Send it alerts: {labels, annotations?, startsAt?, endsAt?}; without endsAt they lapse after five minutes."""
        self.client.post("/api/v2/alerts", json=list(alerts)).raise_for_status()

    def silence(self, matchers: Mapping[str, str], starts: str, ends: str, comment: str = "tried") -> str:
        """Silence what has these labels between two RFC 3339 moments and return the silence's id."""
        wanted = [{"name": name, "value": value, "isRegex": False} for name, value in matchers.items()]
        body = {"matchers": wanted, "startsAt": starts, "endsAt": ends, "createdBy": "tests", "comment": comment}
        answer = self.client.post("/api/v2/silences", json=body).raise_for_status()
        return str(answer.json()["silenceID"])


class Monitoring:
    """Servers of one test. A context manager: all of them end with it, also when this process is killed."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._started = 0

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="monitoring-"))
        self._reaper = Reaper(self.folder)
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._stack.callback(self._reaper.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def exporter(self) -> Exporter:
        """Start an exporter whose series the test sets."""
        return self._stack.enter_context(Exporter())

    def gateway(self, upstream: str, *, bearer: str = "", tenant: str = "") -> Gateway:
        """Start a proxy in front of `upstream`; see Gateway."""
        return self._stack.enter_context(Gateway(upstream, bearer=bearer, tenant=tenant))

    def web(self, *, basic: bool = False, tls: bool = False, client_certificate: bool = False) -> Web:
        """Make certificates and a web config: how a server wants to be asked."""
        return Web(self._new_folder("web"), basic=basic, tls=tls, client_certificate=client_certificate)

    def prometheus(
        self,
        groups: Sequence[Document] = (),
        *,
        scrape: Mapping[str, Exporter] | None = None,
        alertmanagers: Sequence[Alertmanager] = (),
        external_labels: Mapping[str, str] | None = None,
        config: Document | None = None,
        history: str = "",
        prefix: str = "",
        web: Web | None = None,
        arguments: Sequence[str] = (),
    ) -> Monitored:
        """Start a Prometheus that scrapes and evaluates every second, and return when it is ready.

        `groups` are rule groups, `scrape` exporters by job name, `config` more top-level settings, `history` samples
        of the past as OpenMetrics text (ends with "# EOF"), `prefix` its path.
        """
        web, folder = web or self.web(), self._new_folder(PROMETHEUS)
        document: dict[str, Any] = {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
                "external_labels": dict(external_labels or {}),
            },
            "rule_files": [str(folder / "rules.yml")],
            "scrape_configs": [
                {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [exporter.address]}]}
                for job, exporter in (scrape or {}).items()
            ],
            "alerting": {"alertmanagers": [_sent_to(each) for each in alertmanagers]},
            **(config or {}),
        }
        _write(folder / "rules.yml", {"groups": list(groups)})
        _write(folder / "config.yml", document)
        data = folder / "data"
        if history:
            _backfill(history, folder, data)
        port, server = free_port(), [f"--storage.tsdb.path={data}", "--log.level=warn", *arguments]
        return self._launch(PROMETHEUS, folder, port, server, prefix, web)

    def alertmanager(
        self,
        config: Document = QUIET,
        *,
        peers: Sequence[Alertmanager] = (),
        clustered: bool = False,
        prefix: str = "",
        web: Web | None = None,
        also: str = "",
    ) -> Alertmanager:
        """Start an Alertmanager and return when it is ready; `peers` or `clustered` make it a member of a cluster.

        It listens at the address `also` too.
        """
        web, folder = web or self.web(), self._new_folder(ALERTMANAGER)
        _write(folder / "config.yml", config)
        gossip = f"127.0.0.1:{free_port()}" if clustered or peers else ""
        arguments = [f"--storage.path={folder / 'data'}", "--log.level=warn", f"--cluster.listen-address={gossip}"]
        arguments += [f"--web.listen-address={also}"] if also else []
        if gossip:
            arguments += [f"--cluster.advertise-address={gossip}"]
        arguments += [f"--cluster.peer={peer.gossip}" for peer in peers]
        found = self._launch(ALERTMANAGER, folder, free_port(), arguments, prefix, web, gossip=gossip)
        assert isinstance(found, Alertmanager)
        return found

    def _launch(
        self,
        binary: str,
        folder: Path,
        port: int,
        arguments: Sequence[str],
        prefix: str,
        web: Web,
        *,
        gossip: str | None = None,
    ) -> Monitored:
        url = f"{web.scheme}://127.0.0.1:{port}{prefix}"
        command = [
            _found(binary),
            f"--config.file={folder / 'config.yml'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.config.file={web.config}",
            *arguments,
        ]
        if prefix:
            command += [f"--web.external-url={url}", f"--web.route-prefix={prefix}"]
        ready = partial(_answers, web, url)
        server = Server(f"{binary} on {port}", command, folder / "log", self._reaper, ready, READY_WITHIN_S)
        data = folder / "data"
        running = Monitored(server, url, web, data) if gossip is None else Alertmanager(server, url, web, data, gossip)
        self._stack.callback(running.close)
        running.start()
        return running

    def _new_folder(self, name: str) -> Path:
        self._started += 1
        folder = self.folder / f"{name}-{self._started}"
        folder.mkdir()
        return folder


def group(*rules: Document, name: str = "tried", interval: str = "1s") -> Document:
    """Return a rule group of these rules."""
    return {"name": name, "interval": interval, "rules": list(rules)}


def rule(alert: str, expr: str, hold: str = "0s", labels: Mapping[str, str] | None = None, **notes: str) -> Document:
    """Return an alerting rule; `notes` are its annotations."""
    return {"alert": alert, "expr": expr, "for": hold, "labels": dict(labels or {}), "annotations": notes}


def await_alert(prometheus: Monitored, name: str, state: str, seconds: float = 90.0) -> dict[str, Any]:
    """Wait until an alert of that name is in that state ("pending", "firing") and return it as the server tells it."""
    found: list[dict[str, Any]] = []

    def ready() -> bool:
        alerts = prometheus.get("/api/v1/alerts")["data"]["alerts"]
        found[:] = [one for one in alerts if one["labels"]["alertname"] == name and one["state"] == state]
        return bool(found)

    until(ready, seconds, f"alert {name} being {state}")
    return found[0]


def _found(binary: str) -> str:
    path = shutil.which(binary)
    if path is None:
        raise PlaneError(f"{binary} is not installed")
    return path


def _write(path: Path, document: Document) -> None:
    """Write a configuration: JSON is YAML."""
    path.write_text(json.dumps(document))


def _sent_to(peer: Alertmanager) -> Document:
    url = httpx.URL(peer.url)
    document: dict[str, Any] = {"scheme": url.scheme, "static_configs": [{"targets": [f"127.0.0.1:{url.port}"]}]}
    if url.path.strip("/"):
        document["path_prefix"] = url.path
    return document | peer.web.scraper()


def _backfill(history: str, folder: Path, data: Path) -> None:
    source = folder / "history.txt"
    source.write_text(history)
    command = [_found(PROMTOOL), "tsdb", "create-blocks-from", "openmetrics", str(source), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise PlaneError(f"promtool could not make blocks: {done.stderr.strip()}")


def _answers(web: Web, url: str) -> bool:
    try:
        with web.client(url, timeout=HEALTH_TIMEOUT_S) as client:
            return client.get("/-/ready").status_code == 200
    except (httpx.HTTPError, OSError):
        return False
