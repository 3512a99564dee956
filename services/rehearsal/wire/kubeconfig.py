"""The kubeconfig that points any client at the estate, one context an account."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Login:
    """One context: an account's token and the namespace it starts in."""

    context: str
    user: str
    token: str
    namespace: str = ""


def write(path: Path, cluster: str, url: str, authority: bytes, logins: Sequence[Login]) -> None:
    """Write the file with mode 0600; the first login's context is current."""
    encoded = base64.b64encode(authority).decode()
    lines = ["apiVersion: v1", "kind: Config", "preferences: {}", "clusters:"]
    lines += ["- cluster:", f"    certificate-authority-data: {encoded}", f"    server: {url}", f"  name: {cluster}"]
    lines.append("contexts:")
    for login in logins:
        lines += ["- context:", f"    cluster: {cluster}"]
        if login.namespace:
            lines.append(f"    namespace: {login.namespace}")
        lines += [f"    user: {login.user}", f"  name: {login.context}"]
    lines += [f"current-context: {logins[0].context}", "users:"]
    for login in logins:
        lines += [f"- name: {login.user}", "  user:", f"    token: {login.token}"]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("\n".join(lines) + "\n")
