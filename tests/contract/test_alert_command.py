"""`quarterdeck alerts` and `act` on real servers that the environment names: without any cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.alerting import posted
from tests.controlplane.process import until
from tests.monitoring.servers import Monitoring, await_alert, group, rule
from tui.cli import main

PROMETHEIS, ALERTMANAGERS = "QUARTERDECK_PROMETHEUS_URLS", "QUARTERDECK_ALERTMANAGER_URLS"
ELSEWHERE = """
[prometheus.configured]
url = "http://127.0.0.1:9"
[alertmanager.configured]
url = "http://127.0.0.1:9"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own without a kubeconfig, whose configuration names servers that are not there."""
    for name in ("KUBECONFIG", "QUARTERDECK_CONFIG", PROMETHEIS, ALERTMANAGERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    config = tmp_path / "config" / "quarterdeck" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(ELSEWHERE)
    return tmp_path


def alerts(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    code = main(["alerts", *words, "--live", "-o", "json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, json.loads(out) if out else {}, err


def test_the_environment_overrides_the_configuration_and_needs_no_cluster(
    home: Path, monitoring: Monitoring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = alerts(capsys)
    assert code == 2
    assert "refused" in err

    first = monitoring.alertmanager(prefix="/am", clustered=True)
    second = monitoring.alertmanager(peers=[first])
    rules = group(rule("Real", "vector(9) > 1", labels={"severity": "critical"}), rule("Late", "vector(1)", "1h"))
    arguments = ["--rules.alert.resend-delay=1s"]
    server = monitoring.prometheus([rules], alertmanagers=[first, second], prefix="/prom", arguments=arguments)
    await_alert(server, "Real", "firing")
    until(lambda: bool(first.get("/api/v2/alerts") and second.get("/api/v2/alerts")), 30, "the alert at both")
    second.post([posted("ByHand", severity="warning")])
    monkeypatch.setenv(PROMETHEIS, server.url)
    monkeypatch.setenv(ALERTMANAGERS, f"{first.url} , {second.url}/")
    code, told, err = alerts(capsys)
    assert (code, told["verdict"], told["cluster"]) == (1, "firing", "no cluster")
    states = {one["labels"]["alertname"]: one["state"] for one in told["alerts"]}
    assert {name: states.get(name) for name in ("Real", "Late", "ByHand")} == {
        "Real": "firing",
        "Late": "pending",
        "ByHand": "firing",
    }

    second.kill()
    code, told, err = alerts(capsys, "NothingIsCalledThis")
    assert code == 2
    assert "alertmanager-2 refused the connection" in err


def act(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    code = main(["act", *words, "-o", "json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, json.loads(out) if out else {}, err


def test_alerts_are_acted_upon_without_any_cluster(
    home: Path, monitoring: Monitoring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = monitoring.alertmanager()
    server.post([posted("ByHand", severity="warning"), posted("Other", severity="warning")])
    monkeypatch.setenv(ALERTMANAGERS, server.url)
    code, said, _ = act(capsys, "ack", "ByHand", "--dry-run")
    assert (code, said["outcome"], server.get("/api/v2/silences")) == (0, "", [])
    code, said, err = act(capsys, "ack", "ByHand", "--yes", "--reason", "INC-7")
    assert (code, said["outcome"]) == (0, "ok"), err
    [silence] = server.get("/api/v2/silences")
    assert silence["comment"].startswith("ACK!")
    assert silence["comment"].endswith("INC-7")
    ends = silence["endsAt"]
    code, said, err = act(capsys, "extend", "ByHand", "--for", "2h", "--yes")
    assert (code, said["outcome"]) == (0, "ok"), err
    [silence] = server.get("/api/v2/silences")
    assert silence["endsAt"] > ends
    code, said, err = act(capsys, "expire", silence["id"][:8], "--yes")
    assert (code, said["outcome"]) == (0, "ok"), err
    assert server.get("/api/v2/silences")[0]["status"]["state"] == "expired"
    code, said, err = act(capsys, "silence", 'alertname=~"ByHand|Other"', "--for", "1h", "--comment", "INC-8", "--yes")
    assert (code, said["outcome"]) == (0, "ok"), err
    assert act(capsys, "restart", "shop/deployment/cart")[0] == 1
    server.kill()
    code, _, err = act(capsys, "ack", "ByHand", "--yes")
    assert code == 1
    assert "No Alertmanager answers" in err


@pytest.mark.parametrize("url", ["127.0.0.1:9090", "ftp://127.0.0.1", "http://127.0.0.1:9,nothing"])
def test_what_is_no_url_is_refused_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv(PROMETHEIS, url)
    code, _, err = alerts(capsys)
    assert code == 2
    assert f"{PROMETHEIS}: " in err
