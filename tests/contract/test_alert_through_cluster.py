"""Through a real API server to a service behind it: what it says when it does not, and silences where it does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.endpoint import Endpoint
from services.errors import Problem
from services.kubernetes.credentials import Credentials
from services.kubernetes.kubeconfig import identify
from services.kubernetes.settings import load
from services.kubernetes.transport import Transport
from tests.contract.alerting import posted
from tests.contract.watched import apply, kubectl
from tests.controlplane.access import User
from tests.controlplane.plane import ControlPlane
from tests.controlplane.process import free_port, until
from tests.monitoring.servers import Monitoring, await_alert, group, rule
from tests.monitoring.tcp import Cutting
from tui.cli import main

PORTS = {"alertmanager": 9093, "prometheus": 9090}


@pytest.mark.parametrize(
    ("user", "service", "sentence"),
    [
        ("viewer", "prometheus:9090", r"cannot get resource \"services/proxy\".*ask for a role that allows it"),
        ("shop-only", "prometheus:9090", r"cannot get resource \"services/proxy\".*ask for a role that allows it"),
        ("admin", "prometheus:9090", r"no endpoints available|not found"),
        ("admin", "nothing:9090", r"not found"),
    ],
)
async def test_the_refusal_is_said(
    plane: ControlPlane, namespace: str, user: User, service: str, sentence: str
) -> None:
    port = {"name": "web", "port": 9090}
    meta = {"name": "prometheus", "namespace": namespace}
    await apply(plane, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [port]}})
    transport = Transport(Credentials(load(identify([str(plane.kubeconfig(user))])), SystemClock()))
    settings = EndpointSettings(service=f"{namespace}/{service}")
    endpoint = Endpoint("prometheus main", settings, SystemClock(), lambda: transport)
    try:
        with pytest.raises(Problem, match=sentence) as refusal:
            await endpoint.get("/api/v1/status/buildinfo")
    finally:
        await transport.close()
    assert refusal.value.sentence.startswith("Could not ask prometheus main through the cluster: ")


def own_address() -> str:
    """Return an address of this machine that a Service may lead to: not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        pytest.skip("this machine has no address but its loopback, which no Service may lead to")
    return address


async def led(plane: ControlPlane, namespace: str, address: str, port: int, kind: str = "alertmanager") -> None:
    """Make a Service that leads to a port of this machine, as a pod's: the server hands on to no other."""
    meta = {"name": kind, "namespace": namespace}
    pod = {"schedulerName": "nobody", "containers": [{"name": "one", "image": f"registry.example/{kind}:1"}]}
    ports = [{"name": "web", "port": PORTS[kind], "protocol": "TCP"}]
    reference = {"kind": "Pod", "name": kind, "namespace": namespace}
    behind = [{"name": "web", "port": port, "protocol": "TCP"}]
    subsets = [{"addresses": [{"ip": address, "targetRef": reference}], "ports": behind}]
    await apply(
        plane,
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets},
    )
    status = json.dumps({"status": {"podIP": address, "podIPs": [{"ip": address}]}})
    await kubectl(plane, "-n", namespace, "patch", "pod", kind, "--subresource=status", "-p", status)


def await_command(plane: ControlPlane, command: str) -> None:
    """Run the command that is shown, as an operator's shell does."""
    assert " proxy --port=9093 & " in command
    path = f"{plane.kubectl_path.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(plane.kubeconfig())}
    command = command.replace(":9093/api", f":{(port := free_port())}/api").replace("=9093 ", f"={port} ")
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr.strip(), done.stderr


Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def run(
    plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return the way to run the program as a user, with Services of the namespace as its monitoring."""
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    config = tmp_path / "config.toml"

    def run(user: User, *words: str, kinds: Iterable[str]) -> tuple[int, dict[str, Any], str]:
        config.write_text("".join(f'[{kind}.inside]\nservice = "{namespace}/{kind}:{PORTS[kind]}"\n' for kind in kinds))
        where = ("--kubeconfig", str(plane.kubeconfig(user)), "--config", str(config))
        code = main([*words, *where, "-o", "json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else {}, err

    return run


def test_alerts_and_rules_are_read_through_the_cluster(
    plane: ControlPlane, namespace: str, monitoring: Monitoring, run: Run
) -> None:
    address, port = own_address(), free_port()
    alertmanager = monitoring.alertmanager(also=f"{address}:{port}")
    exporter = monitoring.exporter()
    rules = [group(rule("Broken", "failing_ratio > 0.05", labels={"severity": "critical"}))]
    prometheus = monitoring.prometheus(rules, scrape={"tried": exporter}, alertmanagers=[alertmanager])
    exporter.set("failing_ratio", 0.4)
    await_alert(prometheus, "Broken", "firing")
    until(lambda: bool(alertmanager.get("/api/v2/alerts")), 20, "the alert at the Alertmanager")
    with Cutting(prometheus.url, cut_answers=False, host=address) as door:
        asyncio.run(led(plane, namespace, address, port))
        asyncio.run(led(plane, namespace, address, door.port, "prometheus"))
        code, said, _ = run("admin", "alerts", "--live", kinds=PORTS)
        assert (code, said["verdict"]) == (1, "firing"), said["reason"]
        assert (said["evidence"]["answering"], said["evidence"]["silent"]) == (2, {})
        [alert] = [one for one in said["alerts"] if one["name"] == "Broken"]
        assert (alert["state"], alert["severity"]) == ("firing", "CRIT")
        code, said, _ = run("viewer", "alerts", "--live", kinds=PORTS)
        assert (code, said["verdict"], said["alerts"]) == (2, "unknown", [])
        assert "services/proxy" in said["reason"]


def test_silences_are_set_and_ended_through_the_cluster(
    plane: ControlPlane, namespace: str, monitoring: Monitoring, run: Run
) -> None:
    address, port = own_address(), free_port()
    server = monitoring.alertmanager(also=f"{address}:{port}")
    server.post([posted("ByHand", severity="warning")])
    asyncio.run(led(plane, namespace, address, port))
    act = partial(run, kinds=("alertmanager",))
    code, said, err = act("admin", "act", "silence", "ByHand", "--for", "1h", "--comment", "INC-7", "--yes")
    assert (code, said.get("outcome")) == (0, "ok"), err
    [silence] = server.get("/api/v2/silences")
    assert (silence["status"]["state"], silence["comment"]) == ("active", "INC-7")
    code, said, err = act("admin", "act", "expire", silence["id"][:8], "--yes")
    assert (code, said.get("outcome")) == (0, "ok"), err
    code, said, err = act("admin", "act", "ack", "ByHand", "--dry-run")
    assert code == 0, err
    await_command(plane, said["command"])
    told = {one["comment"]: one["status"]["state"] for one in server.get("/api/v2/silences")}
    [acknowledged] = [state for comment, state in told.items() if comment.startswith("ACK!")]
    assert (told["INC-7"], acknowledged) == ("expired", "active"), "the command that is shown does the same"
    assert act("viewer", "act", "ack", "ByHand", "--yes")[0] == 1
