from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from tests.unit.cache.estate import ALICE, NOW, opened, pod, rollout

LOADED = """
import sys
from pathlib import Path
from cache.state.first_paint import FirstPaint
from cache.folder import state_folder
from cache.live import LiveState
with FirstPaint(Path(sys.argv[1])) as paint:
    assert len(paint.tables(sys.argv[2], ["rollouts"])["rollouts"].rows) == 500
heavy = {"sqlite_utils", "textual", "rich", "httpx", "aiohttp", "kubernetes", "yaml", "click"} & sys.modules.keys()
print(",".join(sorted(heavy)))
"""
TIMED = """
import sys, time
from pathlib import Path
from cache.state.first_paint import FirstPaint
began = time.perf_counter()
with FirstPaint(Path(sys.argv[1])) as paint:
    paint.place(sys.argv[2])
    paint.tables(sys.argv[2], ["rollouts", "symptoms"])
print(time.perf_counter() - began)
"""


@pytest.fixture
def five_hundred(tmp_path: Path) -> Path:
    store = opened(tmp_path / "quarterdeck")
    store.save(ALICE, "rollouts", {f"shop/cart-{number}": rollout(f"cart-{number}") for number in range(500)}, NOW)
    store.save(ALICE, "pods", {f"shop/cart-{number}": pod(f"cart-{number}") for number in range(10_000)}, NOW)
    assert store.flush()
    assert store.close()
    return tmp_path / "quarterdeck"


def run(program: str, folder: Path) -> str:
    arguments = [sys.executable, "-c", program, str(folder), ALICE]
    return subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_the_first_paint_loads_nothing_heavy(five_hundred: Path) -> None:
    assert run(LOADED, five_hundred) == ""


@pytest.mark.bench
def test_cost_of_the_first_paint(five_hundred: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cold = [float(run(TIMED, five_hundred)) for _ in range(7)]
    with capsys.disabled():
        sys.stdout.write(f"\nfirst paint, 500 workloads, cold process: {median(cold) * 1000:.1f} ms\n")


@pytest.mark.bench
def test_cost_of_saving_ten_thousand_pods(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(tmp_path / "quarterdeck")
    pods = {f"shop/cart-{number}": pod(f"cart-{number}") for number in range(10_000)}
    began = time.process_time()
    for _ in range(5):
        store.save(ALICE, "pods", pods, NOW)
        assert store.flush()
    spent = (time.process_time() - began) / 5
    assert store.close()
    size = (tmp_path / "quarterdeck" / "state.db").stat().st_size
    with capsys.disabled():
        sys.stdout.write(
            f"\nsaving 10,000 pods: {spent * 1000:.0f} ms of processor time; state.db {size / 1024:.0f} KiB\n"
        )
