"""The three kinds of patch, apart from any server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rehearsal.jsonic import decode, encode
from services.rehearsal.wire.patching import (
    MergeKeyError,
    PatchError,
    go_map,
    json_patch,
    merge_patch,
    strategic,
)
from services.rehearsal.wire.schema import structs

Json = dict[str, Any]
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text("ab/~", max_size=2), VALUES, max_size=4)
POD = structs()["core.PodSpec"]


@pytest.mark.parametrize(
    ("before", "operations", "after"),
    [
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"}], {}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a/b": {"c~d": 1}}, [{"op": "replace", "path": "/a~1b/c~0d", "value": 2}], {"a/b": {"c~d": 2}}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a": {"x": 1}}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": {"x": 1}, "b": {"x": 1}}),
        ({"a": 1}, [{"op": "replace", "path": "/none", "value": 2}], {"a": 1, "none": 2}),
    ],
)
def test_json_patch(before: Json, operations: list[Json], after: Json) -> None:
    kept = encode(before)
    assert json_patch(before, operations) == after
    assert encode(before) == kept


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/none", "value": 2},
        {"op": "remove", "path": "/none"},
        {"op": "add", "path": "/none/deeper", "value": 1},
        {"op": "add", "path": "/l/4", "value": 1},
        {"op": "remove", "path": "/l/1"},
        {"op": "replace", "path": "/l/x", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "wish", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "", "value": 1},
    ],
)
def test_json_patch_fails_whole(operation: Json) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": 1, "l": [0]}, [{"op": "add", "path": "/b", "value": 1}, operation])


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_of_the_difference_leads_there(before: Json, after: Json) -> None:
    after = _without_nulls(after)
    assert merge_patch(_without_nulls(before), _difference(_without_nulls(before), after)) == after


def _without_nulls(value: Any) -> Any:
    """Objects that hold null cannot be written by a merge patch."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return value


def _difference(before: Any, after: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    changed = {key: _difference(before.get(key), one) for key, one in after.items() if before.get(key) != one}
    return {**changed, **{key: None for key in before if key not in after}}


@given(OBJECTS, OBJECTS)
def test_without_directives_a_strategic_patch_of_unknown_kinds_merges(before: Json, patch: Json) -> None:
    kept = encode(before)
    assert strategic(before, patch, None) == _merged(before, patch)
    assert encode(before) == kept


def _merged(target: Any, patch: Json) -> Json:
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value) if isinstance(value, dict) else value
    return merged


SPEC: Json = {
    "containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80}]},
        {"name": "b", "image": "b:1"},
    ],
    "tolerations": [{"key": "k"}],
    "nodeSelector": {"zone": "a"},
}


def names(spec: Json) -> list[str]:
    return [one["name"] for one in spec["containers"]]


def test_containers_merge_by_name() -> None:
    after = strategic(SPEC, {"containers": [{"name": "b", "image": "b:2"}]}, POD)
    assert names(after) == ["a", "b"]
    assert after["containers"][1] == {"name": "b", "image": "b:2"}
    assert after["containers"][0] == SPEC["containers"][0]


def test_variables_of_a_container_merge_within_it() -> None:
    patch = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "$patch": "delete"}]}]}
    assert strategic(SPEC, patch, POD)["containers"][0]["env"] == [{"name": "Y", "value": "2"}]


def test_new_elements_stand_before_old_ones_unless_an_order_is_given() -> None:
    patch: Json = {"containers": [{"name": "c", "image": "c:1"}]}
    assert names(strategic(SPEC, patch, POD)) == ["c", "a", "b"]
    patch["$setElementOrder/containers"] = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    assert names(strategic(SPEC, patch, POD)) == ["a", "b", "c"]


def test_an_order_alone_only_orders() -> None:
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert names(strategic(SPEC, patch, POD)) == ["b", "a"]


def test_lists_without_a_merge_key_and_replaced_ones() -> None:
    assert strategic(SPEC, {"tolerations": [{"key": "z"}]}, POD)["tolerations"] == [{"key": "z"}]
    whole = {"containers": [{"$patch": "replace"}, {"name": "z", "image": "z:1"}]}
    assert strategic(SPEC, whole, POD)["containers"] == [{"name": "z", "image": "z:1"}]
    assert strategic(SPEC, {"nodeSelector": {"$patch": "replace", "pool": "b"}}, POD)["nodeSelector"] == {"pool": "b"}
    assert strategic(SPEC, {"nodeSelector": {"$retainKeys": ["x"], "x": "1"}}, POD)["nodeSelector"] == {"x": "1"}


def test_what_cannot_be_merged_is_said() -> None:
    with pytest.raises(
        MergeKeyError, match=r"^map: map\[image:d ports:\[\]\] does not contain declared merge key: name$"
    ):
        strategic(SPEC, {"containers": [{"image": "d", "ports": []}]}, POD)
    with pytest.raises(PatchError):
        strategic(SPEC, {"$patch": "wish"}, POD)


def test_maps_as_go_writes_them() -> None:
    assert go_map({"b": [1, True, None], "a": {"x": "y"}}) == "map[a:map[x:y] b:[1 true <nil>]]"


@given(
    OBJECTS,
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "remove", "test", "copy", "move"]), "path": st.text("/ab~01-", max_size=5)},
            optional={"value": VALUES, "from": st.text("/ab", max_size=4)},
        ),
        max_size=4,
    ),
)
def test_no_json_patch_changes_its_document(before: Json, operations: list[Json]) -> None:
    kept = encode(before)
    try:
        after = json_patch(before, operations)
    except PatchError:
        after = {}
    assert encode(before) == kept
    assert decode(encode(after)) == after
