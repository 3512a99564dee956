"""Every credential of a whole session is searched for wherever the program leaves words: none is found anywhere.

All servers repeat to the client what it sent them, as the worst gateways do.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from services.clock import SystemClock
from services.config import load
from services.notifications import outlet as outlets
from services.notifications.outlet import Outlet
from services.rehearsal.server import Rehearsal
from tests.flows.program import Program, kubeconfig_of, program
from tests.unit.notifications.telling import MINA, message
from tests.unit.notifications.vendor import ECHO, Mailbox, Vendor, certificate, mail_server, vendor
from tui import beside, clipboard
from tui.cli import main
from tui.crash import CrashLog
from widgets.draft_dialog import DraftDialog
from widgets.form import FormDialog
from widgets.plan_dialog import PlanDialog
from widgets.prompt import LineInput

SECRETS = {
    "CANARY_SLACK": "/services/T0CANARYCRED/B0CANARYCRED/canarywebhookcred",
    "CANARY_HMAC": "canary-hmac-cred-0123456789",
    "CANARY_SMTP": "canary-smtp-cred-passphrase",
    "CANARY_BEARER": "canary-alertmanager-cred-9876543210",
    "CANARY_BASIC": "canary-prometheus-cred-passphrase",
}
TYPED = "canary-typed-cred-0815"
REASON = f"INC-7 tried token={TYPED}, and {SECRETS['CANARY_HMAC']}"
"""What somebody types as a reason who has just pasted two secrets: one that looks like it, and one of ours."""

KUBE_TOKEN = "canary-kubeconfig-cred-abcdefghij"
CONFIG = """
[policy."*"]
tell = ["acted", "failed", "unknown"]
reason = ["restart"]
[notify.room]
to = ["#incidents"]
url = "env:CANARY_SLACK"
timeout = 60
[notify.hook]
type = "webhook"
url = "{url}/hook"
secret = "env:CANARY_HMAC"
timeout = 60
[notify.mail]
type = "email"
to = ["oncall@example.org"]
sender = "quarterdeck@example.org"
host = "127.0.0.1"
port = {mail}
ca_file = "{ca}"
username = "quarterdeck"
password = "env:CANARY_SMTP"
timeout = 60
[alertmanager.one]
url = "{url}"
bearer = "env:CANARY_BEARER"
[prometheus.one]
url = "{url}"
username = "quarterdeck"
password = "env:CANARY_BASIC"
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: echo
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: echo, context: {cluster: c, user: u}}]
"""


def canaries(*more: str) -> set[str]:
    """Return what must be nowhere: each secret, and as it travels."""
    plain = {
        one for secret in (*SECRETS.values(), KUBE_TOKEN, *more) for one in (secret, secret.strip("/").split("/")[-1])
    }
    sent = {f"\0quarterdeck\0{SECRETS['CANARY_SMTP']}", f"quarterdeck:{SECRETS['CANARY_BASIC']}"}
    coded = {base64.b64encode(one.encode()).decode() for one in (*plain, *sent)}
    return plain | coded


def found(texts: list[str], *more: str) -> list[tuple[str, str]]:
    """Return each canary that is there, with the words around it."""
    return [
        (canary, text[max(0, at - 80) : at + 20])
        for text in texts
        for canary in canaries(*more)
        if (at := text.find(canary)) >= 0
    ]


class Home(SimpleNamespace):
    """A machine whose configuration refers to every secret; `texts` is what the program said."""

    path: Path
    config: Path
    http: Vendor
    mails: Mailbox
    texts: list[str]

    def kept(self) -> list[str]:
        """Return everything that was written to the state folder, and everything that was said."""
        files = [path for path in (self.path / "state").rglob("*") if path.is_file()]
        return [*self.texts, *(path.read_bytes().decode("latin-1") for path in files)]


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    async with homed(tmp_path, monkeypatch) as made:
        yield made


@asynccontextmanager
async def homed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    for name in ("KUBECONFIG", "QUARTERDECK_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(folder / "state"))
    monkeypatch.setattr(beside, "AFTER", 0.05)
    context, ca = certificate(folder)
    async with vendor() as http, mail_server(context) as mails:
        http.answers = [ECHO]
        mails.password = SECRETS["CANARY_SMTP"]
        mails.replies = [f"554 5.7.1 not with {SECRETS['CANARY_SMTP']}"]
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, http.url + value if name == "CANARY_SLACK" else value)
        config = folder / "config.toml"
        config.write_text(CONFIG.format(url=http.url, mail=mails.port, ca=ca))
        (folder / "echoing").write_text(KUBECONFIG % (http.url, KUBE_TOKEN))
        yield Home(path=folder, config=config, http=http, mails=mails, texts=[])


async def declared(console: Program, texts: list[str]) -> None:
    """Declare an incident, note a secret on it, and write it down as Markdown."""
    for key, field, text in (("I", "title", f"checkout fails, {REASON}"), ("n", "text", REASON)):
        await console.press(key)
        await console.until(lambda: isinstance(console.app.screen, FormDialog))
        form = console.app.screen
        assert isinstance(form, FormDialog)
        row = form._inputs[field]
        assert isinstance(row, LineInput)
        row.value = text
        form.answers.focus()
        await console.pilot.pause()
        form.answers._since = -1.0
        await console.press(key)
        await console.until(lambda: not isinstance(console.app.screen, FormDialog))
    await console.until_seen("INC-1", "***")
    texts.append(console.text)
    await console.press("E")
    await console.until_seen(".md")
    texts.append(console.text)
    await console.press("escape")


async def restarted_and_told(console: Program, texts: list[str]) -> None:
    """Restart a workload, declare an incident, tell of it, and look at every place that may repeat what was sent."""
    await console.until_seen("CrashLoop", "live")
    await console.press("B")
    await console.until(lambda: isinstance(console.app.screen, PlanDialog))
    dialog = console.app.screen
    assert isinstance(dialog, PlanDialog)
    texts += [console.text, str(dialog.text.vm.lines)]
    dialog.query_one(LineInput).value = REASON
    dialog.answers.focus()
    await console.pilot.pause()
    dialog.answers._since = -1.0
    await console.press("y")
    await console.until_seen("written into the audit trail")
    await console.press("escape")
    await declared(console, texts)
    await console.press("T")
    await console.until(lambda: isinstance(console.app.screen, DraftDialog))
    texts.append(console.text)
    draft = console.app.screen
    assert isinstance(draft, DraftDialog)
    draft.answers._since = -1.0
    await console.press("y")
    await console.until(lambda: not isinstance(console.app.screen, DraftDialog))
    console.app.open_view("outbox")
    await console.until_seen("refused the message with 400", "554")
    for view in ("outbox", "alert-peers", "alerts", "rollouts", "timeline", "audit"):
        console.app.open_view(view)
        await console.pilot.pause(0.05)
        texts.append(console.text)
        await console.press("c")
        texts.append(console.text)
        await console.press("escape")


def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which everything comes that is copied from now on."""
    found: list[str] = []
    real = clipboard.clean

    def kept(*words: Any) -> str:
        text = real(*words)
        found.append(text)
        return text

    monkeypatch.setattr(clipboard, "clean", kept)
    return found


