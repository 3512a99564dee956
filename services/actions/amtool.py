"""The commands that do what an action on silences does: amtool's, with kubectl's proxy where a cluster is between."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from services.actions.silencing import Wanted, stamp
from services.alerts.alertmanagers import ClusterSeen
from services.alerts.matchers import spelled_all
from services.endpoint import SERVICE, proxied

PORT = 9093


def command(seen: Sequence[ClusterSeen], at: str, words: str, context: str) -> str:
    """Return the command for one cluster of Alertmanagers; `words` are what amtool is told.

    One behind a Service is reached as it is from here, through the API server of `context`, with kubectl's own proxy
    before it: `kubectl create --raw` sends no content type, which Alertmanager refuses.
    """
    url = next((one.urls[0] for one in seen if one.name == at and one.urls), "")
    if not url.startswith(SERVICE):
        return f"amtool --alertmanager.url={url} {words}"
    way = f"http://127.0.0.1:{PORT}{proxied(url.removeprefix(SERVICE))}"
    proxy = f"kubectl --context {quote(context)} proxy --port={PORT}"
    return f"{proxy} & sleep 1; amtool --alertmanager.url={way} {words}; kill $!"


def add_words(one: Wanted) -> str:
    """Return the end of the command that sets a silence."""
    matchers = " ".join(quote(spelled_all((each,))) for each in one.matchers)
    return (
        f"silence add --author={quote(one.by)} --comment={quote(one.comment)} "
        f"--start={stamp(one.starts)} --end={stamp(one.ends)} {matchers}"
    )
