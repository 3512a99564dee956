"""Plugins run without the screen, once at a time; tokens are renewed in time; a person is asked for when needed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripted_server import QuickClock, settings

from services.clock import Clock, ManualClock
from services.errors import Problem
from services.kubernetes.credentials import Credentials
from services.kubernetes.exec_plugin import LoginNeeded, Plugin
from services.kubernetes.kubeconfig import EnvVar, ExecSpec
from services.kubernetes.settings import Impersonation
from services.model.text import Secret

V1 = "client.authentication.k8s.io/v1"
NOW = 1_800_000_000.0


def script(folder: Path, text: str, name: str = "plugin") -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def credential(version: str = V1, **status: object) -> str:
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})


def until(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat().replace("+00:00", "Z")


def spec(command: str, **changes: object) -> ExecSpec:
    known: Any = {"command": command, "api_version": V1, **changes}
    return ExecSpec(**known)


made: list[Credentials] = []


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    for source in made:
        await source.close()
    made.clear()


def credentials(
    command: str,
    clock: Clock | None = None,
    *,
    timeout: float = 10.0,
    on_login: Callable[[LoginNeeded | None], None] | None = None,
    **changes: object,
) -> Credentials:
    wanted = spec(command, **changes)
    known = settings("https://api:6443", token=None, exec=wanted)
    plugin = Plugin(wanted, {"server": "https://api:6443"}, dict(os.environ), timeout=timeout)
    source = Credentials(known, clock or ManualClock(NOW), on_login=on_login, plugin=plugin)
    made.append(source)
    return source


async def authorization(source: Credentials) -> str:
    return dict((await source.current()).headers()).get("Authorization", "")


async def test_a_token_is_had_once_for_everybody(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = script(tmp_path, f"echo run >> {runs}; sleep 0.1; echo '{credential(token='abc')}'")
    source = credentials(command)
    found = await asyncio.gather(*(authorization(source) for _ in range(8)))
    assert set(found) == {"Bearer abc"}
    assert runs.read_text() == "run\n"


async def test_a_token_is_renewed_a_minute_before_its_end(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    answer = credential(token="abc", expirationTimestamp=until(600))
    clock = ManualClock(NOW)
    source = credentials(script(tmp_path, f"echo run >> {runs}; echo '{answer}'"), clock)
    await source.current()
    await clock.advance(530)
    await source.current()
    assert runs.read_text() == "run\n"
    await clock.advance(20)
    await source.current()
    assert runs.read_text() == "run\nrun\n"


async def test_a_token_that_still_lives_is_used_when_renewal_fails(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    answer = credential(token="abc", expirationTimestamp=until(600))
    clock = ManualClock(NOW)
    source = credentials(script(tmp_path, f"[ -e {flag} ] && exit 1; touch {flag}; echo '{answer}'"), clock)
    await source.current()
    await clock.advance(570)
    assert await authorization(source) == "Bearer abc"
    await clock.advance(40)
    with pytest.raises(LoginNeeded):
        await source.current()


async def test_the_plugin_sees_no_terminal_and_its_own_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    body = (
        f'echo "$KUBERNETES_EXEC_INFO" > {out}; echo "$EXTRA $1 $HOME" >> {out}; cat >> {out}; '
        f"[ -t 0 ] || echo no-terminal >> {out}; echo '{credential(token='t')}'"
    )
    source = credentials(
        script(tmp_path, body), args=("one",), env=(EnvVar("EXTRA", "value"),), provide_cluster_info=True
    )
    await source.current()
    info, rest, last = out.read_text().splitlines()
    assert json.loads(info) == {
        "kind": "ExecCredential",
        "apiVersion": V1,
        "spec": {"interactive": False, "cluster": {"server": "https://api:6443"}},
    }
    assert rest == f"value one {os.environ['HOME']}"
    assert last == "no-terminal"


async def test_beta_answers_are_understood_when_asked_for(tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1beta1"
    command = script(tmp_path, f"echo '{credential(version, token='beta')}'")
    assert await authorization(credentials(command, api_version=version)) == "Bearer beta"
    with pytest.raises(LoginNeeded, match=r"answered no ExecCredential of client\.authentication"):
        await credentials(command).current()


async def test_a_client_certificate_is_taken(tmp_path: Path) -> None:
    answer = credential(clientCertificateData="CERT", clientKeyData="KEY")
    grant = await credentials(script(tmp_path, f"echo '{answer}'")).current()
    assert (grant.certificate, grant.key) == (b"CERT", Secret("KEY"))
    assert "KEY" not in repr(grant)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'Token has expired' >&2; exit 3", 'The credential plugin "plugin" failed (exit 3): Token has expired'),
        ("exit 1", "failed (exit 1)."),
        ("echo nonsense", "answered no ExecCredential"),
        ("echo '{\"kind\": 5}'", "answered no ExecCredential"),
        (f"echo '{credential()}'", "gave neither token nor certificate"),
        (f"echo '{credential(clientCertificateData='x')}'", "gave neither token nor certificate"),
    ],
)
async def test_a_plugin_that_fails_is_one_sentence(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(LoginNeeded) as needed:
        await credentials(script(tmp_path, body)).current()
    assert words in needed.value.sentence
    assert needed.value.status == 401


async def test_what_a_plugin_prints_is_sanitised(tmp_path: Path) -> None:
    body = r"""printf '\033]0;x\007\033[31mbad\033[0m eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln' >&2; exit 1"""
    with pytest.raises(LoginNeeded) as needed:
        await credentials(script(tmp_path, body)).current()
    assert "\x1b" not in needed.value.sentence
    assert "eyJ" not in needed.value.sentence + needed.value.words
    assert "bad ***" in needed.value.sentence


async def test_a_missing_plugin_shows_its_hint() -> None:
    with pytest.raises(LoginNeeded, match=r"\"no-such-plugin\" was not found. Get it from x"):
        await credentials("no-such-plugin", install_hint="Get it from x\n\n").current()


async def test_a_plugin_that_needs_a_terminal_is_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    source = credentials(script(tmp_path, f"touch {ran}"), interactive_mode="Always")
    with pytest.raises(LoginNeeded, match="only runs with a terminal"):
        await source.current()
    assert not ran.exists()


async def test_a_plugin_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    body = f"sleep 60 & echo $! > {child}; wait"
    with pytest.raises(LoginNeeded, match="did not answer in time"):
        await credentials(script(tmp_path, body), timeout=4.0).current()
    process = int(child.read_text())
    async with asyncio.timeout(30):
        while alive(process):  # noqa: ASYNC110 - killed, and gone when the system has come to it: it tells nobody
            await asyncio.sleep(0)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] not in {"Z", "X"}
    except FileNotFoundError:
        return False


async def test_a_link_is_told_while_the_plugin_waits_for_the_person(tmp_path: Path) -> None:
    done = tmp_path / "done"
    body = (
        "echo 'Open https://login.example/device?code_challenge=XYZ123, and enter the code:' >&2\n"
        "echo 'QCFK-N451' >&2\n"
        f"while [ ! -e {done} ]; do sleep 0.02; done; echo '{credential(token='after')}'"
    )
    told: list[LoginNeeded | None] = []
    over = asyncio.Event()

    def on_login(needed: LoginNeeded | None) -> None:
        told.append(needed)
        if needed is None:
            over.set()

    source = credentials(script(tmp_path, body), on_login=on_login, timeout=30.0)
    with pytest.raises(LoginNeeded) as needed:
        await source.current()
    assert needed.value.link == "https://login.example/device?code_challenge=XYZ123"
    assert source.needs_login is not None
    done.touch()
    async with asyncio.timeout(30):
        await over.wait()
    assert await authorization(source) == "Bearer after"
    assert source.needs_login is None
    assert told[-1] is None


@pytest.mark.parametrize(
    ("words", "link", "code"),
    [
        (
            "To sign in, open the page https://microsoft.com/devicelogin and enter the code ABCD1234E to authenticate.",
            "https://microsoft.com/devicelogin",
            "ABCD1234E",
        ),
        (
            "open this URL:\n\nhttps://device.sso/\n\nThen enter the code:\n\nQCFK-N451",
            "https://device.sso/",
            "QCFK-N451",
        ),
        ("Please visit http://localhost:8000.", "http://localhost:8000", ""),
        ("error code 401", "", ""),
        ("javascript:alert(1)", "", ""),
    ],
)
async def test_links_and_codes_are_found(tmp_path: Path, words: str, link: str, code: str) -> None:
    said = tmp_path / "said"
    said.write_text(words)
    with pytest.raises(LoginNeeded) as needed:
        await credentials(script(tmp_path, f"cat {said} >&2; exit 1")).current()
    last = needed.value
    assert (last.link, last.code) == (link, code)


async def test_a_failed_plugin_is_not_run_again_at_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    clock = ManualClock(NOW)
    source = credentials(script(tmp_path, f"echo run >> {runs}; exit 1"), clock)
    for _ in range(3):
        with pytest.raises(LoginNeeded):
            await source.current()
    assert runs.read_text() == "run\n"
    source.invalidate()
    with pytest.raises(LoginNeeded):
        await source.current()
    assert runs.read_text() == "run\nrun\n"


async def test_after_a_refusal_the_plugin_runs_once_for_all(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    clock = ManualClock(NOW)
    source = credentials(script(tmp_path, f"echo run >> {runs}; echo '{credential(token='abc')}'"), clock)
    grant = await source.current()
    assert not await source.renew(grant.generation)  # it ran a moment ago: others would be no better
    await clock.advance(60)
    assert all(await asyncio.gather(*(source.renew(grant.generation) for _ in range(5))))
    assert runs.read_text() == "run\nrun\n"


async def test_the_login_command_is_the_plugin_with_a_terminal(tmp_path: Path) -> None:
    source = credentials("aws", args=("eks", "get-token"))
    command = source.login_command()
    assert command is not None
    assert command.argv == ("aws", "eks", "get-token")
    assert json.loads(command.env["KUBERNETES_EXEC_INFO"])["spec"] == {"interactive": True}
    assert Credentials(settings("https://x"), QuickClock()).login_command() is None


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    clock = ManualClock(NOW)
    source = Credentials(settings("https://x", token=Secret("static"), token_file=str(path)), clock)
    assert await authorization(source) == "Bearer one"
    path.write_text("two")
    assert await authorization(source) == "Bearer one"
    await clock.advance(11)
    assert await authorization(source) == "Bearer two"
    path.unlink()
    await clock.advance(11)
    assert await authorization(source) == "Bearer two"


async def test_a_missing_token_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="Could not read the token file"):
        await Credentials(settings("https://x", token_file=str(tmp_path / "none")), QuickClock()).current()


async def test_impersonation_and_basic_become_headers() -> None:
    acting = Impersonation("bob", "7", ("dev", "ops"), {"scope": ("x",)})
    source = Credentials(settings("https://x", token=None, basic=Secret("ann:pw"), impersonate=acting), QuickClock())
    assert (await source.current()).headers() == [
        ("Authorization", "Basic YW5uOnB3"),
        ("Impersonate-User", "bob"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-scope", "x"),
    ]
