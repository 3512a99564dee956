"""Prints an object as YAML for a person: managedFields hidden, secret values masked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

MASK = "***"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SENSITIVE = re.compile(r"token|secret|passw|pwd|key|credential|dsn", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)(?=@)")


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy fit to be shown: no managedFields, no Secret's values, no value of a variable named like a secret.

    Also masked: passwords inside URLs of variables and arguments, and everything in the last-applied annotation that
    would be masked in the object itself.
    """
    shown: dict[str, Any] = _walk(document)
    metadata = shown.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
        _mask_last_applied(metadata, is_secret=document.get("kind") == "Secret")
    if document.get("kind") == "Secret":
        for field in ("data", "stringData"):
            values = shown.get(field)
            if isinstance(values, dict):
                shown[field] = dict.fromkeys(values, MASK)
    return shown


def is_secret_name(name: str) -> bool:
    """Say whether a variable of this name is taken to hold a secret."""
    return _SENSITIVE.search(name) is not None


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return the masked object as YAML, fields in the server's order, long texts as blocks."""
    text: str = yaml.dump(
        masked(document), Dumper=_dumper(), sort_keys=False, default_flow_style=False, allow_unicode=True, width=4096
    )
    return text


def _walk(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        copy = {key: _walk(each) for key, each in value.items()}
        name = copy.get("name")
        if isinstance(name, str) and isinstance(copy.get("value"), str) and is_secret_name(name):
            copy["value"] = MASK
        return copy
    if isinstance(value, list):
        return [_walk(each) for each in value]
    if isinstance(value, str) and "://" in value:
        return _IN_URL.sub(rf"\1:{MASK}", value)
    return value


def _mask_last_applied(metadata: dict[str, Any], *, is_secret: bool) -> None:
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict) or LAST_APPLIED not in annotations:
        return
    applied = MASK
    if not is_secret:
        try:
            document = json.loads(annotations[LAST_APPLIED])
            applied = json.dumps(masked(document)) if isinstance(document, dict) else MASK
        except (ValueError, TypeError, RecursionError):
            applied = MASK
    annotations[LAST_APPLIED] = applied


def _dumper() -> Any:  # noqa: ANN401 - the C dumper has no common type with the other
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    represent: Callable[[Any, str], Any] = _text
    dumper: Any = type("Dumper", (base,), {"ignore_aliases": lambda _self, _data: True})
    dumper.add_representer(str, represent)
    return dumper


def _text(dumper: Any, text: str) -> Any:  # noqa: ANN401 - PyYAML's own nodes
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
