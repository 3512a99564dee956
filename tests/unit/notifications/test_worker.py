from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from cache.ledger.outbox_reader import OutboxReader
from services.clock import ManualClock
from services.errors import Problem
from services.model.message import Message, OutboxRow, OutboxState
from services.model.text import SafeText
from services.notifications.model import Settled, Verdict
from services.notifications.registry import CHANNELS, Channel
from services.notifications.worker import OutboxWorker
from tests.unit.notifications.telling import NOW, message, until

OK = Settled(Verdict.ACCEPTED)


class Fake:
    """A channel that answers as told; `got` are the messages with whether they were marked as possible duplicates."""

    def __init__(self, kind: str = "webhook") -> None:
        self.answers: list[Settled | Exception] = [OK]
        self.got: list[tuple[int, bool]] = []
        self.hold: asyncio.Event | None = None
        self.kind = kind
        self.lease = 60.0
        self.together = self.most = 0

    @property
    def channel(self) -> Channel:
        return CHANNELS[self.kind]

    async def deliver(self, message: Message, *, doubtful: bool = False) -> Settled:
        self.got.append((int(message.id, 16), doubtful))
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            if self.hold is not None:
                await self.hold.wait()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.together -= 1


class Stand:
    """One console's worker at a ledger; `seen` is what it shows."""

    def __init__(self, folder: Path, clock: ManualClock | None = None, **carriers: Fake) -> None:
        self.clock = clock or ManualClock(NOW)
        self.ledger = Ledger(folder, self.clock)
        assert self.ledger.open().ok
        self.box = Outbox(self.ledger, folder, self.clock, host="bastion-1")
        self.reader = OutboxReader(folder)
        self.carriers = carriers
        self.seen: Mapping[str, OutboxRow] = {}
        self.problem = SafeText("")
        self.worker = OutboxWorker(self.box, self.reader, carriers, self.clock, self.show, jitter=lambda: 0.5)

    def show(self, rows: Mapping[str, OutboxRow], problem: SafeText) -> None:
        self.seen, self.problem = rows, problem

    def put(self, *messages: Message) -> None:
        self.ledger.write(lambda transaction: [self.box.enqueue(transaction, one) for one in messages])

    def row(self, number: int) -> OutboxRow:
        return self.reader.look().rows[message(number).id]

    async def turns(self, count: int = 1) -> None:
        """Take turns, each until what it set off has landed."""
        for _ in range(count):
            await self.worker.turn()
            if all(one.hold is None for one in self.carriers.values()):
                await until(lambda: not self.worker._flying)

    async def close(self) -> None:
        await self.worker._end()
        self.reader.close()
        self.ledger.close()


@asynccontextmanager
async def stand(folder: Path, clock: ManualClock | None = None, **carriers: Fake) -> AsyncIterator[Stand]:
    made = Stand(folder, clock, **carriers)
    try:
        yield made
    finally:
        await made.close()


async def test_messages_are_delivered_in_the_order_of_their_thread(tmp_path: Path) -> None:
    hook = Fake()
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(*(message(number, "hook", f"INC-{number % 2}") for number in range(1, 7)))
        assert await at.worker.drain(60.0)
        for thread in (0, 1):
            got = [number for number, _ in hook.got if number % 2 == thread]
            assert got == sorted(got)
        assert len(hook.got) == 6
        assert {row.state for row in at.reader.look().rows.values()} == {OutboxState.ACCEPTED}


async def test_a_server_that_asks_to_wait_is_left_alone_with_all_of_its_messages(tmp_path: Path) -> None:
    hook, mail = Fake(), Fake("email")
    hook.answers = [Settled(Verdict.RETRY, "asked to wait", 90.0), OK]
    async with stand(tmp_path / "q", hook=hook, mail=mail) as at:
        at.put(message(1, "hook"))
        await at.turns(1)
        at.put(message(2, "hook", "INC-8"), message(3, "mail"))
        await at.turns(3)
        assert [number for number, _ in hook.got] == [1]
        assert [number for number, _ in mail.got] == [3], "other channels go on"
        assert at.seen[message(2).id].reason == "waits for the channel: asked to wait"
        await at.clock.advance(89.0)
        await at.turns(2)
        assert len(hook.got) == 1
        await at.clock.advance(1.0)
        await at.turns(3)
        assert [number for number, _ in hook.got] == [1, 1, 2]


async def test_slack_gets_one_message_a_second(tmp_path: Path) -> None:
    room = Fake("slack")
    async with stand(tmp_path / "q", room=room) as at:
        at.put(*(message(number, thread=f"INC-{number}") for number in range(1, 5)))
        await at.turns(3)
        assert len(room.got) == 1
        await at.clock.advance(1.0)
        await at.turns(3)
        assert len(room.got) == 2
        assert room.most == 1


async def test_a_doubtful_message_goes_once_more_marked_and_then_waits_for_a_person(tmp_path: Path) -> None:
    room = Fake("slack")
    room.answers = [Settled(Verdict.UNKNOWN, "did not answer")]
    async with stand(tmp_path / "q", room=room) as at:
        at.put(message(1))
        for _ in range(6):
            await at.turns(1)
            await at.clock.advance(30.0)
        assert room.got == [(1, False), (1, True)]
        row = at.row(1)
        assert (row.state, row.waits) == (OutboxState.UNKNOWN, False)
        assert row.reason == "did not answer; it may have arrived"


