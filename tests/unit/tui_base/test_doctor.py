"""The doctor against a real server on loopback, and against everything that can be missing."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.model.text import SafeText
from services.rehearsal.server import Options, Rehearsal
from tui.doctor import Check, CheckState, check, config_checks, examine, exit_code, state_checks, table, terminal_checks
from tui.doctor_cluster import credential_checks, examine_cluster
from tui.terminal import Streams, Terminal, detect

SCREEN = Streams(keys_from_terminal=True, frames_to_terminal=True, encoding="utf-8")
TERMINAL = detect({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, SCREEN, (120, 40))


@pytest.fixture
async def estate() -> AsyncIterator[Rehearsal]:
    async with Rehearsal(Options(past=0)) as running:
        yield running


async def look(estate: Rehearsal, account: str, tmp_path: Path, deadline: float = 5.0) -> dict[str, list[Check]]:
    rows = await examine(
        TERMINAL,
        tmp_path / "state",
        context=estate.address.contexts[account],
        kubeconfig=[str(estate.address.kubeconfig)],
        env={"XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin"},
        deadline=deadline,
    )
    found: dict[str, list[Check]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
        assert type(row.detail) is type(row.remedy) is SafeText
    return found


async def test_everything_there_is_all_well(estate: Rehearsal, tmp_path: Path) -> None:
    rows = await look(estate, "admin", tmp_path)
    assert {name: row[0].state for name, row in rows.items()} == dict.fromkeys(rows, CheckState.OK)
    assert "11 kinds, in the whole cluster" in rows["rights"][0].detail
    assert "Kubernetes v" in rows["server"][0].detail
    assert "guards take it for production" in rows["kubeconfig"][0].remedy
    assert not any(estate.address.tokens["admin"] in row.detail for found in rows.values() for row in found)


async def test_where_argo_rollouts_are_there_their_rights_are_listed(tmp_path: Path) -> None:
    async with Rehearsal(Options(scenario="bad-canary", size="tiny", life=False)) as estate:
        rows = await look(estate, "admin", tmp_path)
        looked, acting = rows["rights"]
        assert looked.detail == "list and watch of all 12 kinds, in the whole cluster (Argo Rollouts among them)"
        assert (acting.state, acting.detail) == (
            CheckState.OK,
            "Argo Rollouts: patch of rollouts, rollouts/status and rollouts/scale",
        )
        *_, acting = (await look(estate, "viewer", tmp_path))["rights"]
        assert acting.state is CheckState.WARN
        assert "no patch of rollouts, rollouts/status, rollouts/scale" in acting.detail
        assert "promote, abort, retry" in acting.detail


async def test_narrow_rights_are_named_kind_by_kind(estate: Rehearsal, tmp_path: Path) -> None:
    rows = await look(estate, "narrow", tmp_path)
    watched, hidden = rows["rights"]
    assert "pods" in watched.detail
    assert watched.detail.endswith(f"watched in {estate.address.narrow_namespaces[0]}")
    assert hidden.detail == "nodes, namespaces: refused; they are not shown"
    assert all(row.state is CheckState.WARN for row in rows["rights"])


async def test_a_namespace_without_rights_fails(estate: Rehearsal) -> None:
    rows = await examine_cluster(
        estate.address.contexts["narrow"], [str(estate.address.kubeconfig)], {}, 5.0, namespaces=["elsewhere"]
    )
    refused = [row for row in rows if row.name == "rights" and row.state is CheckState.FAIL]
    assert len(refused) == 1
    assert refused[0].detail.endswith("and in elsewhere")


async def test_a_revoked_token_and_a_hung_server_are_told_apart(estate: Rehearsal, tmp_path: Path) -> None:
    estate.revoke("admin")
    revoked = await look(estate, "admin", tmp_path)
    assert [row.state for row in revoked["credentials"]] == [CheckState.OK, CheckState.FAIL]
    assert "server" not in revoked
    estate.restore("admin")
    estate.faults.hang()
    hung = await look(estate, "admin", tmp_path, 0.3)
    assert hung["server"][0].state is CheckState.FAIL
    assert [hung[name][0].state for name in ("ready", "rights", "metrics")] == [CheckState.SKIPPED] * 3


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {%s}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
"""


