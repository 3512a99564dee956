"""The `monitoring` fixture: real servers where they are installed, a reason where they are not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from .servers import BINARIES, Monitoring


def require_monitoring() -> None:
    """Skip where the servers are missing on a contributor's machine, fail in CI."""
    missing = [name for name in BINARIES if shutil.which(name) is None]
    if missing:
        reason = f"{', '.join(missing)} not found; install the packages prometheus and prometheus-alertmanager"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def monitoring() -> Iterator[Monitoring]:
    """Real Prometheus and Alertmanager servers, started as the test asks, ended with it."""
    require_monitoring()
    with Monitoring() as running:
        yield running
