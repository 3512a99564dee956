"""Keeps secrets off every screen, log and file, and names of hosts and people off a shared one.

Two tiers: `redact` always, `Pseudonyms` in share mode. Both only ever see one text at a time and know no widget.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable, Iterable
from typing import overload

from services.model.text import SafeText

MASK = "***"

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
    known prefix, webhook paths, URL userinfo, and the values of keys that end in password, secret, token and the like.
    At most twice as long as `text`.
    """
    low = text.lower()
    pairs = ("=" in low or ":" in low or "--" in low) and _holds(low, _PAIR_HINTS)
    if not pairs and not _holds(low, _HINTS):
        return text
    result: str = text
    for hints, pattern, replacement in _RULES if pairs else _RULES[:-2]:
        if _holds(low, hints):
            result = re.sub(pattern, replacement, result)
    return SafeText(result) if isinstance(text, SafeText) else result


def _holds(text: str, hints: tuple[str, ...]) -> bool:
    for hint in hints:  # noqa: SIM110 - half the time of any()
        if hint in text:
            return True
    return False


_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
_EC2 = re.compile(r"\bip(?:-\d{1,3}){4}\b")
_HOST = re.compile(
    r"(?<![\w.-])(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z-]{0,22}[A-Za-z](?![\w-])"
)
_ACCOUNT = re.compile(r"(?<![\w.])\d{12}(?!\w)")
_WORD = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_USER = re.compile(r"(?<=\bUser \")[^\"\s]+(?=\")")
_ARN_USER = re.compile(r"(?<=:user/)[\w+=,.@/-]+|(?<=:assumed-role/)[\w+=,.@/-]+")
_PUBLIC = re.compile(
    r"(?i)(?:^|\.)(?:kubernetes\.io|k8s\.io|x-k8s\.io|docker\.io|quay\.io|gcr\.io|ghcr\.io|github\.com|argoproj\.io"
    r"|coreos\.com|fluxcd\.io|helm\.sh|istio\.io|cert-manager\.io|svc\.cluster\.local|metadata\.name(?:space)?)\Z"
)
COMMON = frozenset(
    {"default", "kube-system", "kube-public", "kube-node-lease", "kubernetes", "kubernetes-admin", "minikube", "user"}
    | {"docker-desktop", "kind-kind", "localhost", "cluster", "admin", "root", "node", "master", "worker"}
)
"""Names that every cluster has, and that give nobody away."""

_FILE_ENDINGS = frozenset(
    re.findall(
        r"\w+",
        "c h go js ts py rb rs sh so md cc cpp java kt yaml yml json toml conf cfg ini log txt xml html css svg "
        "tar gz zip jar war lock pid sock db sql err out tmp bak pem crt key exe",
    )
)


class Pseudonyms:
    """Stable stand-ins for what a shared screen must not show: the room can still say "host-7f3 again".

    The same salt gives the same names; without one every session has its own. Short names grow by a digit where two
    would be equal.
    """

    def __init__(self, salt: bytes = b"") -> None:
        self._salt = salt or secrets.token_bytes(16)
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._learned: dict[str, str] = {}

    def name(self, kind: str, value: str) -> str:
        """Return the stand-in for one value, such as `host-7f3`; `kind` is host, ip, acct, user or a word like them."""
        if value in self._taken:
            return value
        key = (kind, value.lower())
        given = self._given.get(key)
        if given is None:
            digest = hmac.new(self._salt, f"{kind}\0{key[1]}".encode(errors="replace"), hashlib.sha256).hexdigest()
            given = next(
                stand_in for size in range(3, 65) if (stand_in := f"{kind}-{digest[:size]}") not in self._taken
            )
            self._given[key] = given
            self._taken.add(given)
        return given

    def learn(self, kind: str, names: Iterable[str]) -> None:
        """Take names (nodes, operators, clusters) that look like nothing in particular; from now on they are masked."""
        for name in names:
            if len(name) >= 3 and name not in self._taken and name.lower() not in COMMON:
                self._learned.setdefault(name.lower(), kind)

    def mask(self, text: str) -> SafeText:
        """Return redacted text with e-mail addresses, hosts, addresses, accounts and learned names replaced.

        `text` must already be safe to show. Idempotent; at most four times as long.
        """
        result: str = redact(text)
        if self._learned:
            result = _WORD.sub(self._word, result)
        if 'User "' in result:
            result = _USER.sub(lambda match: self.name("user", match[0]), result)
        if "@" in result:
            result = _EMAIL.sub(lambda match: self.name("user", match[0]), result)
        if "arn:" in result:
            result = _ARN_USER.sub(lambda match: self.name("user", match[0]), result)
        if ":" in result:
            result = _IPV6.sub(self._address, result)
        if "." in result:
            result = _HOST.sub(self._host, _IPV4.sub(self._address, result))
        if "ip-" in result:
            result = _EC2.sub(lambda match: self.name("host", match[0]), result)
        return SafeText(_ACCOUNT.sub(lambda match: self.name("acct", match[0]), result))

    def _word(self, match: re.Match[str]) -> str:
        """Replace learned names: a whole word, one before a dot, or some of a word's parts, as in `etcd-NODE`."""
        word = match[0]
        if "-" not in word and "." not in word and word.lower() not in self._learned:
            return word
        if kind := self._learned.get(word.lower()):
            return self.name(kind, word)
        head, dot, rest = word.partition(".")
        return self._parts(head.split("-")) + dot + rest

    def _parts(self, parts: list[str]) -> str:
        """Replace the longest learned names among the parts of a word; stand-ins stay as they are."""
        found: list[str] = []
        at = 0
        while at < len(parts):
            for end in range(len(parts), at, -1):
                run = "-".join(parts[at:end])
                kind = self._learned.get(run.lower())
                if run in self._taken or kind is not None:
                    found.append(run if kind is None or run in self._taken else self.name(kind, run))
                    at = end
                    break
            else:
                found.append(parts[at])
                at += 1
        return "-".join(found)

    def _address(self, match: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            return match[0]
        return match[0] if address.is_loopback or address.is_unspecified else self.name("ip", str(address))

    def _host(self, match: re.Match[str]) -> str:
        labels = match[0].split(".")
        last = labels[-1]
        if not (last.islower() or last.isupper()) or _PUBLIC.search(match[0]):
            return match[0]
        if len(labels) == 2 and last in _FILE_ENDINGS:
            return match[0]
        return self.name("host", match[0])
