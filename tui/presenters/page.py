"""Reads what a page hands over (an alert's name, a fingerprint, a link, a workload), and finds what it means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from services.model.alert import Alert, AlertState, Matcher
from services.model.ref import ARGO_ROLLOUTS, DAEMONSETS, DEPLOYMENTS, STATEFULSETS
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.presenters.alert_sources import ALERTS, Evidence, silent_words
from tui.presenters.alert_targets import workload_named
from tui.presenters.freshness import Freshness, Reading
from tui.presenters.lens import Lens

LONGEST = 8192
"""Characters of a pasted text that are read; a link of more is no link that a person was sent."""

NEAR = 4
_KINDS = {
    **dict.fromkeys(("deploy", "deployment", "deployments", "deployment.apps"), DEPLOYMENTS.kind),
    **dict.fromkeys(("sts", "statefulset", "statefulsets", "statefulset.apps"), STATEFULSETS.kind),
    **dict.fromkeys(("ro", "rollout", "rollouts", "rollout.argoproj.io"), ARGO_ROLLOUTS.kind),
    **dict.fromkeys(("ds", "daemonset", "daemonsets", "daemonset.apps"), DAEMONSETS.kind),
}
_FINGERPRINT = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)
_DNS = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_OBJECT = re.compile(rf"(?:(?P<ns>{_DNS})/)?(?P<kind>{'|'.join(map(re.escape, _KINDS))})/(?P<name>{_DNS})")
_NAMED = re.compile(rf"(?P<ns>{_DNS})/(?P<name>{_DNS})")
_NAME = re.compile(r"[A-Za-z_:][\w:.-]{0,252}")
_MATCHER = re.compile(r'\s*([A-Za-z_:][\w:.]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",}\s]*))\s*(?:,|$)')
_SELECTOR = re.compile(r"\s*(?P<name>[A-Za-z_:][\w:]*)?\s*\{(?P<inside>.*)\}\s*", re.DOTALL)
_PAGERDUTY = re.compile(r"/(?:incidents|alerts|a)/([A-Z0-9]{5,32})")
_SILENCE = re.compile(r"/silences/([0-9a-fA-F-]{36})")
_REGEX_LIMIT = 256


class Means(StrEnum):
    """What a text says it is about."""

    ALERT = "alert"
    FINGERPRINT = "fingerprint"
    EXPRESSION = "expression"
    WORKLOAD = "workload"
    SILENCE = "silence"
    PAGE = "page"
    NOTHING = "nothing"


class Page(Struct, frozen=True):
    """What was handed over, read. `matchers` narrow an alert, `kind` a workload's; `text` is what to look for."""

    means: Means
    text: str = ""
    namespace: str = ""
    kind: str = ""
    matchers: tuple[Matcher, ...] = ()
    why: str = ""


class Found(Struct, frozen=True):
    """What a page means here: an alert (of how many), a workload, or nothing, with what comes near and why. Raw.

    `over` says that no server shows the alert any more.
    """

    alert: Alert | None = None
    of: int = 0
    workload: Rollout | None = None
    silence: str = ""
    near: tuple[str, ...] = ()
    why: str = ""
    over: bool = False

    @property
    def known(self) -> bool:
        """Whether it means anything."""
        return self.alert is not None or self.workload is not None or bool(self.silence)


def looks_like_page(text: str) -> bool:
    """Return whether a text typed after `:` can only be a page: no view, kind, namespace or context reads like it."""
    text = text.strip()
    if "://" in text or _SELECTOR.fullmatch(text[:LONGEST]):
        return True
    return _FINGERPRINT.fullmatch(text) is not None or _OBJECT.fullmatch(text) is not None


