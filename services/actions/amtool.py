"""The commands that do what an action on silences does: amtool's, or kubectl's where the way is through a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from services.actions.silencing import Wanted, stamp
from services.alerts.alertmanagers import ClusterSeen, path_of
from services.alerts.matchers import spelled_all
from services.endpoint import SERVICE, proxied
from services.model.action import Write


def command(seen: Sequence[ClusterSeen], at: str, words: str, writes: Sequence[Write], context: str) -> str:
    """Return the command for one cluster of Alertmanagers; `words` are what amtool is told.

    An Alertmanager behind a Service is reached by nobody else's amtool: there it is the requests themselves, sent
    through the API server of `context`.
    """
    address = next((one.urls[0] for one in seen if one.name == at and one.urls), "")
    if not address.startswith(SERVICE):
        return f"amtool --alertmanager.url={address} {words}"
    mine = [one for one in writes if one.path.startswith(path_of(at, "/"))]
    return " && ".join(_raw(one, at, proxied(address.removeprefix(SERVICE)), context) for one in mine)


def _raw(write: Write, at: str, way: str, context: str) -> str:
    path = quote(way + write.path.removeprefix(path_of(at, "")))
    kubectl = f"kubectl --context {quote(context)}"
    if write.method == "DELETE":
        return f"{kubectl} delete --raw {path}"
    return f"{kubectl} create --raw {path} -f - <<< {quote(write.body.decode())}"


def add_words(one: Wanted) -> str:
    """Return the end of the command that sets a silence."""
    matchers = " ".join(quote(spelled_all((each,))) for each in one.matchers)
    return (
        f"silence add --author={quote(one.by)} --comment={quote(one.comment)} "
        f"--start={stamp(one.starts)} --end={stamp(one.ends)} {matchers}"
    )
