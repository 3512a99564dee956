from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from cache.ledger.outbox_reader import OutboxReader
from services.clock import SystemClock
from services.config_schema import Config
from services.model.message import OutboxRow, OutboxState
from services.model.severity import Severity
from services.notifications.model import Step
from services.pseudonyms import Pseudonyms
from services.redact import redact
from services.sanitize import safe_text
from tests.unit.notifications.telling import HOOK, MAIL, MINA, NOW, ROOM, message
from tests.unit.notifications.vendor import vendor
from tui.cli import main, parser
from tui.commands.outbox import outbox
from tui.doctor import CheckState
from tui.doctor_notify import examine_channels
from tui.presenters.lens import Lens
from tui.presenters.outbox import VIEW, came_to_nothing, draft, present_message, severity_of
from widgets.viewmodels import Line

CHANNELS = {"room": ROOM, "hook": HOOK, "mail": MAIL}
ROWS = st.builds(
    OutboxRow,
    st.text(max_size=8),
    st.integers(0, 9),
    st.text(max_size=8),
    st.text(max_size=20),
    st.text(max_size=20),
    st.text(max_size=8),
    st.sampled_from(OutboxState),
    st.text(max_size=20),
    st.integers(0, 20),
    st.integers(0, 3),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
    st.text(max_size=9),
)


def lines_of(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


@given(st.lists(ROWS, max_size=6), st.floats(0, 2e9))
def test_any_message_can_be_shown_filtered_and_ordered(rows: list[OutboxRow], now: float) -> None:
    lens = Lens(now)
    for row in rows:
        assert len(VIEW.row(row.id, row, lens).cells) == len(VIEW.columns)
        assert VIEW.subject(row).severity is severity_of(row)
        for said in (None, message(subject=row.subject, text=row.reason)):
            assert all(safe_text(line, 9999) == line for line in lines_of(present_message(row, said, CHANNELS, lens)))
    for rank in VIEW.ranks.values():
        sorted(rows, key=rank)


def test_all_of_a_message_is_shown_and_why_it_came_to_nothing() -> None:
    said = message()
    row = OutboxRow(said.id, 1, "room", "#incidents", said.subject, said.thread, OutboxState.DEAD, "refused", 3)
    row = structs.replace(row, created_at=NOW - 60, settled_at=NOW - 5, folded=2, by="mina@bastion-1")
    shown = lines_of(present_message(row, said, CHANNELS, Lens(NOW)))
    for words in (
        "dead   after 3 tries",
        "WHY      refused",
        "THREAD   INC-7",
        "FOLDED   2 equal ones not sent besides",
        "Slack room",
    ):
        assert any(words in line for line in shown), words
    assert not any(line.startswith("NEXT") for line in shown)
    waits = structs.replace(row, state=OutboxState.QUEUED, next_at=NOW + 40, settled_at=0.0)
    assert "NEXT     in 40s" in lines_of(present_message(waits, said, CHANNELS, Lens(NOW)))
    unread = lines_of(present_message(row, None, CHANNELS, Lens(NOW)))
    assert unread[-1] == "what it says cannot be read any more"
    # a channel that is no longer configured: what it was given to say, as it was written
    written = lines_of(present_message(row, said, {}, Lens(NOW)))
    assert written[-3:] == [f"  {said.subject}", "  mina rolled back shop/cart", "  Reason: <500s> & more"]


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        (OutboxRow("1", 1, "room", "", "", "", OutboxState.DEAD, "no_service"), Severity.CRIT),
        (OutboxRow("1", 1, "room", "", "", "", OutboxState.DEAD, "dropped by mina"), Severity.OK),
        (OutboxRow("1", 1, "room", "", "", "", OutboxState.UNKNOWN), Severity.WARN),
        (OutboxRow("1", 1, "room", "", "", "", OutboxState.QUEUED, attempts=3, next_at=NOW), Severity.NOTICE),
        (OutboxRow("1", 1, "room", "", "", "", OutboxState.QUEUED, next_at=NOW), Severity.OK),
        (OutboxRow("1", 1, "room", "", "", "", OutboxState.ACCEPTED), Severity.OK),
    ],
)
def test_how_much_a_message_needs_somebody(row: OutboxRow, severity: Severity) -> None:
    assert severity_of(row) is severity


def text_of(lines: object) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)  # type: ignore[attr-defined]


def test_a_draft_shows_what_each_channel_sends() -> None:
    messages = [message(1), message(2, "mail"), message(3, "hook"), message(4, "gone")]
    shown = text_of(draft(messages, CHANNELS, Lens(NOW, mask=redact)))
    assert "Slack room" in shown
    assert "  Reason: <500s> & more" in shown, "as it is read, not as it is escaped"
    assert "  To: oncall@example.org, second@example.org" in shown
    assert '"type": "quarterdeck.rolled_back"' in shown
    assert "there is no channel gone; nothing is sent" in shown


