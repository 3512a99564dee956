"""The screen follows the server and no script: two estates, two sets of names, images, revisions and reasons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from services.rehearsal import resources
from services.rehearsal.server import Rehearsal
from tests.flows.program import estate_served, kubeconfig_of, program

SEEDS = (5, 23)
SAID = {"CrashLoopBackOff": "CrashLoop", "ImagePullBackOff": "ImagePull", "ErrImagePull": "ImagePull"}
"""What the row of a workload says of its pods' reason."""


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def estates() -> Iterator[dict[int, Rehearsal]]:
    with estate_served(seed=SEEDS[0]) as one, estate_served(seed=SEEDS[1]) as other:
        yield {SEEDS[0]: one, SEEDS[1]: other}


def ailing(estate: Rehearsal) -> dict[str, tuple[str, str]]:
    """Return the tag and the reason of each workload whose pods the server itself says to be in trouble."""
    found = {}
    for entry in estate.store.collection(resources.PODS).ordered():
        pod: Mapping[str, Any] = entry.read()
        for status in pod["status"].get("containerStatuses", ()):
            reason = status["state"].get("waiting", {}).get("reason", "")
            if reason in SAID:
                name = f"{entry.namespace}/{entry.labels['app.kubernetes.io/name']}"
                found[name] = (status["image"].rpartition(":")[2], reason)
    return found


def refused(estate: Rehearsal) -> dict[str, str]:
    """Return the revision of each Deployment whose new pods a quota refuses."""
    listed = (entry.read() for entry in estate.store.collection(resources.DEPLOYMENTS).ordered())
    return {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["metadata"]["annotations"][
            "deployment.kubernetes.io/revision"
        ]
        for one in listed
        if any(condition["type"] == "ReplicaFailure" for condition in one["status"]["conditions"])
    }


def test_the_two_estates_have_nothing_in_common(estates: dict[int, Rehearsal]) -> None:
    one, other = (ailing(estate).keys() | refused(estate).keys() for estate in estates.values())
    assert len(one) >= 3
    assert len(other) >= 3
    assert not one & other


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_screen_says_what_the_server_says(estates: dict[int, Rehearsal], seed: int) -> None:
    estate, foreign = estates[seed], next(one for key, one in estates.items() if key != seed)
    async with program("--kubeconfig", kubeconfig_of(estate), size=(80, 24)) as console:

        def said(name: str, *words: str) -> bool:
            """Say whether one line is the workload's row, with these words."""
            rows = [line for line in console.text.splitlines() if re.search(rf"[▲◆] {re.escape(name)} ", line)]
            return any(all(word in row for word in words) for row in rows)

        for name, (tag, reason) in ailing(estate).items():
            await console.until(partial(said, name, SAID[reason]))
            await console.until_seen(f"→ {tag}")
        for name, revision in refused(estate).items():
            await console.until(partial(said, name, "quota"))
            await console.until_seen(f"rev {revision} ")
        for name in ailing(foreign).keys() | refused(foreign).keys():
            assert name not in console.text
