"""Turns a parsed TOML document and its overrides into `Config`, collecting every fault with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect, structs

from services.config_locate import KeyPath, did_you_mean, dotted
from services.config_notify import notify_faults
from services.config_policy import policy_faults
from services.config_schema import Config
from services.config_secret import SecretRef
from services.redact import redact
from services.sanitize import safe_text

_WORDS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.StrType: "a text",
    inspect.IntType: "a whole number",
    inspect.VarTupleType: "a list of texts",
    inspect.DictType: "a table of texts",
}


class Override(NamedTuple):
    """A value from the environment or a flag; `origin` names it in messages."""

    origin: str
    value: object


class Fault(NamedTuple):
    """One thing wrong: the key's path, where the value came from (empty: the file) and why it is refused."""

    path: KeyPath
    origin: str
    reason: str


def decode(raw: Mapping[str, Any], overrides: Mapping[KeyPath, Override]) -> tuple[Config, list[Fault]]:
    """Build the configuration; where there are faults, the defaults stand in for what was refused."""
    decoder = _Decoder(overrides)
    config = decoder.build(Config, raw, ())
    assert isinstance(config, Config)  # noqa: S101 - build returns what it was asked for
    if not decoder.faults and not raw.keys().isdisjoint(("notify", "tell", "templates")):
        faults = notify_faults(config.notify, config.tell, config.templates)
        decoder.faults += [Fault(path, "", reason) for path, reason in faults]
    if not decoder.faults and "policy" in raw:
        decoder.faults += [Fault(path, "", reason) for path, reason in policy_faults(config.policy)]
    return config, decoder.faults


class _Decoder:
    """Walks the schema and the document side by side."""

    def __init__(self, overrides: Mapping[KeyPath, Override]) -> None:
        self.faults: list[Fault] = []
        self._overrides = overrides

    def build(self, kind: type[msgspec.Struct], raw: object, path: KeyPath) -> msgspec.Struct:
        """Build one table. `raw` is what the document holds there."""
        if not isinstance(raw, Mapping):
            self._fault(path, f"must be a table: [{dotted(path)}]")
            raw = {}
        fields = {field.name: field for field in structs.fields(kind)}
        for key in raw:
            if key not in fields:
                self._unknown(path, str(key), fields)
        values: dict[str, Any] = {}
        for name, field in fields.items():
            place = (*path, name)
            nested = _nested(field.type)
            if nested is not None:
                values[name] = self.build(nested, raw.get(name, {}), place)
            elif _is_table_of_tables(field.type):
                values[name] = self._tables(field.type, raw.get(name, {}), place)
            elif place in self._overrides or name in raw:
                self._leaf(values, field.type, raw, place)
        return kind(**values)

    def _tables(self, annotated: object, raw: object, path: KeyPath) -> dict[str, msgspec.Struct]:
        element = _element(annotated)
        if not isinstance(raw, Mapping):
            self._fault(path, f'must hold tables: [{dotted(path)}."name"]')
            return {}
        return {str(key): self.build(element, value, (*path, str(key))) for key, value in raw.items()}

    def _leaf(self, values: dict[str, Any], annotated: object, raw: Mapping[str, Any], path: KeyPath) -> None:
        override = self._overrides.get(path)
        origin, value = override if override is not None else ("", raw.get(path[-1]))
        try:
            values[path[-1]] = convert(value, annotated, strict=override is None)
        except ValueError as error:
            self._fault(path, str(error), origin)

    def _unknown(self, path: KeyPath, key: str, known: Mapping[str, object]) -> None:
        where = f" in [{dotted(path)}]" if path else ""
        what = "section" if not path else "key"
        shown = redact(safe_text(key, 60))
        self._fault((*path, key), f'unknown {what} "{shown}"{where}{did_you_mean(key, known)}')

    def _fault(self, path: KeyPath, reason: str, origin: str = "") -> None:
        self.faults.append(Fault(path, origin, reason))


def convert(value: object, annotated: object, *, strict: bool) -> object:
    """Return `value` as the type of a setting; with `strict` off, text from outside the file is read as that type.

    Raises ValueError with the end of a sentence: "must be true or false, not a text".
    """
    info = inspect.type_info(annotated)
    if _holds_secret(info):
        if not isinstance(value, str):
            raise ValueError("must be a text that says where the secret is")
        return SecretRef(value)
    if not strict and isinstance(value, str):
        value = _from_text(value, info)
    try:
        converted: object = msgspec.convert(value, annotated, strict=strict)
    except msgspec.ValidationError:
        like = _written_like(info)
        wanted = f"written like {like}" if like else describe(annotated)
        raise ValueError(f"must be {wanted}, not {_shown(value, info)}") from None
    return converted