def read_page(text: str) -> Page:
    """Return what a text means; whatever it is, it is read without an error."""
    text = text.strip()[:LONGEST]
    if "://" in text:
        return _read_link(text)
    if _FINGERPRINT.fullmatch(text):
        return Page(Means.FINGERPRINT, text.lower())
    if named := _OBJECT.fullmatch(text):
        return Page(Means.WORKLOAD, named["name"], named["ns"] or "", _KINDS[named["kind"]])
    if named := _NAMED.fullmatch(text):
        return Page(Means.WORKLOAD, named["name"], named["ns"])
    if selector := _SELECTOR.fullmatch(text):
        return _of_matchers(_matchers(selector["inside"]), selector["name"] or "")
    if _NAME.fullmatch(text):
        return Page(Means.ALERT, text)
    return Page(Means.NOTHING, text, why="it is no alert's name, fingerprint or link, and no NAMESPACE/deploy/NAME")


def _read_link(text: str) -> Page:
    try:
        parts = urlsplit(text)
        queries = dict(_pairs(parts.query) + _pairs(parts.fragment.partition("?")[2]))
    except ValueError:
        return Page(Means.NOTHING, text, why="the link cannot be read")
    if parts.scheme not in ("http", "https"):
        return Page(Means.NOTHING, text, why="it is no http or https link")
    where = f"{parts.path}#{parts.fragment}"
    if (parts.hostname or "").endswith("pagerduty.com"):
        named = _PAGERDUTY.search(parts.path)
        return Page(Means.PAGE, named[1] if named else "", why="" if named else "the link names no incident")
    if silence := _SILENCE.search(where):
        return Page(Means.SILENCE, silence[1].lower())
    if "filter" in queries:
        return _of_filter(queries["filter"])
    if "g0.expr" in queries:
        return _of_expression(queries["g0.expr"])
    for name in ("search", "q", "alertname"):
        if name in queries:
            return _of_filter(queries[name])
    fingerprint = _FINGERPRINT.search(where)
    if fingerprint:
        return Page(Means.FINGERPRINT, fingerprint[0].lower())
    return Page(Means.NOTHING, text, why="the link says no alert: no filter, no expression, no fingerprint is in it")


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, max_num_fields=200)[::-1]


def _of_filter(text: str) -> Page:
    """Return what a filter of Alertmanager means: `{alertname="CartDown",namespace="shop"}`, or a bare name."""
    selector = _SELECTOR.fullmatch(text)
    if selector is not None:
        return _of_matchers(_matchers(selector["inside"]), selector["name"] or "")
    matchers = _matchers(text)
    if matchers:
        return _of_matchers(matchers)
    if _NAME.fullmatch(text.strip()):
        return Page(Means.ALERT, text.strip())
    return Page(Means.NOTHING, text, why="the link's filter cannot be read")


def _of_matchers(matchers: tuple[Matcher, ...], metric: str = "") -> Page:
    name = next((one.value for one in matchers if one.name == "alertname" and one.is_equal and not one.is_regex), "")
    if metric and metric not in ("ALERTS", "ALERTS_FOR_STATE"):
        name = name or metric
    others = tuple(one for one in matchers if one.name not in ("alertname", "alertstate"))
    regexes = tuple(one for one in matchers if one.name == "alertname" and one.value != name)
    if not name and not others and not regexes:
        return Page(Means.NOTHING, why="its filter names no alert")
    return Page(Means.ALERT, name, matchers=(*regexes, *others))


def _of_expression(text: str) -> Page:
    selector = _SELECTOR.fullmatch(text)
    if selector is not None and selector["name"] in ("ALERTS", "ALERTS_FOR_STATE"):
        return _of_matchers(_matchers(selector["inside"]))
    return Page(Means.EXPRESSION, text)


