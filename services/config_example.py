"""Writes the commented example configuration from the settings' own documentation, so that it cannot fall behind."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect, structs

from services.config_locate import dotted
from services.config_schema import Config
from services.config_secret import FORMS, SecretRef

_HEAD = f"""\
# Quarterdeck's configuration. Every setting may be left out; those below are shown with their defaults, or with an
# example where there is none. Unknown keys are refused. What a flag says wins over the environment
# (QUARTERDECK_<SECTION>_<SETTING>, such as QUARTERDECK_UI_THEME), which wins over this file.
# Secrets are never written here, only where they are: {FORMS}.
"""


def generate_example() -> str:
    """Return the example: every setting, commented out (`#key = value`), with its documentation above (`# ...`)."""
    parts = [_HEAD]
    for section in structs.fields(Config):
        info = inspect.type_info(section.type)
        meta, plain = _split(info)
        if isinstance(plain, inspect.StructType):
            parts.append("\n".join(_table(plain.cls, f"[{section.name}]")))
        elif isinstance(plain, inspect.DictType) and isinstance(_split(plain.value_type)[1], inspect.StructType):
            inner = _split(plain.value_type)[1]
            assert isinstance(inner, inspect.StructType)  # noqa: S101 - asked for in the condition
            name = dotted((section.name, str(meta["examples"][0])))
            parts.append("\n".join(_table(inner.cls, f"#[{name}]")))
        else:
            parts.append(f"# {meta['description']}\n[{section.name}]\n" + _entries(meta["examples"][0]))
    return "\n".join(parts)


def _table(kind: type[msgspec.Struct], header: str) -> Iterator[str]:
    yield f"# {(kind.__doc__ or '').strip()}"
    yield header
    for setting in structs.fields(kind):
        meta, _ = _split(inspect.type_info(setting.type))
        yield from textwrap.wrap(meta["description"], 116, initial_indent="# ", subsequent_indent="# ")
        value = setting.default
        if value in (None, "", (), msgspec.NODEFAULT) or setting.name == "colour":
            value = meta["examples"][0]
        yield f"#{setting.name} = {_toml(value)}"
    yield ""


def _entries(values: dict[str, str]) -> str:
    return "".join(f"#{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, str | SecretRef):
        return msgspec.json.encode(str(value)).decode()
    return str(value)


def _split(info: inspect.Type) -> tuple[dict[str, Any], inspect.Type]:
    """Separate a setting's documentation from its type."""
    if isinstance(info, inspect.Metadata):
        return dict(info.extra_json_schema or {}), info.type
    return {}, info
