"""What a person is shown of an object holds no secret, in the object nor in its copies of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from services.kubernetes.describe import describe
from services.kubernetes.yamltext import LAST_APPLIED, MASK, is_secret_name, masked, to_yaml

NOW = 1_800_000_000.0
CANARY = "c4nary-v4lue"


def secret() -> dict[str, Any]:
    whole = {"apiVersion": "v1", "kind": "Secret", "data": {"a": CANARY}, "stringData": {"b": CANARY}}
    annotations = {LAST_APPLIED: json.dumps(whole), "note": "kept"}
    return {**whole, "metadata": {"name": "s", "annotations": annotations, "managedFields": [{"manager": "x"}]}}


def deployment(variables: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": "main", "image": "i:1", "env": variables}]}}}
    annotations = {LAST_APPLIED: json.dumps({"kind": "Deployment", "spec": spec})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "annotations": annotations},
        "spec": spec,
    }


def test_a_secret_keeps_its_keys_only() -> None:
    text = to_yaml(secret())
    assert CANARY not in text
    assert "managedFields" not in text
    shown = yaml.safe_load(text)
    assert shown["data"] == {"a": MASK}
    assert shown["stringData"] == {"b": MASK}
    assert shown["metadata"]["annotations"] == {LAST_APPLIED: MASK, "note": "kept"}


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "api_token", "ClientSecret", "SSH_KEY", "PGPASSWD", "AWS_SECRET_ACCESS_KEY", "CREDENTIALS"]
)
def test_variables_named_like_secrets_are_masked_wherever_they_stand(name: str) -> None:
    document = deployment([{"name": name, "value": CANARY}, {"name": "MODE", "value": "fast"}])
    text = to_yaml(document)
    assert CANARY not in text
    assert "fast" in text
    assert CANARY not in "\n".join(describe(masked(document), (), NOW))
    assert is_secret_name(name)


def test_passwords_in_urls_are_masked() -> None:
    text = to_yaml(deployment([{"name": "DATABASE_URL", "value": f"postgres://app:{CANARY}@db:5432/x?y=1"}]))
    assert CANARY not in text
    assert "postgres://app:***@db:5432/x?y=1" in text


def test_a_reference_to_a_secret_is_shown() -> None:
    variable = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}
    lines = describe(masked(deployment([variable])), (), NOW)
    assert any("set to the key pw of secret db" in line for line in lines)


def test_an_applied_copy_that_cannot_be_read_is_masked_whole() -> None:
    document = deployment([])
    document["metadata"]["annotations"][LAST_APPLIED] = "{" + CANARY
    assert CANARY not in to_yaml(document)


def test_long_texts_are_blocks_and_fields_keep_their_order() -> None:
    text = to_yaml({"kind": "ConfigMap", "data": {"z": "one\ntwo\n", "a": "x"}})
    assert text == "kind: ConfigMap\ndata:\n  z: |\n    one\n    two\n  a: x\n"


def test_equal_parts_are_written_out_not_referred_to() -> None:
    part = {"x": "1"}
    assert "&" not in to_yaml({"kind": "A", "one": part, "two": part})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["kind", "metadata", "spec", "status", "data", "x"]), json_values, max_size=6))
def test_any_object_is_printed_as_what_it_is(document: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(document)) == masked(document)


@given(st.dictionaries(st.sampled_from(["spec", "data", "extra"]), json_values, max_size=3))
@example({"spec": {" \n": None}})
def test_any_kind_is_described(rest: dict[str, Any]) -> None:
    document = {"apiVersion": "x/v1", "kind": "Odd", "metadata": {"name": "o"}, **rest}
    lines = describe(document, (), NOW)
    assert lines[0].split() == ["Name:", "o"]
    assert lines[-1].split() == ["Events:", "<none>"]
    assert not any("\n" in line for line in lines)