def _written_like(info: inspect.Type) -> str:
    """Return an example of a moment, or of several, which have a form of their own; "" for any other setting."""
    plain = _plain(info)
    inner = _plain(plain.item_type) if isinstance(plain, inspect.VarTupleType) else plain
    if not isinstance(inner, inspect.StrType) or ":" not in (inner.pattern or ""):
        return ""
    examples = (info.extra_json_schema or {}).get("examples") if isinstance(info, inspect.Metadata) else None
    return json.dumps(examples[0]) if examples else ""


def _from_text(value: str, info: inspect.Type) -> object:
    plain = _plain(info)
    if isinstance(plain, inspect.BoolType) and value.lower() in {"on", "yes", "off", "no"}:
        return value.lower() in {"on", "yes"}
    if isinstance(plain, inspect.VarTupleType):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _shown(value: object, info: inspect.Type) -> str:
    """Say what was found; a text only where one of a few words was wanted, anything else by its type."""
    if isinstance(value, str):
        plain = _plain(info)
        near = did_you_mean(value, map(str, plain.values)) if isinstance(plain, inspect.LiteralType) else ""
        return f'"{redact(safe_text(value, 40))}"{near}'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(safe_text(value, 40))
    if isinstance(value, list | tuple):
        return _first_wrong(value, info)
    return "what it is"


def _first_wrong(values: Sequence[object], info: inspect.Type) -> str:
    """Say which of a list is wrong, where each has a form of its own."""
    plain = _plain(info)
    inner = _plain(plain.item_type) if isinstance(plain, inspect.VarTupleType) else plain
    pattern = inner.pattern if isinstance(inner, inspect.StrType) else None
    wrong = [one for one in values if isinstance(one, str) and pattern and not re.search(pattern, one)]
    return f'"{redact(safe_text(wrong[0], 40))}"' if wrong else "that list"


def describe(annotated: object) -> str:
    """Say in words what a setting takes: `one of "auto", "on", "off"`, `a whole number from 1 to 100`."""
    return _describe(inspect.type_info(annotated))


def _describe(info: inspect.Type) -> str:
    plain = _plain(info)
    if isinstance(plain, inspect.LiteralType):
        words = "one of " + ", ".join(f'"{value}"' for value in plain.values)
    elif isinstance(plain, inspect.IntType) and plain.le is not None:
        words = f"a whole number from {plain.ge} to {plain.le}"
    elif isinstance(plain, inspect.DictType) and isinstance(_plain(plain.value_type), inspect.FloatType):
        words = 'a table of numbers, each under a name in quotes: {"name" = 0.1}'
    elif isinstance(plain, inspect.StrType) and plain.max_length is not None:
        letters = " of letters, digits, _ and -" if plain.pattern else ""
        words = f"a text{letters}, {plain.max_length} characters at most"
    else:
        words = _WORDS.get(type(plain), "something else")
    return words


def _plain(info: inspect.Type) -> inspect.Type:
    """Strip documentation and `| None`."""
    if isinstance(info, inspect.Metadata):
        return _plain(info.type)
    if isinstance(info, inspect.UnionType):
        return next(_plain(kind) for kind in info.types if not isinstance(kind, inspect.NoneType))
    return info


def _holds_secret(info: inspect.Type) -> bool:
    plain = _plain(info)
    return isinstance(plain, inspect.CustomType) and plain.cls is SecretRef


def _nested(annotated: object) -> type[msgspec.Struct] | None:
    plain = _plain(inspect.type_info(annotated))
    return plain.cls if isinstance(plain, inspect.StructType) else None


def _is_table_of_tables(annotated: object) -> bool:
    plain = _plain(inspect.type_info(annotated))
    return isinstance(plain, inspect.DictType) and isinstance(_plain(plain.value_type), inspect.StructType)


def _element(annotated: object) -> type[msgspec.Struct]:
    plain = _plain(inspect.type_info(annotated))
    assert isinstance(plain, inspect.DictType)  # noqa: S101 - only called where _is_table_of_tables
    value = _plain(plain.value_type)
    assert isinstance(value, inspect.StructType)  # noqa: S101 - as above
    return value.cls