def crash_of(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each sender break with its secrets in its frames, and keep what is written of it."""
    crashes = CrashLog(home.path / "state")
    for name, settings in load(str(home.config), {}).config.notify.items():
        with monkeypatch.context() as patched:
            patched.setattr(outlets, "scrub", None)
            with pytest.raises(TypeError) as broken:
                asyncio.run(Outlet(name, settings, SystemClock()).deliver(message(1, name)))
        assert crashes.write(broken.value, "in a test") is not None
        home.texts.append(crashes.report(broken.value, "in a test"))


def said(home: Home, capsys: pytest.CaptureFixture[str], *commands: str) -> None:
    """Run commands and keep what they say."""
    for command in commands:
        words = command.split()
        with_config = words[0] not in ("audit", "incidents")
        main([*words, *(("--config", str(home.config)) if with_config else ())])
        home.texts += capsys.readouterr()


async def test_no_credential_is_left_anywhere(
    home: Home,
    estate: Rehearsal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    own, copied = next(iter(estate.address.tokens.values())), copies(monkeypatch)
    kubeconfig = kubeconfig_of(estate)
    async with program("--kubeconfig", kubeconfig, "--config", str(home.config)) as console:
        await restarted_and_told(console, home.texts)
    assert {path for path, _, _ in home.http.got} >= {SECRETS["CANARY_SLACK"], "/hook"}, "the secrets were used"
    sent = str([headers for _, headers, _ in home.http.got])
    assert SECRETS["CANARY_BEARER"] in sent
    assert base64.b64encode(f"quarterdeck:{SECRETS['CANARY_BASIC']}".encode()).decode() in sent
    echoing = f"--kubeconfig {home.path / 'echoing'}"
    await asyncio.to_thread(
        said,
        home,
        capsys,
        *("outbox list --all -o json", "outbox list --all", "audit export", "audit list --steps", "incidents --all"),
        f"status --live --timeout 4 -o json {echoing}",
        f"alerts --live --timeout 4 {echoing}",
        f"doctor {echoing}",
        f"act restart shop/deployment/cart --timeout 4 --dry-run {echoing}",
        "config check",
    )
    assert KUBE_TOKEN in str([headers for _, headers, _ in home.http.got])
    await asyncio.to_thread(crash_of, home, monkeypatch)
    log = [record.getMessage() for record in caplog.records if record.name != "mail.log"]
    assert len("".join(home.texts)) > 5000
    [markdown] = (home.path / "state").rglob("*.md")
    assert "INC-7 tried token=***, and ***" in markdown.read_text().replace("\\", "")
    assert len(log) > 5
    assert found([*home.kept(), *copied, *log], own, TYPED) == []


async def test_the_search_finds_a_program_that_leaks(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def queue() -> None:
        ledger = Ledger(home.path / "state", SystemClock())
        Outbox(ledger, home.path / "state", SystemClock()).tell(MINA, [message(1, "mail")])
        ledger.close()

    monkeypatch.setattr(outlets, "scrub", lambda text, _secrets: text)
    await asyncio.to_thread(queue)
    await asyncio.to_thread(said, home, capsys, "outbox send --timeout 60")
    assert SECRETS["CANARY_SMTP"] in {canary for canary, _ in found(home.kept())}
