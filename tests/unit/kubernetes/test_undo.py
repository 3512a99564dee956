"""Which revision is gone back to, which is never guessed, and kubectl's own words where there is none (golden)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.undo import CannotUndo, Grounds, Part, candidates, rollback, rolled_back_from
from services.model.workload import Healthy

UID = "w1"
OWNER = [{"controller": True, "uid": UID, "kind": "Deployment", "name": "web"}]


def template(image: str, **extra: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}, **extra.pop("metadata", {})},
        "spec": {"containers": [{"name": "web", "image": image, **extra}]},
    }


def deployment(image: str = "web:2", revision: int = 2, **spec: Any) -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": str(revision), "argocd.argoproj.io/tracking-id": "x"}
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": UID, "annotations": annotations},
        "spec": {"template": template(image), **spec},
    }


def held(number: object, image: str, was: str = "", ready: int = 0, owner: str = UID) -> dict[str, Any]:
    """A ReplicaSet, with the label that its controller added to the template."""
    made = template(image)
    made["metadata"]["labels"]["pod-template-hash"] = f"h{number}"
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    annotations |= {"deployment.kubernetes.io/revision-history": was} if was else {}
    metadata = {"name": f"web-{number}", "uid": f"rs{number}", "annotations": annotations}
    metadata["ownerReferences"] = [{**OWNER[0], "uid": owner}]
    return {"metadata": metadata, "spec": {"replicas": 0, "template": made}, "status": {"readyReplicas": ready}}


TWO = [held(1, "web:1"), held(2, "web:2")]


@pytest.mark.parametrize(
    ("workload", "holders", "to", "sentence"),
    [
        (deployment(), TWO, 7, "unable to find specified revision 7 in history"),
        (deployment(), TWO, -1, "unable to find specified revision -1 in history"),
        (deployment(), [], 0, 'no rollout history found for deployment "web"'),
        (deployment(), [held(2, "web:2")], 0, 'no rollout history found for deployment "web"'),
        (deployment(), [held(1, "web:1", owner="other"), held(2, "web:2")], 0, "no rollout history found"),
        (deployment(), [held("odd", "web:1"), held(2, "web:2")], 0, "no rollout history found"),
        (
            deployment(paused=True),
            TWO,
            1,
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
        ),
        (deployment(), TWO, 2, "skipped rollback (current template already matches revision 2)"),
        (
            deployment("web:1", 3),
            [held(3, "web:1", was="1"), held(2, "web:2")],
            1,
            "unable to find specified revision 1 in history: its template is revision 3 now",
        ),
    ],
)
def test_kubectl_s_refusals(workload: Any, holders: list[Any], to: int, sentence: str) -> None:
    with pytest.raises(CannotUndo) as problem:
        rollback(workload, holders, to=to)
    assert sentence in problem.value.sentence
    assert problem.value.skipped is sentence.startswith("skipped")


WELL, LONG_AGO = Healthy(10.0, 0.0), Healthy(1.0, 5.0)


@pytest.mark.parametrize(
    ("image", "revision", "holders", "observed", "number", "grounds"),
    [
        # the plain case: one other revision, of which nothing is known
        ("web:2", 2, TWO, {}, 1, Grounds.INFERRED),
        ("web:2", 2, TWO, {1: WELL}, 1, Grounds.OBSERVED),
        # the second highest is bad, and the one before was seen healthy
        ("web:3", 3, [*TWO, held(3, "web:3")], {1: LONG_AGO, 3: WELL}, 1, Grounds.OBSERVED),
        # the last one seen healthy, not the newest
        ("web:3", 3, [*TWO, held(3, "web:3")], {1: WELL, 2: LONG_AGO}, 1, Grounds.OBSERVED),
        # undo after an undo is not a way back to the bad one (kubectl's would be 2)
        ("web:1", 3, [held(0, "web:0"), held(3, "web:1", was="1"), held(2, "web:2")], {}, None, None),
        ("web:2b", 4, [held(3, "web:1", was="1"), held(2, "web:2"), held(4, "web:2b")], {}, 3, Grounds.INFERRED),
        # one that still serves is better than a newer one that nobody knows
        ("web:3", 3, [held(1, "web:1", ready=2), held(2, "web:2"), held(3, "web:3")], {}, 1, Grounds.INFERRED),
        # a revision that was seen healthy under a former number is the same one
        ("web:9", 9, [held(6, "web:1", was="3"), held(8, "web:8"), held(9, "web:9")], {3: WELL}, 6, Grounds.OBSERVED),
        # a spec that the controller has not seen yet: what it runs is the way back
        ("web:new", 2, TWO, {2: WELL}, 2, Grounds.OBSERVED),
    ],
)
def test_the_revision_that_is_gone_back_to(
    image: str, revision: int, holders: list[Any], observed: Any, number: int | None, grounds: Grounds | None
) -> None:
    if number is None:
        with pytest.raises(CannotUndo, match="name the one to go back to"):
            rollback(deployment(image, revision), holders, observed=observed)
        return
    found = rollback(deployment(image, revision), holders, observed=observed)
    assert (found.revision.number, found.grounds) == (number, grounds)
    assert found.words.startswith("inferred") is (grounds is Grounds.INFERRED)


def test_a_revision_that_differs_by_a_restart_alone_is_no_way_back() -> None:
    restarted = {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}
    workload = deployment("web:2", 3)
    workload["spec"]["template"] = template("web:2", metadata=restarted)
    with pytest.raises(CannotUndo, match="only restarted"):
        rollback(workload, [held(2, "web:2")], observed={2: WELL})
    found = rollback(workload, [held(2, "web:2"), held(1, "web:1")], observed={2: WELL})
    assert found.revision.number == 1
    assert rollback(workload, [held(2, "web:2")], to=2).grounds is Grounds.ASKED


def test_the_patch_is_the_raw_template_without_the_controllers_label() -> None:
    holders = [held(1, "web:1"), held(2, "web:2")]
    holders[0]["spec"]["template"]["spec"]["futureField"] = {"kept": [1, None]}
    found = rollback(deployment(), holders, to=1, cause="rollback by alice")
    replaced, added = json.loads(found.body)
    wanted = template("web:1")
    wanted["spec"]["futureField"] = {"kept": [1, None]}
    assert replaced == {"op": "replace", "path": "/spec/template", "value": wanted}
    assert added == {
        "op": "add",
        "path": "/metadata/annotations/kubernetes.io~1change-cause",
        "value": "rollback by alice",
    }
    assert found.content_type == "application/json-patch+json"
    assert holders[0]["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == "h1"  # untouched
    workload = deployment()
    del workload["metadata"]["annotations"]
    paths = [one["path"] for one in json.loads(rollback(workload, holders, to=1, cause="x").body)]
    assert paths == ["/spec/template", "/metadata/annotations", "/metadata/annotations/kubernetes.io~1change-cause"]


def test_what_differs_is_said_images_first_and_secrets_masked() -> None:
    now = deployment()
    now["spec"]["template"] = template("web:2", env=[{"name": "API_TOKEN", "value": "hunter22"}], tty=True)
    found = rollback(now, TWO, to=1)
    assert [(one.part, one.path, one.then) for one in found.differences] == [
        (Part.IMAGE, "spec.containers[web].image", "web:1"),
        (Part.ENVIRONMENT, "spec.containers[web].env[API_TOKEN].name", ""),
        (Part.ENVIRONMENT, "spec.containers[web].env[API_TOKEN].value", ""),
        (Part.OTHER, "spec.containers[web].tty", ""),
    ]
    assert "hunter22" not in repr(found.differences)


def test_what_kubectl_apply_manages_is_said() -> None:
    now = deployment()
    assert not rollback(now, TWO, to=1).overwritten
    now["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    assert rollback(now, TWO, to=1).overwritten


def controlled(number: int, image: str, name: str = "") -> dict[str, Any]:
    data = {"spec": {"template": {**template(image), "$patch": "replace"}}}
    metadata = {"name": name or f"db-{number}", "uid": f"cr{number}", "ownerReferences": OWNER}
    return {"metadata": metadata, "data": data, "revision": number}


def statefulset(image: str, kind: str = "StatefulSet", **status: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "db", "uid": UID},
        "spec": {"template": template(image)},
        "status": status,
    }


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_controller_revisions_are_sent_word_by_word(kind: str) -> None:
    holders = [controlled(1, "db:1"), controlled(2, "db:2")]
    found = rollback(statefulset("db:2", kind), holders, to=1, cause="not written there")
    assert json.loads(found.body) == holders[0]["data"]
    assert found.content_type == "application/strategic-merge-patch+json"
    for to, sentence in (
        (2, "skipped rollback (current template already matches revision 2)"),
        (3, "unable to find specified revision 3 in history"),
    ):
        with pytest.raises(CannotUndo) as problem:
            rollback(statefulset("db:2", kind), holders, to=to)
        assert problem.value.sentence == sentence
    with pytest.raises(CannotUndo, match="no last revision to roll back to"):
        rollback(statefulset("db:2", kind), holders[1:])


def test_a_stateful_set_goes_back_to_what_was_rolled_out_whole() -> None:
    holders = [controlled(1, "db:1"), controlled(2, "db:2"), controlled(3, "db:3")]
    stuck = statefulset("db:3", currentRevision="db-1", updateRevision="db-3")
    found = rollback(stuck, holders)
    assert (found.revision.number, found.grounds) == (1, Grounds.INFERRED)


def test_null_fields_make_no_other_template() -> None:
    holder = held(2, "web:2")
    holder["spec"]["template"]["metadata"]["creationTimestamp"] = None
    with pytest.raises(CannotUndo, match="skipped rollback"):
        rollback(deployment(), [holder], to=2)


@pytest.mark.parametrize(
    ("holders", "wanted"),
    [
        (TWO, set()),
        ([held(3, "web:1", was="1"), held(2, "web:2")], {2}),
        ([held(5, "web:1", was="1,3"), held(2, "web:2"), held(4, "web:4")], {2, 4}),
        ([held(3, "web:1", was="1"), held(4, "web:2", was="2")], {3}),
    ],
)
def test_revisions_that_were_left_by_going_back(holders: list[Any], wanted: set[int]) -> None:
    assert rolled_back_from(candidates(deployment("web:x", 9), holders)) == wanted


@given(
    st.lists(st.integers(1, 12), unique=True, min_size=1, max_size=6),
    st.sets(st.integers(1, 12)),
    st.integers(0, 12),
)
def test_without_a_number_the_target_is_known_good_or_said_to_be_inferred(
    numbers: list[int], healthy: set[int], current: int
) -> None:
    """Never the current template, never an unobserved one while an observed one is there."""
    holders = [held(number, f"web:{number}") for number in numbers]
    observed = {number: Healthy(float(number), float(number)) for number in healthy}
    try:
        found = rollback(deployment(f"web:{current}", current), holders, observed=observed)
    except CannotUndo:
        assert not [number for number in numbers if number != current]
        return
    good = [number for number in numbers if number in healthy and number != current]
    assert found.revision.number != current
    assert (found.grounds is Grounds.OBSERVED) is bool(good)
    assert not good or found.revision.number == max(good)