def _matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a text, () where any of it cannot be read."""
    found, at = [], 0
    while at < len(text):
        read = _MATCHER.match(text, at)
        if read is None:
            return ()
        quoted, bare = read[3], read[4]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else unquote(bare)
        found.append(Matcher(read[1], value, read[2] in ("=~", "!~"), read[2] in ("=", "=~")))
        at = read.end()
    return tuple(found)


def find_page(page: Page, snapshot: Snapshot) -> Found:
    """Return what a page means in a snapshot; the worst of several alerts, and how many there are."""
    alerts: Mapping[str, Alert] = snapshot.tables.get(ALERTS, {})
    if page.means is Means.WORKLOAD:
        return _find_workload(page, snapshot)
    if page.means is Means.SILENCE:
        known = page.text in snapshot.tables.get("silences", {})
        return Found(silence=page.text) if known else Found(why="no Alertmanager shows that silence")
    if page.means is Means.NOTHING:
        return Found(why=page.why)
    if any(one.is_regex and runnable(one.value) is None for one in page.matchers):
        return Found(why="its filter has a regular expression that is not run here; paste the alert's name instead")
    found = _best(one for one in alerts.values() if fits(page, one))
    if found.known or page.means is not Means.ALERT or page.matchers:
        return found if found.known or page.means is not Means.PAGE else Found(why=_no_incident(page))
    row = next((row for row in snapshot.tables.get("rollouts", {}).values() if row.ref.name == page.text), None)
    return Found(workload=row) if row is not None else Found(near=_near(page.text, snapshot))


def _find_workload(page: Page, snapshot: Snapshot) -> Found:
    rows: Mapping[str, Rollout] = snapshot.tables.get("rollouts", {})
    if page.namespace:
        found = rows.get(f"{page.kind}/{page.namespace}/{page.text}") if page.kind else None
        found = found or (workload_named(page.namespace, page.text, snapshot) if not page.kind else None)
    else:
        named = [row for row in rows.values() if row.ref.name == page.text and row.ref.kind == page.kind]
        found = min(named, key=lambda row: (row.severity, row.ref.key), default=None)
    if found is not None:
        return Found(workload=found)
    return Found(near=_near(f"{page.namespace}/{page.text}" if page.namespace else page.text, snapshot))


def _no_incident(page: Page) -> str:
    number = page.text or "its incident"
    return f"{number} is named by no alert, and PagerDuty is not asked; open the name or the link that the page shows"


def fits(page: Page, alert: Alert) -> bool:
    """Return whether a page means an alert. A pager's number is looked for where people put it: in what it says."""
    if page.means is Means.FINGERPRINT:
        return alert.fingerprint == page.text
    if page.means is Means.EXPRESSION:
        same = bool(alert.expression) and _squeezed(alert.expression) == _squeezed(page.text)
        return same or page.text in _expressions_of(alert)
    if page.means is Means.PAGE:
        return bool(page.text) and any(page.text in said for _, said in (*alert.annotations, *alert.labels))
    if page.means is not Means.ALERT or (page.text and alert.name.casefold() != page.text.casefold()):
        return False
    return all(matches(one, alert.label(one.name)) for one in page.matchers)


def matches(matcher: Matcher, value: str) -> bool:
    """Return whether a label's value fits; an expression that is not run fits nothing."""
    if not matcher.is_regex:
        return (matcher.value == value) is matcher.is_equal
    pattern = runnable(matcher.value)
    return pattern is not None and (pattern.fullmatch(value[:_REGEX_LIMIT]) is not None) is matcher.is_equal


@lru_cache(maxsize=64)
def runnable(text: str) -> re.Pattern[str] | None:
    """Return a pasted regular expression, None for one that could be made to run for ever or cannot be read.

    Groups that repeat, and repetitions beyond two, are what takes time without end; names need neither.
    """
    bare = re.sub(r"\[[^\]]*\]", "x", text)
    if len(text) > _REGEX_LIMIT or re.search(r"[()]", bare) or len(re.findall(r"[*+?{]", bare)) > 2:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def _best(alerts: Iterable[Alert]) -> Found:
    found = sorted(alerts, key=_most_needed)
    return Found(alert=found[0], of=len(found)) if found else Found()