def kubeconfig(tmp_path: Path, user: str) -> list[str]:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG % user)
    return [str(file)]


async def test_a_server_that_is_not_there_fails_and_the_rest_is_not_tried(tmp_path: Path) -> None:
    rows = await examine_cluster("", kubeconfig(tmp_path, "token: abc"), {}, 5.0)
    assert [(row.name, row.state) for row in rows[:3]] == [
        ("kubeconfig", CheckState.OK),
        ("credentials", CheckState.OK),
        ("server", CheckState.FAIL),
    ]
    assert "127.0.0.1:1" in rows[2].detail
    assert exit_code(rows) == 1


async def test_a_missing_plugin_is_found_without_running_anything(tmp_path: Path) -> None:
    spec = 'exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, installHint: "brew it"}'
    rows = await examine_cluster("", kubeconfig(tmp_path, spec), {"PATH": "/usr/bin"}, 2.0)
    (row,) = [row for row in rows if row.name == "credentials"]
    assert (row.state, row.remedy) == (CheckState.FAIL, "brew it")
    assert [row.state for row in rows if row.name == "server"] == [CheckState.SKIPPED]


async def test_a_plugin_that_needs_a_person_says_what_to_open(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    words = "open https://login.example.org/device and enter the code ABCD-1234"
    plugin.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    plugin.chmod(0o755)
    spec = f'exec: {{apiVersion: client.authentication.k8s.io/v1, command: "{plugin}", interactiveMode: Never}}'
    rows = await examine_cluster("", kubeconfig(tmp_path, spec), {"PATH": "/usr/bin:/bin"}, 5.0)
    (row,) = [row for row in rows if row.name == "credentials" and row.state is CheckState.FAIL]
    assert row.remedy == "open https://login.example.org/device, code ABCD-1234"


async def test_a_wrong_context_and_a_missing_kubeconfig_are_one_row_each(tmp_path: Path) -> None:
    for context, files in (("nowhere", kubeconfig(tmp_path, "token: abc")), ("", [str(tmp_path / "none")])):
        (row,) = await examine_cluster(context, files, {}, 1.0)
        assert (row.name, row.state) == ("kubeconfig", CheckState.FAIL)


def test_a_bad_configuration_is_a_row_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[ui]\nthem = 1\nmouse = 2\n")
    rows, loaded = config_checks(str(file), {})
    assert loaded is None
    assert [row.state for row in rows] == [CheckState.FAIL] * 2
    file.write_text("[ui]\nshare = true\n")
    rows, loaded = config_checks(str(file), {"QUARTERDECK_UI_THEME": "light", "QUARTERDECK_UI_X": "1"})
    assert [row.state for row in rows] == [CheckState.OK, CheckState.OK, CheckState.WARN]
    assert "ui.theme (QUARTERDECK_UI_THEME)" in rows[1].detail


async def test_a_secret_that_cannot_be_read_is_a_row(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[ui]\nshare_salt = "env:NOT_SET"\n')
    missing = str(tmp_path / "none")
    rows = await examine(TERMINAL, tmp_path, config=str(file), kubeconfig=[missing], env={})
    assert [row.state for row in rows if row.name == "secrets"] == [CheckState.FAIL]


SERVERS = """
[prometheus.main]
url = "%s"
[prometheus.gone]
url = "http://127.0.0.1:1"
bearer = "env:NOT_SET"
[prometheus.elsewhere]
url = "http://127.0.0.1:1"
contexts = ["another"]
[prometheus.within]
service = "monitoring/prometheus:9090"
[alertmanager.one]
url = "%s"
[alertmanager.web]
url = "%s"
"""


async def test_each_server_of_the_monitoring_is_reached_or_says_why_not(tmp_path: Path) -> None:
    async with Rehearsal(Options(scenario="bad-deploy", size="tiny", life=False, past=600)) as estate:
        prometheus, (alertmanager, *_) = estate.address.prometheus, estate.address.alertmanagers
        file = tmp_path / "config.toml"
        file.write_text(SERVERS % (prometheus, alertmanager, prometheus))
        rows = await examine(
            TERMINAL,
            tmp_path / "state",
            config=str(file),
            context=estate.address.contexts["admin"],
            kubeconfig=[str(estate.address.kubeconfig)],
            env={"PATH": "/usr/bin"},
        )
        told = {row.detail.split(":")[0]: row for row in rows if row.name in ("prometheus", "alertmanager")}
        assert {name: row.state for name, row in told.items()} == {
            "prometheus main": CheckState.OK,
            "prometheus gone": CheckState.FAIL,
            "prometheus within": CheckState.OK,
            "alertmanager one": CheckState.OK,
            "alertmanager web": CheckState.FAIL,
        }
        assert "answered in" in told["prometheus main"].detail
        assert "env:NOT_SET" in told["prometheus gone"].detail
        assert "version" in told["alertmanager one"].detail


async def test_servers_alone_are_enough_and_those_behind_a_cluster_are_not_reached(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[alertmanager.one]\nservice = "monitoring/alertmanager:9093"\n')
    rows = await examine(TERMINAL, tmp_path, config=str(file), env={"HOME": str(tmp_path)})
    states = {row.name: row.state for row in rows}
    assert (states["kubeconfig"], states["alertmanager"]) == (CheckState.SKIPPED, CheckState.FAIL)
    assert "the cluster, which is not connected" in rows[-1].detail


def test_the_state_folder(tmp_path: Path) -> None:
    assert state_checks(tmp_path / "a" / "b")[0].state is CheckState.OK
    assert not (tmp_path / "a").exists()
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    assert [row.state for row in state_checks(folder)] == [CheckState.OK, CheckState.OK]
    assert list(folder.iterdir()) == []
    folder.chmod(0o755)
    open_row = state_checks(folder)[0]
    assert (open_row.state, stat.S_IMODE(folder.stat().st_mode)) == (CheckState.WARN, 0o755)
    assert "chmod 700" in open_row.remedy
    file = tmp_path / "file"
    file.touch()
    assert state_checks(file)[0].state is CheckState.FAIL
    assert state_checks(file / "below")[0].state is CheckState.FAIL
    assert state_checks(Path("/proc/quarterdeck"))[0].state in {CheckState.FAIL, CheckState.OK}


@pytest.mark.parametrize(
    ("terminal", "warned"),
    [
        (TERMINAL, set()),
        (detect({"TERM": "xterm"}, SCREEN, (20, 5)), {"terminal", "colours"}),
        (detect({"TERM": "xterm", "NO_COLOR": "1"}, SCREEN, (80, 24)), set()),
        (detect({"TERM": "dumb"}, SCREEN), {"terminal", "colours"}),
        (
            detect({"TERM": "xterm-256color"}, Streams(True, False, "ascii"), ascii_only="off"),
            {"terminal", "characters"},
        ),
    ],
)
def test_the_terminal(terminal: Terminal, warned: set[str]) -> None:
    rows = list(terminal_checks(terminal))
    assert {row.name for row in rows if row.state is not CheckState.OK} == warned


def test_a_certificate_that_is_none_is_said() -> None:
    from services.kubernetes.kubeconfig import Identity
    from services.kubernetes.settings import ConnectionSettings

    identity = Identity("c", "c", "https://x", "", "u", "d", "k")
    bad = ConnectionSettings(identity, "https://x", certificate=b"no", verify=False)
    assert [row.state for row in credential_checks(bad, {})] == [CheckState.FAIL, CheckState.WARN]
    assert credential_checks(ConnectionSettings(identity, "https://x"), {})[0].state is CheckState.WARN


def test_the_table_keeps_its_width_and_masks() -> None:
    rows = [
        check("server", CheckState.FAIL, "word " * 40 + "token=abc", "do this\x1b[31m and that"),
        check("k", CheckState.OK, "日本 " * 30),
    ]
    shown = table(rows, 60)
    assert "abc" not in shown
    assert "\x1b" not in shown
    assert "> do this and that" in shown
    from rich.cells import cell_len

    assert max(map(cell_len, shown.splitlines())) <= 60
