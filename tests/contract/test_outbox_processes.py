"""Four processes, 2,000 messages, kill -9 at random: what the outbox promises when consoles die."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox, Terms
from cache.ledger.outbox_reader import OutboxReader
from cache.ledger.records import EntryKind
from services.clock import SystemClock
from services.model.message import OutboxState
from tests.unit.notifications.telling import MINA, message

MESSAGES, THREADS, PROCESSES, KILLS = 2_000, 25, 4, 20

PROCESS = """
import os, sys, time
from pathlib import Path
from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from cache.ledger.records import LedgerRefused
from services.clock import SystemClock
from services.model.message import OutboxState
from services.notifications.model import Step
folder = Path(sys.argv[1])
ledger = Ledger(folder, SystemClock())
box = Outbox(ledger, folder, SystemClock(), host="bastion-1")
out = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
step = Step(OutboxState.ACCEPTED)
while True:
    try:
        claims = box.claim(sys.argv[3], 4, 2.0, ("room",))
        for one in claims:
            os.write(out, f"{one.message.thread} {int(one.message.id, 16)} {one.doubts}\\n".encode())
            box.settle(one.message.id, step, one.lease)
    except LedgerRefused:
        continue
    if not claims:
        time.sleep(0.02)
"""


def console(folder: Path, sent: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROCESS, str(folder), str(sent), name])


def put(folder: Path) -> None:
    clock = SystemClock()
    ledger = Ledger(folder, clock)
    assert ledger.open().ok
    box = Outbox(ledger, folder, clock, Terms(fold=0.0))
    for start in range(1, MESSAGES + 1, 100):
        numbers = range(start, start + 100)
        told = [message(number, thread=f"INC-{number % THREADS}", text="") for number in numbers]
        ledger.record(EntryKind.NOTE, MINA, "tell", beside=box.beside(told))
    ledger.close()


@pytest.mark.contract
def test_none_is_lost_and_order_is_kept_whoever_dies(tmp_path: Path) -> None:
    folder, sent = tmp_path / "quarterdeck", tmp_path / "sent"
    put(folder)
    dice = random.Random(7)  # noqa: S311 - who is killed when
    running = [console(folder, sent, f"first-{number}") for number in range(PROCESSES)]
    killed = 0
    reader = OutboxReader(folder)
    deadline = time.monotonic() + 240.0
    try:
        while time.monotonic() < deadline:
            if not any(row.waits for row in reader.look().rows.values()):
                break
            time.sleep(dice.uniform(0.1, 0.25))
            if killed < KILLS and sent.exists():
                victim = dice.randrange(PROCESSES)
                os.kill(running[victim].pid, signal.SIGKILL)
                running[victim].wait(60)
                killed += 1
                running[victim] = console(folder, sent, f"after-{killed}")
    finally:
        for process in running:
            process.kill()
            process.wait(60)
    lines = [line.split() for line in sent.read_text().splitlines()]
    assert killed >= 5, "nobody died: it was too quick to say anything"
    times = Counter(int(number) for _, number, _ in lines)
    assert set(times) == set(range(1, MESSAGES + 1)), "none is lost"
    doubted = {int(number) for _, number, doubts in lines if doubts != "0"}
    assert {number for number, count in times.items() if count > 1} <= doubted, "none goes twice without a crash"
    assert sum(times.values()) - MESSAGES <= 4 * killed, "and no more than the dead ones held"
    for thread in {line[0] for line in lines}:
        firsts = list(dict.fromkeys(int(number) for one, number, _ in lines if one == thread))
        assert firsts == sorted(firsts), "order is kept"
    connection_rows = reader.look().rows.values()
    assert {row.state for row in connection_rows} == {OutboxState.ACCEPTED}
    reader.close()
    ledger = Ledger(folder, SystemClock())
    assert ledger.verify().ok
    print(f"\n{MESSAGES} messages, {PROCESSES} processes, {killed} killed, {sum(times.values()) - MESSAGES} sent again")  # noqa: T201
