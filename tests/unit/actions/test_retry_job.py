"""A failed Job is made anew from its template alone: without what is its controller's, or what GitOps would prune."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from msgspec import structs

from services.actions.jobs import RetryJob, TriggerCronJob
from services.actions.spec import Document, Refused
from services.model.action import Target, Write
from services.model.ref import CRONJOBS, JOBS, Ref, Resource
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


@pytest.mark.parametrize("status", [{}, {"conditions": [{"type": "Failed", "status": "False"}]}, {"failed": 2}])
async def test_a_job_that_goes_on_trying_is_not_tried_beside_itself(status: Document) -> None:
    class Going(Jobs):
        async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
            return {**FAILED, "status": status}

    with pytest.raises(Refused, match="has not failed"):
        await RetryJob().plan(TARGET, {"name": "report-again"}, Going(World()))


@pytest.mark.parametrize(
    ("policy", "active", "said"),
    [
        ("Forbid", [{"name": "night-1"}], "a run is going on, and its schedule forbids two at a time"),
        ("Allow", [{"name": "night-1"}], "1 of its runs are going on"),
        ("Forbid", [], "no run of it is going on"),
    ],
)
async def test_a_run_out_of_turn_says_what_goes_on(policy: str, active: list[Document], said: str) -> None:
    class Clockwork(Jobs):
        async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
            about = {"name": "night", "namespace": "shop", "uid": "u-1"}
            spec = {"concurrencyPolicy": policy, "jobTemplate": {"spec": {"template": {}}}}
            return {"kind": "CronJob", "metadata": about, "spec": spec, "status": {"active": active}}

    target = structs.replace(TARGET, ref=structs.replace(TARGET.ref, kind="CronJob", name="night"), resource=CRONJOBS)
    plan = await TriggerCronJob().plan(target, {"name": "night-now"}, Clockwork(World()))
    assert said in [one.text for one in plan.facts]
    (owner,) = msgspec.json.decode(plan.writes[0].body)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", "u-1", True)
