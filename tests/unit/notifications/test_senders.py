from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import io
import logging
import socket
import traceback
import tracemalloc
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from msgspec import structs

from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from cache.ledger.outbox_reader import OutboxReader
from services.clock import SystemClock
from services.config_notify import NotifySettings
from services.config_secret import SecretRef
from services.model.message import OutboxState
from services.notifications.model import Verdict
from services.notifications.outlet import Outlet, scrub
from services.notifications.templates import BUILT_IN, fill
from services.notifications.worker import OutboxWorker
from tests.unit.notifications.telling import HOOK, MAIL, MINA, ROOM, message
from tests.unit.notifications.vendor import (
    ECHO,
    HANG,
    OK,
    RESET,
    SLOW,
    Mailbox,
    Vendor,
    certificate,
    mail_server,
    said,
    vendor,
)
from tui.crash import CrashLog

PATH = "/services/T0CANARY/B0CANARY/canarywebhookpath"
KEY = "canary-signing-key-0123456789"
PASSWORD = "canary-smtp-passphrase"
CANARIES = (
    "canarywebhookpath",
    "T0CANARY",
    KEY,
    PASSWORD,
    base64.b64encode(PASSWORD.encode()).decode(),
    "canarycookie",
)
QUICK = {"timeout": 1}


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vendor]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with vendor() as running:
        monkeypatch.setenv("CANARY_SLACK_URL", running.url + PATH)
        monkeypatch.setenv("CANARY_HOOK_URL", f"{running.url}/hook?token=canarycookie")
        monkeypatch.setenv("CANARY_HOOK_KEY", KEY)
        monkeypatch.setenv("CANARY_SMTP_PASSWORD", PASSWORD)
        yield running


def outlet(settings: NotifySettings, **changes: object) -> Outlet:
    return Outlet("room", structs.replace(settings, **changes), SystemClock())


def mailer(box: Mailbox, **changes: object) -> Outlet:
    given: dict[str, object] = {"port": box.port, "tls": "none", **changes}
    return outlet(MAIL, **given)


@pytest.mark.parametrize(
    ("answer", "changes", "verdict", "words"),
    [
        (OK, {}, Verdict.ACCEPTED, ""),
        (said("429 Too Many Requests", Retry_After="7"), {}, Verdict.RETRY, "wait"),
        (said("200 OK", '{"ok":false,"error":"invalid_blocks"}'), {}, Verdict.REJECTED, "invalid_blocks"),
        (said("200 OK", "<html>log in</html>", Content_Type="text/html"), {}, Verdict.RETRY, "web page"),
        (said("302 Found", Location="http://127.0.0.1:1/portal"), {}, Verdict.RETRY, "portal"),
        (said("500 Internal Server Error", "rollup_error"), {}, Verdict.RETRY, "500"),
        (said("404 Not Found", "no_service"), {}, Verdict.REJECTED, "no_service"),
        (RESET, {}, Verdict.UNKNOWN, "broke the connection off"),
        (HANG, QUICK, Verdict.UNKNOWN, "did not answer"),
        (SLOW, {}, Verdict.ACCEPTED, ""),
        (said("200 OK", "x" * 200_000), {}, Verdict.UNKNOWN, "not Slack's"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {}, Verdict.UNKNOWN, "broke"),
    ],
)
async def test_what_a_slack_webhook_does_to_a_message(
    served: Vendor, answer: bytes | str, changes: dict[str, object], verdict: Verdict, words: str
) -> None:
    served.answers = [answer]
    settled = await outlet(ROOM, **changes).deliver(message(1))
    assert settled.verdict is verdict
    assert words in settled.reason
    assert len(served.got) == 1, "sent once, not followed and not repeated"
    path, headers, body = served.got[0]
    assert path == PATH
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert b"rolled back" in body
    assert not any(canary in settled.reason for canary in CANARIES)


