from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal_client import Client

from services.rehearsal.wire import protobuf

if TYPE_CHECKING:
    from services.rehearsal.server import Rehearsal

PODS = "/api/v1/pods"


async def test_a_bad_token_is_unauthorised_and_none_is_anonymous(client: Client) -> None:
    answer = await client.http.get(PODS, headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Unauthorized"
    del client.http.headers["Authorization"]
    answer = await client.http.get(PODS)
    assert answer.status_code == 403
    assert 'User "system:anonymous" cannot list resource "pods"' in answer.json()["message"]
    assert (await client.http.get("/version")).json()["gitVersion"].startswith("v1.36")
    assert (await client.http.get("/readyz")).text == "ok"


async def test_a_revoked_token_is_refused_until_restored(calm: Rehearsal, client: Client) -> None:
    calm.revoke("admin")
    assert (await client.get(PODS)).status_code == 401
    calm.restore("admin")
    assert (await client.get(PODS)).status_code == 200


async def test_the_narrow_user_sees_its_namespaces_alone(calm: Rehearsal) -> None:
    narrow = Client(calm, "narrow")
    refused = await narrow.get(PODS)
    assert refused.status_code == 403
    assert refused.json()["message"] == (
        'pods is forbidden: User "narrow" cannot list resource "pods" in API group "" at the cluster scope'
    )
    own = calm.address.narrow_namespaces
    assert own
    for namespace in own:
        assert (await narrow.json(f"/api/v1/namespaces/{namespace}/pods"))["items"]
        assert (await narrow.get(f"/api/v1/namespaces/{namespace}")).status_code == 200
    other = next(one for one in calm.plan.namespaces if one not in own)
    refused = await narrow.get(f"/apis/apps/v1/namespaces/{other}/deployments")
    assert refused.json()["message"] == (
        'deployments.apps is forbidden: User "narrow" cannot list resource "deployments" in API group "apps" '
        f'in the namespace "{other}"'
    )
    for path in ("/api/v1/nodes", "/api/v1/namespaces", f"/api/v1/namespaces/{own[0]}/secrets"):
        assert (await narrow.get(path)).status_code == 403
    assert (
        (await narrow.get(PODS, watch=1)).json()["message"].startswith('pods is forbidden: User "narrow" cannot watch')
    )


async def test_a_viewer_reads_all_but_secrets(calm: Rehearsal) -> None:
    viewer = Client(calm, "viewer")
    assert (await viewer.get("/api/v1/nodes")).status_code == 200
    assert (await viewer.get("/api/v1/secrets")).status_code == 403
    answer = await viewer.http.delete("/api/v1/namespaces/default/pods/x")
    assert 'cannot delete resource "pods"' in answer.json()["message"]


async def test_a_cluster_wide_list_may_be_refused_kind_by_kind(calm: Rehearsal, client: Client) -> None:
    calm.access.refused_cluster_wide = {"pods"}
    assert (await client.get(PODS)).status_code == 403
    assert (await client.get("/apis/apps/v1/deployments")).status_code == 200
    assert (await client.get(f"/api/v1/namespaces/{calm.plan.namespaces[0]}/pods")).status_code == 200


@pytest.mark.parametrize(
    ("account", "verb", "resource", "where", "allowed"),
    [
        ("admin", "delete", "pods", "", True),
        ("viewer", "list", "pods", "", True),
        ("viewer", "delete", "pods", "", False),
        ("viewer", "get", "secrets", "", False),
        ("narrow", "list", "pods", "", False),
        ("narrow", "list", "pods", "own", True),
        ("narrow", "list", "nodes", "own", False),
        ("narrow", "get", "pods/log", "own", True),
    ],
)
async def test_access_reviews_agree_with_the_rights(
    calm: Rehearsal, account: str, verb: str, resource: str, where: str, allowed: bool
) -> None:
    name, _, sub = resource.partition("/")
    namespace = calm.address.narrow_namespaces[0] if where else ""
    attributes = {"verb": verb, "resource": name, "subresource": sub, "namespace": namespace}
    answer = await Client(calm, account).http.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json={"spec": {"resourceAttributes": attributes}}
    )
    assert answer.status_code == 201
    assert answer.json()["status"]["allowed"] is allowed


async def test_rules_and_identity(calm: Rehearsal) -> None:
    narrow = Client(calm, "narrow")
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    own = (await narrow.http.post(path, json={"spec": {"namespace": calm.address.narrow_namespaces[0]}})).json()
    other = (await narrow.http.post(path, json={"spec": {"namespace": "kube-system"}})).json()
    assert any("pods" in rule["resources"] for rule in own["status"]["resourceRules"])
    assert not any("pods" in rule["resources"] for rule in other["status"]["resourceRules"])
    who = (await narrow.http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})).json()
    assert who["status"]["userInfo"]["username"] == "narrow"
    broken = await narrow.http.post(path, content=b"{")
    assert (broken.status_code, broken.json()["reason"]) == (400, "BadRequest")


def _message(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2, len(value))) + value


def test_reviews_are_read_from_protobuf() -> None:
    attributes = _message(1, b"shop") + _message(2, b"list") + _message(5, b"pods") + _message(3, b"")
    review = _message(1, b"") + _message(2, _message(1, attributes))
    body = protobuf.MAGIC + _message(1, _message(1, b"authorization.k8s.io/v1")) + _message(2, review)
    assert protobuf.access_spec(body) == {
        "resourceAttributes": {"namespace": "shop", "verb": "list", "resource": "pods"}
    }
    rules = protobuf.MAGIC + _message(2, _message(2, _message(1, b"shop")))
    assert protobuf.rules_spec(rules) == {"namespace": "shop"}


@given(st.binary(max_size=80))
def test_broken_protobuf_is_a_value_error_at_worst(body: bytes) -> None:
    for read in (protobuf.access_spec, protobuf.rules_spec):
        try:
            found = read(protobuf.MAGIC + body)
        except ValueError:
            continue
        assert isinstance(found, dict)
