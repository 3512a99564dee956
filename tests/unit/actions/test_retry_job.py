"""A failed Job is made anew from its template alone: without what is its controller's, or what GitOps would prune."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from services.actions.jobs import RetryJob
from services.actions.spec import Document
from services.model.action import Target, Write
from services.model.ref import JOBS, Ref, Resource
from tests.unit.actions.stage import StageHands, World

TARGET = Target(Ref("c", "batch", "Job", "shop", "report", "u-1"), JOBS)
LABELS = {"app": "report", "batch.kubernetes.io/controller-uid": "u-1", "job-name": "report"}
FAILED: Document = {
    "kind": "Job",
    "metadata": {
        "name": "report",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {**LABELS, "argocd.argoproj.io/instance": "shop"},
        "ownerReferences": [{"kind": "CronJob", "name": "report", "controller": True}],
    },
    "spec": {"selector": {"matchLabels": {}}, "template": {"metadata": {"labels": LABELS}, "spec": {"containers": []}}},
    "status": {"failed": 3, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
}


class Jobs(StageHands):
    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        return FAILED

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        return ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        assert dry_run
        return {}


async def test_a_failed_job_is_made_anew_and_the_command_does_the_same() -> None:
    plan = await RetryJob().plan(TARGET, {"name": "report-again"}, Jobs(World()))
    (write,) = plan.writes
    assert msgspec.json.decode(write.body) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "report-again", "labels": {"app": "report"}},
        "spec": {"template": {"metadata": {"labels": {"app": "report"}}, "spec": {"containers": []}}},
    }
    assert "3 of its pods failed (BackoffLimitExceeded); the same template runs again" in [
        one.text for one in plan.facts
    ]
    left = "del(.status,.spec.selector,.spec.template.metadata.labels)"
    assert plan.command == (
        f"get job/report -o json | jq '.metadata={{name:\"report-again\"}}|{left}'"
        " | kubectl --context prod-eu-1 -n shop create -f -"
    )
