"""What an API server was asked to change, by whom and with which answer: its own audit log, one line a request."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "Metadata", "resources": [{"group": "argoproj.io", "resources": ["rollouts/status"]}]},
        {"level": "None", "resources": [{"group": "", "resources": ["events", "*/status", "*/binding"]}]},
        {"level": "None", "resources": [{"group": "*", "resources": ["*/status", "endpointslices"]}]},
        {"level": "Metadata"},
    ],
}
"""Changes alone, and none of what nodes and controllers report all the time; bodies are not kept.

The status of a Rollout is where its orders stand, so that is kept.
"""

LOG = "audit.log"
"""The file in a plane's folder."""

OURS = "quarterdeck"
_ASKING = ("subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectreviews", "leases")


@dataclass(frozen=True)
class Asked:
    """One request that would change something; `path` without query, `resource` as "deployments/scale"."""

    verb: str
    path: str
    resource: str
    code: int
    user: str
    agent: str
    dry_run: bool


def asked(folder: Path, within: str = "", agent: str = OURS) -> list[Asked]:
    """Return the changes asked for by an agent on paths that contain a text, in order; reviews and Leases left out.

    ``folder`` is the ``data`` of a plane.
    """
    with (folder / LOG).open(encoding="utf-8") as lines:
        found = [_asked(json.loads(line)) for line in lines if line.endswith("\n") and within in line]
    return [
        one
        for one in found
        if one.agent.startswith(agent) and within in one.path and one.resource.partition("/")[0] not in _ASKING
    ]


def until_asked(folder: Path, within: str, count: int, patience: float = 30.0) -> list[Asked]:
    """Return what was asked for once there are so many real changes (no dry runs), or after a while what there is."""
    until = time.monotonic() + patience
    while True:
        found = asked(folder, within)
        if sum(not one.dry_run for one in found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.05)  # the log is a file: it can only be read again


def _asked(event: dict[str, Any]) -> Asked:
    url = urlsplit(event["requestURI"])
    about = event.get("objectRef") or {}
    parts = (about.get("resource", ""), about.get("subresource", ""))
    return Asked(
        event["verb"],
        url.path,
        "/".join(part for part in parts if part),
        int((event.get("responseStatus") or {}).get("code", 0)),
        event["user"].get("username", ""),
        event.get("userAgent", ""),
        "dryRun" in parse_qs(url.query),
    )
