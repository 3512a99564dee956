"""What is typed finds what is meant, in an order that can be foretold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.history import History
from widgets.ranking import Fit, match_word, offers, rank
from widgets.viewmodels import Choice

CHOICES = tuple(
    Choice(title.lower(), title, hint)
    for title, hint in [
        ("Pods", "view"),
        ("Deployments", "view"),
        ("PodDisruptionBudgets", "policy/v1"),
        ("Services", "view"),
        ("Nodes", "view"),
        ("Namespaces", "view"),
        ("shop", "namespace"),
        ("payments", "namespace"),
        ("prod-eu-1", "context"),
        ("Roll back", "action"),
    ]
)


@pytest.mark.parametrize(
    ("word", "text", "fit", "spans"),
    [
        ("pods", "Pods", Fit.EXACT, ((0, 4),)),
        ("po", "Pods", Fit.PREFIX, ((0, 2),)),
        ("back", "Roll back", Fit.WORD, ((5, 9),)),
        ("disr", "PodDisruptionBudgets", Fit.WORD, ((3, 7),)),
        ("eu", "prod-eu-1", Fit.WORD, ((5, 7),)),
        ("ploy", "Deployments", Fit.INSIDE, ((2, 6),)),
        ("dpl", "Deployments", Fit.LETTERS, ((0, 1), (2, 4))),
        ("pdb", "PodDisruptionBudgets", Fit.LETTERS, ((0, 1), (2, 3), (13, 14))),
        ("svc", "Services", Fit.LETTERS, ((0, 1), (3, 4), (5, 6))),
        ("loyt", "Deployments", None, ()),
        ("podx", "Pods", None, ()),
        ("x", "", None, ()),
        ("ß", "STRASSE ß", Fit.WORD, ((8, 9),)),
        ("é", "\u0130é", Fit.INSIDE, ((1, 2),)),
    ],
)
def test_how_a_word_lies_in_a_text(word: str, text: str, fit: Fit | None, spans: tuple[tuple[int, int], ...]) -> None:
    match = match_word(word, text)
    assert (match.fit if match else None) == fit
    assert match is None or match.spans == spans


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("", [choice.title for choice in CHOICES]),
        ("po", ["Pods", "PodDisruptionBudgets", "prod-eu-1"]),
        ("pod", ["Pods", "PodDisruptionBudgets", "prod-eu-1"]),
        ("n", ["Nodes", "Namespaces", "payments", "Deployments", "PodDisruptionBudgets", "shop"]),
        ("shop", ["shop"]),
        ("roll back", ["Roll back"]),
        ("back roll", ["Roll back"]),
        ("namespace", ["Namespaces", "shop", "payments"]),
        ("pods /crash", []),
        ("ingress shop", []),
        ("svc", ["Services"]),
    ],
)
def test_the_order_of_what_fits(typed: str, titles: list[str]) -> None:
    found = [offer.choice.title for offer in rank(CHOICES, typed) if offer.choice]
    assert found == titles


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("ingress shop", None, None),
        ("pods /crash", None, None),
        ("po", "Pods", None),
        ("pods", "Pods", "PodDisruptionBudgets"),
        ("Roll back", "Roll back", "Roll back"),
        ("shop pay", None, None),
        ("", "Pods", "Roll back"),
        ("  ", "Pods", "Roll back"),
    ],
)
def test_where_the_text_as_typed_stands(typed: str, first: str | None, last: str | None) -> None:
    titles = [offer.choice.title if offer.choice else None for offer in offers(CHOICES, typed, free_text=True)]
    assert (titles[0], titles[-1]) == (first, last)


def test_no_text_as_typed_where_only_choices_count() -> None:
    assert offers(CHOICES, "ingress shop", free_text=False) == []


@given(word=st.text(min_size=1, max_size=6).filter(lambda text: not text.isspace()), text=st.text(max_size=20))
def test_marks_lie_in_the_text_in_order(word: str, text: str) -> None:
    match = match_word(word, text)
    if match is None:
        assert word.lower() not in text.lower() or len(text.lower()) != len(text)
        return
    edges = [edge for span in match.spans for edge in span]
    assert edges == sorted(edges)
    assert edges[-1] <= len(text)


@given(typed=st.text(alphabet="pods hn", max_size=6))
def test_typing_on_never_brings_a_choice_back(typed: str) -> None:
    def keys(text: str) -> set[str]:
        return {offer.choice.id for offer in rank(CHOICES, text) if offer.choice}

    if typed.strip() and not typed.endswith(" "):
        assert keys(typed + "s") <= keys(typed)


def test_the_history_keeps_each_text_once_newest_last() -> None:
    history = History(["a", " ", "b", "a"], limit=2)
    assert history.entries == ("b", "a")
    history.add("c")
    assert history.entries == ("a", "c")
    assert (history.older(), history.older(), history.older()) == ("c", "a", "a")
    assert (history.newer(), history.newer(), history.newer()) == ("c", "", "")
    assert history.older() == "c"
    history.rest()
    assert history.older() == "c"
    assert History().older() is None


def test_the_history_is_bounded() -> None:
    history = History(map(str, range(80)))
    assert (len(history.entries), history.entries[0]) == (50, "30")


def test_another_name_typed_whole_goes_before_letters_found_inside_others() -> None:
    kinds = [
        Choice("pvc", "persistentvolumeclaims", "core"),
        Choice("replicasets", "replicasets", "apps", names=("rs", "ReplicaSet")),
    ]
    for typed in ("rs", "RS", "replicaset"):
        best = offers(kinds, typed, free_text=True)[0].choice
        assert best is not None
        assert best.id == "replicasets"
    assert offers(kinds, "rs /cart", free_text=True)[0].typed == "rs /cart"
