from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.ledger.chain import GENESIS, Link, follows, last_good
from cache.ledger.records import EntryKind, Result
from tests.unit.cache.test_ledger import MINA, ROLL_BACK, opened

PROCESS = """
import sys
from pathlib import Path
from cache.ledger.ledger import Ledger
from cache.ledger.records import Request, Result
from services.clock import SystemClock
from services.model.actor import Actor
actor = Actor("mina", "bastion-1", sys.argv[2])
ledger = Ledger(Path(sys.argv[1]), SystemClock())
print(ledger.open().sentence, flush=True)
for line in sys.stdin:
    name = ledger.intent(Request(actor, "act"))
    if line.strip() == "hang":
        ledger.step(name, actor, "sent")
        print(name, flush=True)
        continue
    ledger.outcome(name, actor, Result.OK)
    print(name, flush=True)
"""


def console(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_processes_that_append_at_once_keep_one_chain(folder: Path) -> None:
    consoles = [console(folder, name) for name in ("a", "b", "c")]
    outputs = []
    for process in consoles:
        assert process.stdin is not None
        process.stdin.write("go\n" * 40)
        process.stdin.flush()
    for process in consoles:
        output, _ = process.communicate(timeout=60)
        outputs.append(output.splitlines())
        assert process.returncode == 0
    assert all(lines[0] == "" for lines in outputs), "one of them made the file, the others found it"
    ledger = opened(folder)
    verdict = ledger.verify()
    assert (verdict.ok, verdict.entries) == (True, 240)
    written = {entry.intent for entry in ledger.entries() if entry.kind is EntryKind.INTENT}
    assert written == {name for lines in outputs for name in lines[1:]}
    assert {entry.actor.console for entry in ledger.entries()} == {"a", "b", "c"}
    ledger.close()


def test_a_console_that_is_killed_leaves_its_intent_open(folder: Path) -> None:
    process = console(folder, "a")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    process.stdin.write("hang\n")
    process.stdin.flush()
    name = process.stdout.readline().strip()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    ledger = opened(folder)
    assert ledger.status.ok
    assert [(one.id, one.steps, one.entry.actor.console) for one in ledger.open_intents()] == [(name, ("sent",), "a")]
    assert ledger.verify().ok
    ledger.outcome(name, MINA, Result.FAILED, {"found": "never arrived"})
    assert ledger.open_intents() == ()
    ledger.close()


words = st.text(max_size=8)
fields = st.tuples(st.integers(0, 2**53), *[words] * 9)


@given(st.lists(fields, min_size=1, max_size=8), st.data())
def test_any_change_to_any_field_breaks_the_chain(contents: list[tuple[Any, ...]], data: st.DataObject) -> None:
    chain: list[Link] = []
    for seq, content in enumerate(contents, start=1):
        chain.append(Link(seq, *content, prev=chain[-1].hash if chain else GENESIS).sealed())
    assert last_good(chain) == (chain[-1], None)
    at = data.draw(st.integers(0, len(chain) - 1))
    field = data.draw(st.sampled_from(Link._fields))
    old = getattr(chain[at], field)
    new = data.draw((st.integers() if isinstance(old, int) else st.text(max_size=8)).filter(lambda value: value != old))
    forged = [*chain]
    forged[at] = chain[at]._replace(**{field: new})
    assert not follows(forged[at], chain[at - 1] if at else None)
    assert last_good(forged)[1] is forged[at]
    resealed = [*chain]
    resealed[at] = forged[at].sealed()
    if field != "hash" and at + 1 < len(chain):
        assert last_good(resealed)[1] is not None, "its follower gives it away"
    assert last_good(chain[:at] + chain[at + 1 :])[1] is (chain[at + 1] if at + 1 < len(chain) else None)


@pytest.mark.bench
def test_cost_of_an_intent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = opened(folder)
    began = time.perf_counter()
    for _ in range(200):
        ledger.intent(ROLL_BACK)
    spent = (time.perf_counter() - began) / 200
    began = time.perf_counter()
    assert ledger.verify().entries == 200
    verified = time.perf_counter() - began
    ledger.close()
    with capsys.disabled():
        sys.stdout.write(
            f"\nan intent on disk: {spent * 1000:.2f} ms; 200 entries verified in {verified * 1000:.1f} ms\n"
        )
