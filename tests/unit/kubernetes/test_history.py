"""The table of `kubectl rollout history`, case by case: which revisions there are, in which order, with which cause."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.kubernetes.history import revisions

REVISION, CAUSE = "deployment.kubernetes.io/revision", "kubernetes.io/change-cause"
Document = dict[str, Any]


def workload(kind: str, revision: str = "3", **status: Any) -> Document:
    metadata = {"name": "web", "uid": "u", "annotations": {REVISION: revision} if kind == "Deployment" else {}}
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:live"}]}}}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status}


def held(number: object, cause: str = "", owner: str = "u", controller: bool = True, **more: Any) -> Document:
    """A ReplicaSet; its revision is an annotation."""
    annotations = {REVISION: str(number)} if number is not None else {}
    annotations |= {CAUSE: cause} if cause else {}
    owners = [{"uid": owner, "controller": controller, "kind": "Deployment", "name": "web"}]
    metadata = {"name": f"web-{number}", "uid": f"rs{number}", "annotations": annotations, "ownerReferences": owners}
    template = {"spec": {"containers": [{"name": "web", "image": f"web:{number}"}]}}
    return {"metadata": metadata, "spec": {"replicas": 0, "template": template}, **more}


def controlled(number: int, cause: str = "", owner: str = "u") -> Document:
    """A ControllerRevision; its revision is a field."""
    owners = [{"uid": owner, "controller": True, "kind": "StatefulSet", "name": "web"}]
    metadata = {"name": f"web-{number}", "uid": f"cr{number}", "ownerReferences": owners}
    metadata |= {"annotations": {CAUSE: cause}} if cause else {}
    template = {"$patch": "replace", "spec": {"containers": [{"name": "web", "image": f"web:{number}"}]}}
    return {"metadata": metadata, "revision": number, "data": {"spec": {"template": template}}}


GOLDEN = [
    # by number and not by age or place; a cause that is missing is <none>, here ""
    ("Deployment", [held(9), held(10, "to 10"), held(2)], [(10, "to 10"), (9, ""), (2, "")]),
    # what carries no number, or another than a number, is left out; so is 0
    ("Deployment", [held(None), held("odd"), held("1.5"), held(0), held(-1), held(3)], [(3, "")]),
    # what another controller owns, or nobody controls
    ("Deployment", [held(1, owner="other"), held(2, controller=False), held(3)], [(3, "")]),
    ("Deployment", [], []),
    ("StatefulSet", [controlled(1, "first"), controlled(3), controlled(2)], [(3, ""), (2, ""), (1, "first")]),
    ("DaemonSet", [controlled(2), controlled(1, owner="other")], [(2, "")]),
]


@pytest.mark.parametrize(("kind", "items", "wanted"), GOLDEN)
def test_the_rows_of_kubectl_rollout_history(kind: str, items: list[Document], wanted: list[tuple[int, str]]) -> None:
    found = revisions(json.dumps(workload(kind)).encode(), json.dumps({"items": items}).encode(), kind)
    assert [(one.number, one.change_cause) for one in found] == wanted
    assert [one.images for one in found] == [(f"web:{number}",) for number, _ in wanted]


@pytest.mark.parametrize(
    ("kind", "items", "status", "current"),
    [
        ("Deployment", [held(2), held(3)], {}, 3),
        ("StatefulSet", [controlled(1), controlled(2)], {"updateRevision": "web-1", "currentRevision": "web-1"}, 1),
        ("StatefulSet", [controlled(1), controlled(2)], {"updateRevision": "web-2", "currentRevision": "web-1"}, 2),
        ("DaemonSet", [controlled(1), controlled(2)], {}, 2),
    ],
)
def test_the_current_one_is_marked(kind: str, items: list[Document], status: Document, current: int) -> None:
    found = revisions(json.dumps(workload(kind, **status)).encode(), json.dumps({"items": items}).encode(), kind)
    assert [one.number for one in found if one.current] == [current]
