"""The rehearsal's monitoring in a process of its own, for tests that set it beside the real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]
PATIENCE = 60
"""Seconds a server may take on a busy machine."""


@dataclass(frozen=True)
class Rehearsed:
    """A running estate's monitoring."""

    prometheus: str
    alertmanagers: list[str]
    admin: str

    def get(self, path: str, **params: Any) -> Any:
        answer = httpx.get(self.prometheus + path, params=params, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def pull(self, lever: str, **body: Any) -> None:
        answer = httpx.post(f"{self.admin}/{lever}", json=body, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text


@contextmanager
def rehearsed() -> Iterator[Rehearsed]:
    """Run a small estate in a process of its own: an evening with a bad deployment."""
    command = [sys.executable, "-m", "services.rehearsal", "--scenario", "bad-deploy", "--size", "tiny"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Rehearsed(said["prometheus"], said["alertmanagers"], said["admin_url"])
    finally:
        process.terminate()
        process.wait(PATIENCE)