def test_a_shared_screen_hides_in_the_draft_who_is_told() -> None:
    names = Pseudonyms(b"salt")
    lens = Lens(NOW, mask=names.mask, names=names.name)
    shown = text_of(draft([message(2, "mail")], CHANNELS, lens))
    assert "oncall@example.org" not in shown


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "quarterdeck"
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(made))
    monkeypatch.setenv("QUARTERDECK_CONFIG", str(tmp_path / "none.toml"))
    (tmp_path / "none.toml").write_text("")
    return made


def fill(folder: Path) -> None:
    clock = SystemClock()
    ledger = Ledger(folder, clock)
    ledger.open()
    box = Outbox(ledger, folder, clock)
    box.tell(MINA, [message(1), message(2, "hook"), message(3, "mail")])
    [claim] = box.claim("w", 1, 60.0, ["room"])
    box.settle(claim.message.id, Step(OutboxState.DEAD, 0.0, "no_service \x1b[31m"), claim.lease)
    ledger.close()


def run(*words: str) -> int:
    return outbox(parser().parse_args(["outbox", *words]))


def test_the_command_lists_retries_and_drops(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert capsys.readouterr().out == "no message\n"
    assert not folder.exists(), "looking makes nothing"
    fill(folder)
    assert run() == 1, "one came to nothing"
    first, *_ = capsys.readouterr().out.splitlines()
    assert "dead" in first
    assert "no_service" in first
    assert "\x1b" not in first
    assert run("retry", message(1).id[:32]) == 0
    assert run("drop", message(2).id, "--reason", "wrong room") == 0
    capsys.readouterr()
    assert run("-o", "json") == 0
    listed = {one["channel"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed["room"]["waits"]
    assert listed["hook"]["reason"].endswith(": wrong room")
    rows = {row.channel: row for row in OutboxReader(folder).look().rows.values()}
    assert rows["room"].state is OutboxState.QUEUED
    assert "wrong room" in rows["hook"].reason
    assert run("retry", "all") == 0, "what was dropped stays dropped"
    assert {row.state for row in OutboxReader(folder).look().rows.values()} == {OutboxState.QUEUED, OutboxState.DEAD}


def test_the_status_says_what_was_not_told_until_somebody_lets_it_be(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (folder.parent / "none.toml").write_text('[alertmanager.one]\nurl = "http://127.0.0.1:9"\n')
    monkeypatch.setenv("HOME", str(folder.parent))
    main(["status"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not told: ")]
    assert "no_service" in line
    main(["status", "-o", "json"])
    [row] = json.loads(capsys.readouterr().out)["not_told"]
    assert (row["channel"], row["state"]) == ("room", "dead")
    assert run("drop", message(1).id) == 0
    capsys.readouterr()
    main(["status"])
    assert "not told" not in capsys.readouterr().out
    [dropped] = [row for row in OutboxReader(folder).look().rows.values() if row.channel == "room"]
    assert dropped.reason.startswith("dropped by ")
    assert "it was dead: no_service" in dropped.reason
    assert not came_to_nothing(dropped)


@pytest.mark.parametrize(
    ("words", "says"), [(("retry",), "Say which message"), (("drop", "ff"), "there is no message")]
)
def test_the_command_says_what_is_missing(folder: Path, words: tuple[str, ...], says: str) -> None:
    from services.errors import Problem

    fill(folder)
    with pytest.raises(Problem, match=says):
        run(*words)


async def test_the_doctor_says_of_each_channel_whether_it_would_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await examine_channels(Config()) == []
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with vendor() as served:
        monkeypatch.setenv("CANARY_SLACK_URL", f"{served.url}/services/T/B/canarypath")
        monkeypatch.setenv("CANARY_HOOK_URL", f"{served.url}/hook")
        monkeypatch.delenv("CANARY_HOOK_KEY", raising=False)
        closed = structs.replace(MAIL, port=1, tls="none")
        rows = await examine_channels(Config(notify={"room": ROOM, "hook": HOOK, "mail": closed}))
    assert [row.state for row in rows] == [CheckState.OK, CheckState.FAIL, CheckState.FAIL]
    assert rows[0].detail == "room: Slack to #incidents, reached; its URL is tried by sending only"
    assert "env:CANARY_HOOK_KEY" in rows[1].detail
    assert "refused the connection" in rows[2].detail
    assert "canarypath" not in "".join(row.detail for row in rows)
    assert [path for path, _, _ in served.got] == ["/"]