def _most_needed(alert: Alert) -> tuple[int, int, float, str]:
    order = {AlertState.FIRING: 0, AlertState.PENDING: 1, AlertState.ENDED: 3}
    return order.get(alert.state, 2), int(alert.severity), alert.onset, alert.key


def _squeezed(expression: str) -> str:
    return "".join(expression.split())


def _expressions_of(alert: Alert) -> Sequence[str]:
    try:
        return [said for name, said in _pairs(urlsplit(alert.generator_url).query) if name == "g0.expr"]
    except ValueError:
        return ()


def _near(text: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Return names of alerts and workloads that read like a text."""
    from difflib import get_close_matches

    names = {one.name for one in snapshot.tables.get(ALERTS, {}).values()}
    names |= {row.ref.key for row in snapshot.tables.get("rollouts", {}).values()}
    by_folded = {name.casefold(): name for name in sorted(names)[:20_000]}
    folded = text.casefold()[:120]
    inside = [name for name in by_folded if folded and folded in name][:NEAR]
    close = inside or get_close_matches(folded, by_folded, n=NEAR, cutoff=0.6)
    return tuple(by_folded[one] for one in close)


def settled(page: Page, cluster: Reading, evidence: Evidence) -> bool:
    """Return whether everybody who may know what a page means has answered, or has failed to."""
    if page.means is Means.NOTHING:
        return True
    known = cluster.freshness in (Freshness.FRESH, Freshness.FAILED)
    return known and (page.means is Means.WORKLOAD or not evidence.waiting)


def missing_words(page: Page, cluster: Reading, evidence: Evidence, lens: Lens) -> str:
    """Return who might know what a page means and does not say, with the reason; "" where all have spoken."""
    said = []
    if page.means is not Means.WORKLOAD and page.means is not Means.NOTHING:
        said.append(silent_words(evidence, lens))
    if not cluster.trusted and page.means is not Means.NOTHING:
        why = lens.text(cluster.reason, 200).rstrip(".") or "has not answered yet"
        said.append(f"the cluster: {why}")
    return "; ".join(one for one in said if one)


def seeking_words(page: Page, missing: str, lens: Lens) -> str:
    """Return what is looked for, and who is waited for."""
    return f"looking for {_named(page, lens) or 'it'}; {missing or 'not all servers have answered yet'}"


def _named(page: Page, lens: Lens) -> str:
    return str(lens.text(f"{page.namespace}/{page.text}" if page.namespace else page.text, 80))


def unknown_words(page: Page, found: Found, missing: str, lens: Lens) -> str:
    """Return why a page means nothing here: what it is not, what comes near, and who could not say."""
    named = _named(page, lens)
    if page.means is Means.PAGE:
        why = str(lens.text(found.why, 300))
        return f"{why}; not known for sure, since {missing}" if missing else why
    what = {
        Means.ALERT: _no_alert(page, named),
        Means.FINGERPRINT: f"No alert has the fingerprint {named}",
        Means.EXPRESSION: "No alert has the expression of that link",
        Means.WORKLOAD: f"There is no workload {named}",
    }.get(page.means, "That means nothing here")
    sentence = f"{what}: {lens.text(found.why, 200)}" if found.why else what
    sentence += near_words(found.near, lens)
    return f"{sentence}; not known, since {missing}" if missing else sentence


def _no_alert(page: Page, named: str) -> str:
    if not named:
        return "No alert fits its filter"
    return f"No alert called {named} fits its filter" if page.matchers else f"No alert is called {named}"


def near_words(near: Sequence[str], lens: Lens) -> str:
    """Return "; near: CartDown, shop/cart", or how to see what there is."""
    if near:
        return f"; near: {', '.join(lens.text(one, 80) for one in near)}"
    return "; type : and part of its name to see what there is"


def near_to(text: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Return names of alerts and workloads that read like a text."""
    return _near(text, snapshot) if text else ()
