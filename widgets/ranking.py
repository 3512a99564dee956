"""Ranks choices against what was typed, by a rule that can be foretold: beginnings first, scattered letters last."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

from msgspec import Struct

from widgets.viewmodels import Choice


class Fit(IntEnum):
    """How a typed word lies in a text, best first."""

    EXACT = 0
    PREFIX = 1
    WORD = 2
    INSIDE = 3
    LETTERS = 4
    HINT = 5


class Match(Struct, frozen=True):
    """Where a word was found: `start` and `gaps` (letters left out between its own) rank within the same fit."""

    fit: Fit
    start: int
    gaps: int
    spans: tuple[tuple[int, int], ...]


class Offer(Struct, frozen=True):
    """One line to choose: a choice with the stretches of its title to highlight, or (None) the text as typed."""

    choice: Choice | None
    typed: str = ""
    spans: tuple[tuple[int, int], ...] = ()


def match_word(word: str, text: str) -> Match | None:
    """Return how `word` lies in `text` regardless of case; None when it does not.

    Scattered letters count only in order and from the start of a word: "dpl" finds "deployments", "loy" only inside.
    """
    sought, lower = _lowered(word), _lowered(text)
    if sought == lower:
        return Match(Fit.EXACT, 0, 0, ((0, len(text)),))
    start = lower.find(sought)
    if start == 0:
        return Match(Fit.PREFIX, 0, 0, ((0, len(sought)),))
    first = start
    while start > 0:
        if _begins_word(text, start):
            return Match(Fit.WORD, start, 0, ((start, start + len(sought)),))
        start = lower.find(sought, start + 1)
    if first > 0:
        return Match(Fit.INSIDE, first, 0, ((first, first + len(sought)),))
    return _scattered(sought, text, lower)


def rank(choices: Sequence[Choice], typed: str) -> list[Offer]:
    """Return the choices in which every typed word is found, best first.

    The worst fit of a choice's words decides, then how far in and how scattered they lie, then the shorter title, then
    the order given. A word is sought in the title, in the id, and at the words of the hint; a whole other name is an
    exact fit. Nothing typed: all choices.
    """
    words = typed.split()
    if not words:
        return [Offer(choice) for choice in choices]
    found: list[tuple[tuple[int, int, int, int, int], Offer]] = []
    whole = _lowered(" ".join(words))
    for order, choice in enumerate(choices):
        matches = _match_choice(choice, words, whole)
        if matches:
            worst = max(match.fit for match in matches)
            start, gaps = sum(match.start for match in matches), sum(match.gaps for match in matches)
            spans = tuple(sorted(span for match in matches for span in match.spans))
            found.append(((worst, start, gaps, len(choice.title), order), Offer(choice, typed, spans)))
    found.sort(key=lambda entry: entry[0])
    return [offer for _, offer in found]


def offers(choices: Sequence[Choice], typed: str, *, free_text: bool) -> list[Offer]:
    """Return what enter may answer: the ranked choices and, with `free_text`, the text as it stands.

    The text comes last; it comes first when it is a choice's name with more words after it ("pods /crash"), and does
    not come at all when it is just a choice's name.
    """
    ranked = rank(choices, typed)
    words = typed.split()
    if not words or not free_text:
        return ranked
    whole, head = _lowered(" ".join(words)), _lowered(words[0])
    names = {name for choice in choices for name in _names(choice)}
    if whole in names:
        return ranked
    own = Offer(None, typed.strip())
    return [own, *ranked] if len(words) > 1 and head in names else [*ranked, own]


def _names(choice: Choice) -> tuple[str, ...]:
    return (_lowered(choice.title), _lowered(choice.id), *map(_lowered, choice.names))


def _match_choice(choice: Choice, words: Sequence[str], whole: str) -> list[Match]:
    if whole in _names(choice):
        return [Match(Fit.EXACT, 0, 0, ((0, len(choice.title)),) if whole == _lowered(choice.title) else ())]
    matches: list[Match] = []
    for word in words:
        match = _best(word, choice)
        if match is None:
            return []
        matches.append(match)
    return matches


def _best(word: str, choice: Choice) -> Match | None:
    title = match_word(word, choice.title)
    if title is not None and title.fit <= Fit.WORD:
        return title
    by_id = match_word(word, choice.id)
    if by_id is not None and by_id.fit <= Fit.WORD:
        return Match(by_id.fit, by_id.start, by_id.gaps, ())
    if title is not None:
        return title
    hint = match_word(word, choice.hint) if choice.hint else None
    if hint is not None and hint.fit <= Fit.WORD:
        return Match(Fit.HINT, hint.start, 0, ())
    return None


def _scattered(sought: str, text: str, lower: str) -> Match | None:
    best: Match | None = None
    begin = lower.find(sought[0])
    while begin >= 0:
        if _begins_word(text, begin) and (match := _letters_from(sought, lower, begin)):
            best = match if best is None or match.gaps < best.gaps else best
        begin = lower.find(sought[0], begin + 1)
    return best


def _letters_from(sought: str, lower: str, begin: int) -> Match | None:
    spans = [(begin, begin + 1)]
    for letter in sought[1:]:
        at = lower.find(letter, spans[-1][1])
        if at < 0:
            return None
        if at == spans[-1][1]:
            spans[-1] = spans[-1][0], at + 1
        else:
            spans.append((at, at + 1))
    return Match(Fit.LETTERS, begin, spans[-1][1] - begin - len(sought), tuple(spans))


@lru_cache(maxsize=16_384)
def _lowered(text: str) -> str:
    """Return `text` in lower case, as long as it was: a few letters grow when they are lowered."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(map(_lower_one, text))


def _lower_one(letter: str) -> str:
    return lower if len(lower := letter.lower()) == 1 else letter


def _begins_word(text: str, at: int) -> bool:
    before, here = text[at - 1 : at], text[at]
    return not before or not before.isalnum() or (here.isupper() and before.islower())
