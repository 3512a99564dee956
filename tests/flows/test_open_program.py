"""`quarterdeck open` as a whole: the links that a real page carries, on the rehearsal estate and its monitoring."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from textual import events

from services.rehearsal.server import Rehearsal
from tests.flows.program import kubeconfig_of, program
from tui.cli import main


@pytest.fixture
def home(home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own, on which the estate's monitoring is configured."""
    monkeypatch.setenv("QUARTERDECK_PROMETHEUS_URLS", estate.address.prometheus)
    monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", ",".join(estate.address.alertmanagers))
    return home


@pytest.fixture(scope="module")
def paged(estate: Rehearsal) -> dict[str, Any]:
    """The critical alert that a pager would be told of, as Alertmanager has it."""
    found = httpx.get(f"{estate.address.alertmanagers[0]}/api/v2/alerts", timeout=30).json()
    alert: dict[str, Any] = next(one for one in found if one["labels"].get("severity") == "critical")
    return alert


def link_of(estate: Rehearsal, alert: dict[str, Any]) -> str:
    matchers = ",".join(f'{name}="{alert["labels"][name]}"' for name in ("alertname", "namespace"))
    return f"{estate.address.alertmanagers[0]}/#/alerts?silenced=false&filter={quote('{' + matchers + '}')}"


async def test_from_the_command_line_and_by_paste(home: Path, estate: Rehearsal, paged: dict[str, Any]) -> None:
    name, link = paged["labels"]["alertname"], link_of(estate, paged)
    async with program("open", link, "--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen(name, "firing", "SUSPECT", "RUNBOOK", "in trouble")
        assert console.app.front is not None
        assert console.app.front.place == "alert"
        await console.until_seen("LAST LOG", "likely")
        await console.press("escape")
        assert console.app.front.place == "deck"
        await console.press("colon")
        console.app.post_message(events.Paste(paged["generatorURL"]))
        await console.press("enter")
        await console.until(lambda: console.app.front is not None and console.app.front.place == "alert")
        await console.until_seen(name, "SUSPECT")


async def test_what_is_unknown_is_said_once_all_have_answered(home: Path, estate: Rehearsal) -> None:
    async with program("open", "CheckoutIsDownAgain", "--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("No alert is called CheckoutIsDownAgain")
        assert "not known, since" not in console.text


async def test_a_server_that_is_not_there_is_named(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = ",".join([*estate.address.alertmanagers, "http://127.0.0.1:1"])
    monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", urls)
    async with program("open", "CheckoutIsDownAgain", "--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("No alert is called CheckoutIsDownAgain", "alertmanager-3", "refused")


def test_what_means_nothing_opens_no_screen(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "https://am.example/nothing"]) == 2
    told = capsys.readouterr().err
    assert "no filter, no expression" in told
    assert "Traceback" not in told


# The same facts without a screen


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def test_alerts_are_listed_with_and_without_a_cluster(
    home: Path, estate: Rehearsal, paged: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name = paged["labels"]["alertname"]
    code, out, _ = run(capsys, "alerts", "--live", "--kubeconfig", kubeconfig_of(estate))
    assert code == 1
    assert "3 of 3 peers answer, Watchdog seen" in out
    assert any(line.startswith("CRIT  firing") and name in line for line in out.splitlines())
    assert "heartbeat" in out
    code, out, _ = run(capsys, "alerts", name, "--live", "-o", "json")
    told = json.loads(out)
    assert (code, told["verdict"], told["cluster"]) == (1, "firing", "no cluster")
    (one,) = (one for one in told["alerts"] if one["fingerprint"] == paged["fingerprint"])
    assert one["labels"]["namespace"] == paged["labels"]["namespace"]
    assert one["source"] == paged["generatorURL"]
    code, out, _ = run(capsys, "alerts", "NothingIsCalledThis", "--live")
    assert (code, len(out.splitlines())) == (0, 1)


def test_what_fired_and_ended_is_listed_too(home: Path, estate: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "alerts", "is:ended", "--live", "--since", "24h", "-o", "json")
    ended = json.loads(out)["alerts"]
    assert code == 0
    assert ended
    assert all(one["ended_at"] > one["onset"] for one in ended)
    assert json.loads(run(capsys, "alerts", "is:ended", "--live", "-o", "json")[1])["alerts"] == []


def test_a_server_that_is_not_there_is_could_not_tell(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", f"{estate.address.alertmanagers[0]},http://127.0.0.1:1")
    code, out, err = run(capsys, "alerts", "NothingIsCalledThis", "--live")
    assert code == 2
    assert "2 of 3 peers answer" in out
    assert "alertmanager-2 refused" in err
    assert run(capsys, "alerts", "is:firing", "--live")[0] == 1


def test_a_server_that_hangs_holds_nothing_up(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", f"{estate.address.alertmanagers[0]},{hung}")
        code, out, err = run(capsys, "alerts", "--live", "--timeout", "10")
    assert code == 1, "what fires for certain counts"
    assert "2 of 3 peers answer" in out
    assert "alertmanager-2: no answer within 10 s" in err


def test_status_counts_what_fires(home: Path, estate: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "status", "--live", "--kubeconfig", kubeconfig_of(estate))
    assert code == 1
    assert "alerts fire" in out.splitlines()[0]
    assert "3 of 3 peers answer, Watchdog seen" in out.splitlines()[0]
    code, out, _ = run(capsys, "status", "--live")
    assert (code, out.partition(":")[0]) == (1, "no cluster")


def test_nothing_that_is_kept_is_could_not_tell(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("alerts", "status"):
        code, out, err = run(capsys, command)
        assert code == 2
        assert "could not tell" in out
        assert "nothing is cached; run with --live" in out + err


def test_a_filter_or_a_time_that_cannot_be_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is:loud is not a state" in run(capsys, "alerts", "is:loud")[2]
    assert "--since yesterday" in run(capsys, "alerts", "--since", "yesterday")[2]


async def test_what_a_console_kept_is_listed_without_asking_anybody(
    home: Path, estate: Rehearsal, paged: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--kubeconfig", kubeconfig_of(estate))
    async with program(*words) as console:
        await console.until_seen(paged["labels"]["alertname"])
    code, out, _ = await asyncio.to_thread(run, capsys, "alerts", *words)
    assert code == 1
    assert paged["labels"]["alertname"] in out
    assert "3 of 3 peers answer, Watchdog seen" in out
    code, out, _ = await asyncio.to_thread(run, capsys, "status", *words)
    assert code == 1
    assert "alerts fire" in out
