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