async def test_a_channel_that_drops_repeated_ones_is_tried_until_it_answers(tmp_path: Path) -> None:
    hook = Fake()
    hook.answers = [*[Settled(Verdict.UNKNOWN, "did not answer")] * 4, OK]
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(message(1, "hook"))
        for _ in range(12):
            await at.turns(1)
            await at.clock.advance(60.0)
        assert len(hook.got) == 5
        assert at.row(1).state is OutboxState.ACCEPTED


async def test_refused_credentials_hold_the_channel_and_a_person_can_open_it(tmp_path: Path) -> None:
    hook = Fake()
    hook.answers = [Settled(Verdict.DENIED, "refused with 401"), OK]
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(message(1, "hook"), message(2, "hook", "INC-8"))
        await at.turns(4)
        assert len(hook.got) <= 2
        before = len(hook.got)
        at.put(message(3, "hook", "INC-9"))
        await at.turns(2)
        assert len(hook.got) == before
        at.worker.reopen("hook")
        await at.turns(1)
        assert hook.got[-1] == (3, False)


async def test_a_server_that_fails_again_and_again_costs_waiting_messages_no_attempts(tmp_path: Path) -> None:
    hook = Fake()
    hook.answers = [Settled(Verdict.RETRY, "failed with 500")]
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(*(message(number, "hook", f"INC-{number}") for number in range(1, 21)))
        await at.turns(10)
        assert len(hook.got) <= 6, "the rest waits untouched"
        untouched = [row for row in at.reader.look().rows.values() if row.attempts == 0]
        assert len(untouched) >= 14


async def test_one_console_delivers_and_another_takes_over_when_it_ends(tmp_path: Path) -> None:
    first, second = Fake(), Fake()
    clock = ManualClock(NOW)
    async with stand(tmp_path / "q", clock, hook=second) as other:
        async with stand(tmp_path / "q", clock, hook=first) as one:
            first.hold = asyncio.Event()
            await one.turns(1)
            one.put(message(1, "hook"), message(2, "hook"))
            await one.turns(1)
            await until(lambda: first.got)
            await other.turns(2)
            assert (first.got, second.got) == ([(1, False)], [])
            assert other.seen[message(1).id].state is OutboxState.SENDING, "it shows what the other does"
            for task in set(one.worker._flying):
                task.cancel()
        await other.turns(2)
        assert second.got == [(1, True), (2, False)]


async def test_a_sender_that_breaks_leaves_no_message_claimed(tmp_path: Path) -> None:
    hook = Fake()
    hook.answers = [RuntimeError("s3cr3t"), OK]
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(message(1, "hook"))
        await at.turns(1)
        row = at.row(1)
        assert row.state is OutboxState.UNKNOWN
        assert "RuntimeError" in row.reason
        assert "s3cr3t" not in row.reason


async def test_what_was_sent_is_written_down_although_the_ledger_refuses_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Fake()
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(message(1, "hook"))
        settle, refusals = at.box.settle, [Problem(SafeText("The disk is full."))] * 3

        def refusing(*given: object) -> bool:
            if refusals:
                raise refusals.pop()
            return settle(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(at.box, "settle", refusing)
        await at.worker.turn()
        while at.worker._flying:
            await at.clock.advance(1.0)
            await asyncio.sleep(0.001)
        assert at.row(1).state is OutboxState.ACCEPTED
        assert len(hook.got) == 1


async def test_a_ledger_that_cannot_be_written_is_said_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Fake()
    async with stand(tmp_path / "q", hook=hook) as at:
        at.put(message(1, "hook"))

        def refuse(*_: object) -> None:
            raise Problem(SafeText("ledger.db could not be written: the disk is full."))

        with monkeypatch.context() as patched:
            patched.setattr(at.box, "claim", refuse)
            await at.turns(1)
            assert "the disk is full" in at.problem
        await at.turns(1)
        assert (at.row(1).state, len(hook.got)) == (OutboxState.ACCEPTED, 1)
        await at.turns(1)
        assert at.problem == ""


async def test_a_message_for_a_channel_that_this_console_does_not_know_waits_and_says_so(tmp_path: Path) -> None:
    async with stand(tmp_path / "q", hook=Fake()) as at:
        at.put(message(1, "elsewhere"))
        await at.turns(2)
        assert at.seen[message(1).id].reason == "waits: no such channel here"
        assert at.row(1).state is OutboxState.QUEUED


async def test_it_runs_by_its_clock_and_a_nudge(tmp_path: Path) -> None:
    hook = Fake()
    async with stand(tmp_path / "q", hook=hook) as at:
        running = asyncio.create_task(at.worker.run())
        await until(lambda: at.clock._sleepers)
        at.put(message(1, "hook"))
        at.worker.nudge()
        await until(lambda: [row.state for row in at.seen.values()] == [OutboxState.ACCEPTED])
        at.put(message(2, "hook"))
        while len(hook.got) < 2:
            await at.clock.advance(2.0)
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert [number for number, _ in hook.got] == [1, 2]
