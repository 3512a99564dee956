"""Keeps the names of hosts and people off a shared screen: the second tier of redaction, loaded when sharing begins."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from urllib.parse import unquote

from services.model.text import SafeText
from services.redact import redact
from services.sanitize import safe_text

_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
_EC2 = re.compile(r"\bip(?:-\d{1,3}){4}\b")
_HOST = re.compile(
    r"(?<![\w.-])(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z-]{0,22}[A-Za-z](?![\w-])"
)
_ACCOUNT = re.compile(r"(?<![\w.])\d{12}(?!\w)")
_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_USER = re.compile(r"(?<=\bUser \")[^\"\s]+(?=\")")
_ARN_USER = re.compile(r"(?<=:user/)[\w+=,.@/-]+|(?<=:assumed-role/)[\w+=,.@/-]+")
_PUBLIC = re.compile(
    r"(?i)(?:^|\.)(?:kubernetes\.io|k8s\.io|x-k8s\.io|docker\.io|quay\.io|gcr\.io|ghcr\.io|github\.com|argoproj\.io"
    r"|coreos\.com|fluxcd\.io|helm\.sh|istio\.io|cert-manager\.io|svc\.cluster\.local|metadata\.name(?:space)?"
    r"|(?:requests|limits)\.(?:cpu|memory|storage|ephemeral-storage)|g\d\.(?:expr|tab))\Z"
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


def _plain(match: re.Match[str]) -> str:
    """Return a link without escapes, safe to be shown; any other word as it is."""
    link = match[0]
    if "://" not in link:
        return link
    while (bare := safe_text(unquote(link), len(link))) != link:
        link = bare
    return link


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

        `text` must already be safe to show. Idempotent; at most four times as long. What a link has encoded is shown
        plainly: a name in it would not be known behind its escapes.
        """
        result: str = redact(text)
        if "%" in result and "://" in result:
            result = redact(_TOKEN.sub(_plain, result))
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
