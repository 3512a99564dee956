"""The rehearsal estate checks writes by the fields that the pinned Kubernetes sources have, and by no others."""

from __future__ import annotations

import pytest

from tests.controlplane.wire_schema import TARGET, lines, sources


def test_the_schema_is_that_of_the_pinned_sources() -> None:
    root = sources()
    if root is None:
        pytest.skip("the Kubernetes modules are not in Go's cache; run: make test-contract")
    assert TARGET.read_text().splitlines() == list(lines(root))
