"""Keeps secrets off every screen, log and file. It sees one text at a time and knows no widget."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import overload

from services.model.text import SafeText

MASK = "***"
SHORTEST_KNOWN = 8
MOST_KNOWN = 64
_known: tuple[str, ...] = ()

Replacement = str | Callable[[re.Match[str]], str]

# A key counts when it ends in one of these words: `secretName` and `tokenExpirationSeconds` are no secrets.
_WORDS = (
    r"(?:passw(?:or)?d|passphrase|passwort|pwd|secret|token|api[-_. ]?key|access[-_. ]?key(?:[-_. ]?id)?"
    r"|secret[-_. ]?key|private[-_. ]?key|account[-_. ]?key|signing[-_. ]?key|routing[-_. ]?key|credentials?"
    r"|signature|client-key-data|client-certificate-data|certificate-authority-data|(?<![a-z])(?:pass|auth|sig))"
)
_PLAIN_VALUES = frozenset({"true", "false", "null", "none", "nil", "{", "[", "|", "|-", ">", ">-"})
_URL_END = r"[^\s\"'<>\\`]*"


def _pair(match: re.Match[str]) -> str:
    value = match["value"]
    if value.strip("'\"\\,;").lower() in _PLAIN_VALUES:
        return match[0]
    quote = match["quote"] or ""
    closed = quote if quote and value.endswith(quote) else ""
    return f"{match['head']}{quote}{MASK}{closed}"


# (what the lower-cased text must contain, pattern, replacement); looked for in this order,
# and compiled (by `re`, which keeps it) when first needed: all of them cost 15 ms of every start.
_RULES: tuple[tuple[tuple[str, ...], str, Replacement], ...] = (
    (
        ("-----begin",),
        r"(?is)-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)",
        "[PEM ***]",
    ),
    (
        ("authorization",),
        r"(?i)(?P<head>authorization\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\"'\r\n\\]+",
        rf"\g<head>{MASK}",
    ),
    (
        ("cookie",),
        r"(?i)(?P<head>(?:set-)?cookie\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\"'\r\n\\]+",
        rf"\g<head>{MASK}",
    ),
    (
        ("bearer ", "basic "),
        r"(?i)\b(?P<head>(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}",
        rf"\g<head>{MASK}",
    ),
    (("eyj",), r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}", MASK),
    (
        ("akia", "asia", "aroa", "aida", "agpa", "anpa", "abia", "acca"),
        r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[A-Z0-9]{16,}",
        MASK,
    ),
    (
        (
            "gh",
            "glpat-",
            "xox",
            "xapp-",
            "sk-",
            "sk_",
            "rk_",
            "aiza",
            "ya29.",
            "hv",
            "dckr_pat_",
            "npm_",
            "k8s-aws-v1.",
            "pypi-",
        ),
        (
            r"\b(?:gh[opusr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|[sr]k-[\w-]{16,}"
            r"|[sr]k_(?:live|test)_\w{8,}|AIza[\w-]{30,}|ya29\.[\w.-]{16,}|hv[sb]\.[\w-]{16,}|dckr_pat_[\w-]{16,}"
            r"|npm_\w{20,}|k8s-aws-v1\.[\w-]{8,}|pypi-[\w-]{16,})"
        ),
        MASK,
    ),
    (
        ("hooks.", "webhook"),
        (
            rf"(?i)(?P<head>\b(?:hooks\.[\w.-]+/|discord(?:app)?\.com/api/webhooks/|[\w.-]*webhook\.office\.com/)){_URL_END}"
        ),
        rf"\g<head>{MASK}",
    ),
    (
        ("://",),
        (r"(?P<head>://)(?:[^\s/@:\"'<>]*:(?!\d{1,5}(?:/|\Z))[^\s@\"'<>]*@(?:[^\s/@\"'<>]*@)*|[^\s/\"'<>]+@)"),
        rf"\g<head>{MASK}@",
    ),
    (
        ("--",),
        (
            rf"(?i)(?P<head>--[a-z-]*{_WORDS}[= ]\s*)(?P<quote>[\"'])?"
            r"(?P<value>(?(quote)[^\"']*[\"']?|[^\s\"'-][^\s]*))"
        ),
        _pair,
    ),
    (
        ("=", ":"),
        (
            rf"(?is)(?P<head>{_WORDS}\\*[\"']?\s*[:=]\s*)(?P<quote>\\*[\"'])?"
            r"(?P<value>(?(quote)(?:(?!(?P=quote))(?:\\.|.))*(?:(?P=quote)|\Z)|[^\s,;&\"'}\])]+))"
        ),
        _pair,
    ),
)
# Without one of these a text holds no pair, which spares most texts the dearest pattern.
_PAIR_HINTS = ("pass", "pwd", "secret", "token", "key", "credential", "signature", "cookie", "auth", "sig", "-data")
_HINTS = tuple({hint for hints, _, _ in _RULES[:-2] for hint in hints})


@overload
def redact(text: SafeText) -> SafeText: ...
@overload
def redact(text: str) -> str: ...
def redact(text: str) -> str:
    """Return `text` with what looks like a secret masked; safe text stays safe text. Idempotent.

    Masked: PEM blocks, Authorization and cookie headers, bearer and basic credentials, JWTs, AWS key ids, tokens with a
    known prefix, webhook paths, URL userinfo, the values of keys that end in password, secret, token and the like, and
    the credentials that this process itself uses (`know`).
    At most twice as long as `text`.
    """
    result: str = text
    for one in _known:
        if one in result:
            result = result.replace(one, MASK)
    low = result.lower()
    pairs = ("=" in low or ":" in low or "--" in low) and _holds(low, _PAIR_HINTS)
    if not pairs and not _holds(low, _HINTS) and result is text:
        return text
    for hints, pattern, replacement in _RULES if pairs else _RULES[:-2]:
        if _holds(low, hints):
            result = re.sub(pattern, replacement, result)
    return SafeText(result) if isinstance(text, SafeText) else result


def know(secret: str) -> None:
    """Mask this value too from now on, wherever text is shown or kept: a credential that this process uses.

    Of a URL the path counts as well. Short ones and plain words are left out: they would take words from every text,
    and so be told.
    """
    global _known  # noqa: PLW0603 - one process, one set of credentials
    parts = (secret.strip(), secret.partition("://")[2].partition("/")[2].strip())
    fresh = [one for one in parts if len(one) >= SHORTEST_KNOWN and not one.isalpha() and one not in _known]
    if fresh:
        _known = tuple(sorted((*_known, *fresh)[-MOST_KNOWN:], key=len, reverse=True))


def prepare() -> None:
    """Compile every pattern, which takes some milliseconds: not while the first rows are drawn."""
    for _, pattern, _ in _RULES:
        re.compile(pattern)


def _holds(text: str, hints: tuple[str, ...]) -> bool:
    for hint in hints:  # noqa: SIM110 - half the time of any()
        if hint in text:
            return True
    return False
