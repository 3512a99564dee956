"""Patterns and the index of matches, against the plainest way to find them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.search import MatchIndex, Pattern, PatternError, compile_pattern, joined_spans

WORDS = st.text(alphabet="abAB .*[]é漢İ\u017fK", max_size=12)


def pattern_of(text: str, *, regex: bool = False) -> Pattern:
    pattern = compile_pattern(text, regex=regex)
    assert pattern is not None
    return pattern


@pytest.mark.parametrize(
    ("typed", "regex", "line", "spans"),
    [
        ("error", False, "an ERROR, an error", ((3, 8), (13, 18))),
        ("Error", False, "an ERROR, an Error", ((13, 18),)),
        ("a.c", False, "abc a.c", ((4, 7),)),
        ("a.c", True, "abc a.c", ((0, 3), (4, 7))),
        (r"\Serror", True, "an xERROR", ((3, 9),)),
        ("[/]", False, "x [/] y", ((2, 5),)),
        ("x*", True, "axxb", ((1, 3),)),
        ("é", False, "É é", ((0, 1), (2, 3))),
        ("漢", False, "日漢字", ((1, 2),)),
        ("none", False, "nothing", ()),
    ],
)
def test_finds_what_was_typed(typed: str, regex: bool, line: str, spans: tuple[tuple[int, int], ...]) -> None:
    pattern = pattern_of(typed, regex=regex)
    assert pattern.spans(line) == spans
    assert pattern.matches(line) == (bool(spans) or bool(regex and re.search(typed, line)))


def test_nothing_typed_is_no_pattern() -> None:
    assert compile_pattern("") is None


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("(", "character 1"),
        ("[a", "unterminated"),
        ("*a", "nothing to repeat"),
        ("(a+)+", "repetition"),
        ("((a*)b?)*", "repetition"),
        ("(x{2,})+y", "repetition"),
        (r"(\d+,?)*$", "repetition"),
        ("a{99999999999999}", "too"),
        ("(" * 400, "character"),
        ("x" * 501, "longer"),
    ],
)
def test_refuses_in_one_sentence(typed: str, says: str) -> None:
    with pytest.raises(PatternError) as refused:
        compile_pattern(typed, regex=True)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("typed", ["(a+)b", "(a|b)+", "[+*]+", r"\(a+\)+", "(ab)+c*", "(?:x+)?", "a+b+", "(a{2,3})+"])
def test_takes_honest_repetitions(typed: str) -> None:
    assert compile_pattern(typed, regex=True) is not None


@given(typed=WORDS, line=WORDS)
def test_a_plain_pattern_matches_where_it_has_spans(typed: str, line: str) -> None:
    pattern = compile_pattern(typed)
    if pattern is None:
        return
    spans = pattern.spans(line)
    assert pattern.matches(line) == bool(spans)
    flags = 0 if any(letter.isupper() for letter in typed) else re.IGNORECASE
    assert spans == tuple(found.span() for found in re.finditer(re.escape(typed), line, flags))


@given(typed=st.lists(WORDS, max_size=3), line=WORDS)
def test_joined_spans_neither_overlap_nor_touch(typed: list[str], line: str) -> None:
    patterns = [pattern for text in typed if (pattern := compile_pattern(text)) is not None]
    joined = joined_spans(patterns, line)
    assert all(one[1] < other[0] for one, other in pairwise(joined))
    covered = {at for start, end in joined for at in range(start, end)}
    assert covered == {at for pattern in patterns for start, end in pattern.spans(line) for at in range(start, end)}


@given(lines=st.lists(st.sampled_from(["hit", "miss", "a hit"])), budget=st.integers(1, 200), first=st.integers(0, 9))
def test_the_index_finds_all_in_any_slices(lines: list[str], budget: int, first: int) -> None:
    named = dict(enumerate(lines, first))
    wanted = [name for name, line in named.items() if "hit" in line]
    seen: list[int] = []

    def text_of(name: int) -> str:
        seen.append(name)
        return named[name]

    index = MatchIndex(pattern_of("hit"))
    while not index.advance(list(named), text_of, budget):
        pass
    assert seen == list(named), "each line is looked at once"
    assert len(index) == len(wanted)
    for name in named:
        later = [match for match in wanted if match > name] or wanted
        earlier = [match for match in wanted if match < name] or wanted
        assert index.after(name) == (later[0] if wanted else None)
        assert index.before(name) == (earlier[-1] if wanted else None)
        assert index.position(name) == (wanted.index(name) + 1 if name in wanted else 0)


def test_the_index_goes_on_where_it_stopped_and_forgets() -> None:
    index = MatchIndex(pattern_of("hit"))
    lines = {0: "hit", 1: "miss", 2: "hit"}
    assert index.advance(list(lines), lines.__getitem__, 1_000)
    lines[3] = "hit"
    assert index.advance(list(lines), lambda name: lines[name] if name == 3 else pytest.fail("seen twice"), 1_000)
    index.drop_before(1)
    assert (len(index), index.after(-1), index.after(3)) == (2, 2, 2)
