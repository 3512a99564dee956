"""Changes made to the measured cluster: one pod's restart count, alone or while many others change."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

WORD = itertools.count(70_001, 7)


class Cluster:
    """The pods of the API server, patched through their status."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        listed = client.get("/api/v1/pods", params={"limit": 400}).json()["items"]
        self.pods = sorted((one["metadata"]["namespace"], one["metadata"]["name"]) for one in listed)

    @property
    def first(self) -> tuple[str, str]:
        """The pod that stands first in the table."""
        return self.pods[0]

    def restart(self, pod: tuple[str, str], count: int) -> None:
        """Give a pod this restart count; returns when the server has answered."""
        running: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        status = {"name": "app", "image": "x", "imageID": "x", "ready": True, "restartCount": count, "state": running}
        answer = self._client.patch(
            f"/api/v1/namespaces/{pod[0]}/pods/{pod[1]}/status",
            json={"status": {"containerStatuses": [status]}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        answer.raise_for_status()

    @contextmanager
    def churning(self, rate: float) -> Iterator[list[int]]:
        """Patch other pods at so many changes a second, as far as the server keeps up; yields the count so far."""
        stop, done = threading.Event(), [0]

        def work(offset: int, share: float) -> None:
            due = time.monotonic()
            for turn in itertools.count(offset):
                if stop.is_set():
                    return
                self.restart(self.pods[50 + turn % 300], turn)
                done[0] += 1
                due += 1 / share
                stop.wait(max(0.0, due - time.monotonic()))

        threads = [threading.Thread(target=work, args=(at * 75, rate / 4), daemon=True) for at in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield done
        finally:
            stop.set()
            for thread in threads:
                thread.join()
