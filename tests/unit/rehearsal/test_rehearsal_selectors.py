from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rehearsal import resources
from services.rehearsal.store import Entry
from services.rehearsal.wire.errors import ApiError
from services.rehearsal.wire.selectors import Selection, parse_fields, parse_labels

_LABELS = {"app": "cart", "tier": "web", "size": "3", "example.com/odd": ""}


def _entry(labels: dict[str, str] = _LABELS) -> Entry:
    return Entry({"metadata": {"name": "x", "namespace": "n", "uid": "u", "labels": labels}}, 1, b"{}", {})


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", True),
        ("app=cart", True),
        ("app==cart,tier!=db", True),
        ("app = cart , tier in (web, db)", True),
        ("tier notin (web)", False),
        ("colour notin (red)", True),
        ("colour!=red", True),
        ("app", True),
        ("!app", False),
        ("! colour", True),
        ("size>2,size<4", True),
        ("size>3", False),
        ("app>1", False),
        ("example.com/odd=", True),
        ("example.com/odd in ()", True),
        ("colour in (red)", False),
    ],
)
def test_label_selectors(selector: str, wanted: bool) -> None:
    assert Selection("", parse_labels(selector)).matches(_entry()) is wanted


@pytest.mark.parametrize("selector", ["a in (", "=x", "a==b c", "a,,b", "a b", ",a"])
def test_malformed_selectors_are_refused(selector: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_labels(selector)
    assert refusal.value.code == 400


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ApiError):
        assert isinstance(parse_labels(text), tuple)


_KEYS = st.sampled_from(["app", "tier", "colour"])
_VALUES = st.sampled_from(["cart", "web", "red"])


@given(_KEYS, st.lists(_VALUES, min_size=1, max_size=3), st.dictionaries(_KEYS, _VALUES))
def test_in_and_notin_are_opposites(key: str, values: list[str], labels: dict[str, str]) -> None:
    entry = _entry(labels)
    chosen = Selection("", parse_labels(f"{key} in ({','.join(values)})")).matches(entry)
    other = Selection("", parse_labels(f"{key} notin ({','.join(values)})")).matches(entry)
    assert chosen is not other
    assert chosen is (labels.get(key) in values)


def test_fields_that_a_resource_does_not_offer() -> None:
    assert parse_fields(resources.PODS, "spec.nodeName=a,metadata.name!=b") == (
        ("spec.nodeName", "=", "a"),
        ("metadata.name", "!=", "b"),
    )
    for resource, text in (
        (resources.PODS, "spec.x=1"),
        (resources.DEPLOYMENTS, "status.phase=x"),
        (resources.PODS, "x"),
    ):
        with pytest.raises(ApiError):
            parse_fields(resource, text)