async def test_an_answer_that_was_packed_is_not_unpacked(served: Vendor) -> None:
    bomb = gzip.compress(bytes(48 * 2**20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    served.answers = [head.encode() + bomb]
    tracemalloc.start()
    try:
        settled = await outlet(ROOM).deliver(message(1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert settled.verdict is Verdict.UNKNOWN
    assert served.got[0][1]["accept-encoding"] == "identity"
    assert peak < 8 * 2**20, peak


async def test_where_nobody_listens_nothing_was_sent(served: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("CANARY_SLACK_URL", f"http://127.0.0.1:{bound.getsockname()[1]}{PATH}")
        settled = await outlet(ROOM).deliver(message(1))
        assert (settled.verdict, served.got) == (Verdict.RETRY, [])
        closed = structs.replace(MAIL, port=bound.getsockname()[1], tls="none")
        settled = await outlet(closed).deliver(message(1))
        assert (settled.verdict, "refused the connection" in settled.reason) == (Verdict.RETRY, True)


async def test_a_webhook_is_told_nothing_before_its_certificate_is_trusted(
    served: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, ca = certificate(tmp_path)
    async with vendor(context) as secure:
        monkeypatch.setenv("CANARY_SLACK_URL", secure.url + PATH)
        settled = await outlet(ROOM).deliver(message(1))
        assert (settled.verdict, secure.got) == (Verdict.RETRY, [])
        assert "not trusted" in settled.reason
        assert (await outlet(ROOM, ca_file=str(ca)).deliver(message(1))).verdict is Verdict.ACCEPTED
        missing = await outlet(ROOM, ca_file=str(tmp_path / "none.pem")).deliver(message(1))
        assert (missing.verdict, "is no PEM file" in missing.reason) == (Verdict.RETRY, True)


async def test_a_proxy_is_used_where_one_is_configured(served: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_SLACK_URL", f"http://slack.example{PATH}")
    assert (await outlet(ROOM, proxy=served.url).deliver(message(1))).verdict is Verdict.ACCEPTED
    assert [path for path, _, _ in served.got] == [f"http://slack.example{PATH}"]
    served.answers = [said("407 Proxy Authentication Required")]
    settled = await outlet(ROOM, proxy=served.url).deliver(message(1))
    assert (settled.verdict, "proxy" in settled.reason) == (Verdict.DENIED, True)


@pytest.mark.parametrize("value", ["", "ftp://x/y", "https://hooks.slack.com/a\x7fb"])
async def test_a_secret_that_is_not_there_holds_the_channel_and_is_said(
    served: Vendor, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CANARY_SLACK_URL", value)
    settled = await outlet(ROOM).deliver(message(1))
    assert settled.verdict is Verdict.DENIED
    assert "CANARY_SLACK_URL" in settled.reason or "URL" in settled.reason
    assert served.got == []


async def test_a_receiver_can_verify_a_webhook_and_know_a_repeated_one(served: Vendor) -> None:
    served.answers = [said("500 Oops"), OK]
    hook = outlet(HOOK)
    assert (await hook.deliver(message(1))).verdict is Verdict.RETRY
    assert (await hook.deliver(message(1), doubtful=True)).verdict is Verdict.ACCEPTED
    (_, first, body), (_, second, again) = served.got
    assert body == again
    assert first["webhook-id"] == second["webhook-id"] == first["x-quarterdeck-id"]
    whole = f"{second['webhook-id']}.{second['webhook-timestamp']}.".encode() + again
    expected = base64.b64encode(hmac.new(KEY.encode(), whole, hashlib.sha256).digest()).decode()
    assert second["webhook-signature"] == f"v1,{expected}"


async def test_a_mail_arrives_whole_with_dots_and_signs_of_all_kinds(served: Vendor, tmp_path: Path) -> None:
    context, ca = certificate(tmp_path)
    text = ".\n..dots\nwürde ✔ <b>\n" + "long " * 300
    async with mail_server(context) as box:
        box.password = PASSWORD
        given = {"tls": "starttls", "ca_file": str(ca), "username": "quarterdeck"}
        sender = mailer(box, **given, password=SecretRef("env:CANARY_SMTP_PASSWORD"))
        settled = await sender.deliver(message(1, text=text))
        assert settled.verdict is Verdict.ACCEPTED, settled.reason
        [mail] = box.got
        assert (mail.mail_from, mail.rcpt_tos) == (MAIL.sender, list(MAIL.to))
        assert isinstance(mail.content, bytes)
        read = message_from_bytes(mail.content, policy=default)
        assert read["Message-ID"] == f"<{message(1).id}@example.org>"
        plain = read.get_body(("plain",))
        assert plain is not None
        assert plain.get_content().splitlines()[:4] == text.splitlines()
        assert await sender.knock() == (True, "reached and signed in")
        assert len(box.got) == 1, "a knock sends nothing"


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_a_mail_server_is_not_trusted_for_nothing(served: Vendor, tmp_path: Path, tls: str) -> None:
    context, ca = certificate(tmp_path)
    async with mail_server(context, wrapped=tls == "tls") as box:
        settled = await mailer(box, tls=tls).deliver(message(1))
        assert (settled.verdict, box.got) == (Verdict.RETRY, [])
        assert "not trusted" in settled.reason
        assert (await mailer(box, tls=tls, ca_file=str(ca)).deliver(message(1))).verdict is Verdict.ACCEPTED


async def test_a_password_is_not_told_to_a_server_without_tls(served: Vendor) -> None:
    async with mail_server() as box:
        password = {"username": "quarterdeck", "password": SecretRef("env:CANARY_SMTP_PASSWORD")}
        settled = await mailer(box, tls="starttls", **password).deliver(message(1))
        assert (settled.verdict, box.got) == (Verdict.RETRY, [])
        assert "tls" in settled.reason


async def test_a_wrong_password_holds_the_channel(served: Vendor, tmp_path: Path) -> None:
    context, ca = certificate(tmp_path)
    async with mail_server(context) as box:
        box.password = "another"
        given = {"tls": "starttls", "ca_file": str(ca), "username": "quarterdeck"}
        sender = mailer(box, **given, password=SecretRef("env:CANARY_SMTP_PASSWORD"))
        settled = await sender.deliver(message(1))
        assert (settled.verdict, box.got) == (Verdict.DENIED, [])
        assert "535" in settled.reason
        well, words = await sender.knock()
        assert not well
        assert "535" in words


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        ("451 4.3.0 try later", Verdict.RETRY, "try later"),
        ("554 5.7.1 spam", Verdict.REJECTED, "spam"),
        (RESET, Verdict.UNKNOWN, "broke the connection off"),
        (HANG, Verdict.UNKNOWN, "did not answer"),
    ],
)
async def test_what_a_mail_server_does_to_a_mail(served: Vendor, reply: str, verdict: Verdict, words: str) -> None:
    async with mail_server() as box:
        box.replies = [reply]
        settled = await mailer(box, **(QUICK if reply == HANG else {})).deliver(message(1))
        assert settled.verdict is verdict
        assert words in settled.reason


async def test_recipients_that_are_refused_are_named_and_the_others_get_it(served: Vendor) -> None:
    async with mail_server() as box:
        box.refused = {"second@example.org": "550 no such user"}
        settled = await mailer(box).deliver(message(1))
        assert (settled.verdict, settled.reason) == (Verdict.ACCEPTED, "refused for second@example.org")
        box.refused["oncall@example.org"] = "450 full"
        settled = await mailer(box).deliver(message(1))
        assert settled.verdict is Verdict.RETRY, "one of them may come to take it"
        assert len(box.got) == 1


async def test_a_server_that_never_greets_ends_at_the_deadline(served: Vendor) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    settled = await outlet(MAIL, port=port, tls="none", **QUICK).deliver(message(1))
    assert (settled.verdict, "did not answer" in settled.reason) == (Verdict.RETRY, True), "nothing was handed over"
    silent.close()


async def test_a_knock_tells_nobody_anything(served: Vendor) -> None:
    assert await outlet(ROOM).knock() == (True, "reached; its URL is tried by sending only")
    assert [path for path, _, _ in served.got] == ["/"], "the secret path stays at home"


def test_a_reason_never_repeats_a_secret() -> None:
    from services.model.text import Secret

    secrets = [Secret("https://hooks.example/services/T/B/verysecret"), Secret(KEY)]
    text = f"POST https://hooks.example/services/T/B/verysecret: no /services/T/B/verysecret here, {KEY}"
    assert "verysecret" not in scrub(text, secrets)
    assert KEY not in scrub(text, secrets)


async def crash_of(one: Outlet, crashes: CrashLog, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a sender break with every secret in its frames; return what is written and said of it."""
    with monkeypatch.context() as patched:
        patched.setattr("services.notifications.outlet.scrub", None)
        with pytest.raises(TypeError) as broken:
            await one.deliver(message(1))
    report = crashes.write(broken.value, "in a test")
    assert report is not None
    said_of_it = [crashes.report(broken.value, "in a test"), *traceback.format_exception(broken.value)]
    return report.read_text() + "".join(said_of_it)


async def test_no_credential_is_in_logs_databases_reasons_or_crashes(
    served: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, ca = certificate(tmp_path)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.addFilter(lambda record: record.name != "mail.log")  # the servers' own
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    folder = tmp_path / "quarterdeck"
    clock = SystemClock()
    ledger = Ledger(folder, clock)
    ledger.open()
    box = Outbox(ledger, folder, clock)
    seen: list[str] = []
    async with mail_server(context) as mails:
        mails.password = PASSWORD
        mails.replies = ["", f"554 5.7.1 not with {PASSWORD}"]
        password = SecretRef("env:CANARY_SMTP_PASSWORD")
        given = {"port": mails.port, "ca_file": str(ca), "username": "quarterdeck", "password": password}
        settings = {"room": ROOM, "hook": HOOK, "mail": structs.replace(MAIL, **given)}
        outlets = {name: Outlet(name, one, clock) for name, one in settings.items()}
        served.answers = [ECHO, ECHO, ECHO, said("200 OK", f'{{"ok":false,"error":"{PATH}"}}'), RESET, OK]
        worker = OutboxWorker(
            box, OutboxReader(folder), outlets, clock, lambda rows, words: seen.append(f"{rows} {words}")
        )
        subject, text = fill(
            BUILT_IN["plain"], {"subject": "down", "text": f"https://hooks.slack.com{PATH} token={KEY}"}
        )
        told = [
            message(number, ("room", "hook", "mail")[number % 3], f"INC-{number}", subject=subject, text=text)
            for number in range(9)
        ]
        await asyncio.to_thread(box.tell, MINA, told)
        await worker.drain(2.0)
    assert len(served.got) >= 4
    assert mails.got
    for settled in OutboxReader(folder).look().rows.values():
        assert settled.state in OutboxState
        seen.append(repr(settled))
    crashes = CrashLog(folder)
    for one in outlets.values():
        seen += [repr(one), repr(one.settings), str(vars(one)), await crash_of(one, crashes, monkeypatch)]
    ledger.close()
    root.removeHandler(handler)
    root.setLevel(level)
    everything = [log.getvalue(), *seen, *(path.read_bytes().decode("latin-1") for path in folder.iterdir())]
    assert len(log.getvalue()) > 200, "something was logged"
    found = [canary for canary in CANARIES for text in everything if canary in text]
    assert found == []
