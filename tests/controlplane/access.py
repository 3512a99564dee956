"""Who may do what on the test control plane: three users, their tokens, their kubeconfigs and their roles."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

User = Literal["admin", "viewer", "shop-only"]
USERS: tuple[User, ...] = get_args(User)
SHOP = "shop"
"""The one namespace that ``shop-only`` may read."""


def _fresh_tokens() -> dict[User, str]:
    return {user: f"{user}-{secrets.token_hex(16)}" for user in USERS}


@dataclass(frozen=True)
class Access:
    """The secrets of one plane, kept in ``folder``: bearer tokens, and the key that signs service account tokens."""

    folder: Path
    tokens: dict[User, str] = field(default_factory=_fresh_tokens, repr=False)

    @property
    def token_file(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def signing_key(self) -> Path:
        return self.folder / "service-accounts.key"

    def write(self) -> None:
        """Write the token file (``token,user,uid,"groups"``) and the RSA key, readable by the owner only."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        groups: dict[User, str] = {"admin": "system:masters", "viewer": "viewers", "shop-only": "shop-team"}
        rows = [f'{self.tokens[user]},{user},uid-{user},"{groups[user]}"' for user in USERS]
        _write_private(self.token_file, "\n".join(rows) + "\n")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_private(self.signing_key, pem.decode())

    def kubeconfig(self, user: User, url: str, authority: bytes) -> Path:
        """Write the kubeconfig of ``user`` for the server at ``url``, trusting the PEM ``authority`` alone."""
        context: dict[str, str] = {"cluster": "plane", "user": user}
        if user == "shop-only":
            context["namespace"] = SHOP
        trust = base64.b64encode(authority).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": {"server": url, "certificate-authority-data": trust}}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": f"{user}@plane", "context": context}],
            "current-context": f"{user}@plane",
        }
        path = self.folder / f"kubeconfig-{user}"
        _write_private(path, json.dumps(content, indent=1) + "\n")
        return path


def _write_private(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return  # a program under test may be reading it
    path.touch(mode=0o600)
    path.write_text(text)


def rights() -> list[tuple[str, dict[str, Any]]]:
    """List what to create at start, as (collection path, object): the namespace ``shop`` and each user's rights."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    read_nodes = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]
    return [
        ("/api/v1/namespaces", {"metadata": {"name": SHOP}}),
        (f"{rbac}/clusterroles", {"metadata": {"name": "read-nodes"}, "rules": read_nodes}),
        (f"{rbac}/clusterrolebindings", _binding("viewer-view", "view", "viewer")),
        (f"{rbac}/clusterrolebindings", _binding("viewer-nodes", "read-nodes", "viewer")),
        (f"{rbac}/namespaces/{SHOP}/rolebindings", _binding("shop-only-view", "view", "shop-only")),
    ]


def _binding(name: str, role: str, user: User) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
