"""managedFields as servers keep them: who last set which field."""

from __future__ import annotations

from typing import Any

from services.rehearsal.jsonic import Json


def fields_of(value: Any) -> Json:  # noqa: ANN401 (any JSON value)
    """Return the FieldsV1 tree of a value (structured-merge-diff fieldpath serialisation)."""
    if isinstance(value, dict):
        return {f"f:{key}": fields_of(child) for key, child in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict) and "name" in value[0]:
        return {f'k:{{"name":"{one["name"]}"}}': {".": {}, **fields_of(one)} for one in value}
    return {}


def template_fields(template: Json) -> Json:
    """Return the FieldsV1 tree of a pod template; templates of one shape share one tree, not to be changed."""
    shape = (
        tuple(template["metadata"].get("labels", ())),
        tuple(template["spec"]),
        tuple(
            (one["name"], *one, *(env["name"] for env in one.get("env", ()))) for one in template["spec"]["containers"]
        ),
    )
    found = _trees.get(shape)
    if found is None:
        if len(_trees) > _MOST_TREES:
            _trees.clear()
        found = _trees[shape] = fields_of(template)
    return found


_trees: dict[tuple[object, ...], Json] = {}
_MOST_TREES = 4096


def entry(manager: str, moment: str, fields: Json, api_version: str, subresource: str = "") -> Json:
    """Return one managedFields entry."""
    made: Json = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "time": moment,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if subresource:
        made["subresource"] = subresource
    return made


def set_manager(obj: Json, manager: str, moment: str, fields: Json, api_version: str) -> None:
    """Note that `manager` set these fields just now; its older entry is replaced."""
    metadata = obj["metadata"]
    kept = [one for one in metadata.get("managedFields", ()) if one["manager"] != manager or one.get("subresource")]
    metadata["managedFields"] = [*kept, entry(manager, moment, fields, api_version)]
