"""What a page hands over is read whatever its form, finds what it means, and can neither hang nor raise."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from screenshots import scene, scene_alerts
from services.alertmanager.fingerprint import fingerprint
from services.alerts.happenings import began_event, ended_event
from services.clock import ManualClock
from services.model.alert import Alert, AlertState, Entity, Matcher
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event
from services.ports import Snapshot
from services.sanitize import safe_text
from tui.presenters.alert_sources import Evidence, evidence_of
from tui.presenters.freshness import Freshness, Reading
from tui.presenters.goto import read_going
from tui.presenters.lens import Lens
from tui.presenters.page import (
    LONGEST,
    Found,
    Means,
    Page,
    find_page,
    looks_like_page,
    missing_words,
    near_to,
    near_words,
    read_page,
    runnable,
    seeking_words,
    settled,
    unknown_words,
)
from tui.presenters.page_past import find_past

NOW = scene.NOW
LENS = Lens(NOW)
CART, CHECKOUT = scene_alerts.hash_of("CartDown"), scene_alerts.hash_of("CheckoutErrorRate")
AM = "https://am.example/prefix"
FILTER = f"{AM}/#/alerts?silenced=false&filter="
SILENCE = "6d9e1b0c-1f5e-4d07-9f6e-7c4a2b1e0d3f"


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    feed = scene.live(ManualClock(NOW))
    scene_alerts.add(feed)
    return feed.snapshot()


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("CartDown", Page(Means.ALERT, "CartDown")),
        ("  CartDown\n", Page(Means.ALERT, "CartDown")),
        ("job:errors:rate5m", Page(Means.ALERT, "job:errors:rate5m")),
        (f"{CART:016X}", Page(Means.FINGERPRINT, f"{CART:016x}")),
        ("shop/deploy/cart", Page(Means.WORKLOAD, "cart", "shop", "Deployment")),
        ("shop/deployment.apps/cart", Page(Means.WORKLOAD, "cart", "shop", "Deployment")),
        ("deploy/cart", Page(Means.WORKLOAD, "cart", "", "Deployment")),
        ("data/sts/db-0.main", Page(Means.WORKLOAD, "db-0.main", "data", "StatefulSet")),
        ("shop/cart", Page(Means.WORKLOAD, "cart", "shop")),
        ('{alertname="CartDown"}', Page(Means.ALERT, "CartDown")),
        ("{alertname=CartDown, namespace!='x'}", Page(Means.ALERT, "CartDown", matchers=(
            Matcher("namespace", "'x'", is_equal=False),))),
        ('ALERTS{alertname="CartDown",alertstate="firing"}', Page(Means.ALERT, "CartDown")),
        ('{namespace=~"shop|payments"}', Page(Means.ALERT, matchers=(Matcher("namespace", "shop|payments", True),))),
        (FILTER + quote('{alertname="CartDown",job="c,art"}'),
         Page(Means.ALERT, "CartDown", matchers=(Matcher("job", "c,art"),))),
        (f"{AM}/#/alerts?filter=alertname%3D%22Say+%5C%22hi%5C%22%22", Page(Means.ALERT, 'Say "hi"')),
        (f"{AM}/#/alerts?filter=CartDown", Page(Means.ALERT, "CartDown")),
        (f"{AM}/#/alerts/{CART:016x}", Page(Means.FINGERPRINT, f"{CART:016x}")),
        (f"{AM}/#/silences/{SILENCE.upper()}", Page(Means.SILENCE, SILENCE)),
        ("http://prom.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1", Page(Means.EXPRESSION, "up == 0")),
        ("http://prom.example/query?g0.expr=ALERTS%7Balertname%3D%22CartDown%22%7D", Page(Means.ALERT, "CartDown")),
        ("http://prom.example/alerts?search=CartDown", Page(Means.ALERT, "CartDown")),
        ("https://acme.pagerduty.com/incidents/Q1ABCDEF23", Page(Means.PAGE, "Q1ABCDEF23")),
    ],
)  # fmt: skip
def test_what_a_text_means(text: str, page: Page) -> None:
    assert read_page(text) == page


@pytest.mark.parametrize(
    "text",
    [
        "", "what is this", "!!", "ftp://am.example/#/alerts?filter=CartDown", "https://am.example/", "http://[::1",
        "javascript://x", "{}", "{alertname", f"{AM}/#/alerts?filter=%7B%7D",
        "x" * 400,
    ],
)  # fmt: skip
def test_what_means_nothing_says_why(text: str) -> None:
    page = read_page(text)
    assert page.means is Means.NOTHING
    assert page.why
    assert page.why in unknown_words(page, find_page(page, Snapshot(0, {}, {})), "", LENS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cartdown", "CartDown"),
        (f"{CHECKOUT:016x}", "CheckoutErrorRate"),
        (FILTER + quote('{alertname="CartDown",namespace="shop"}'), "CartDown"),
        (FILTER + quote('{namespace=~"pay.*"}'), "CheckoutErrorRate"),
        (FILTER + quote('{namespace!="payments",severity="critical"}'), "CartDown"),
        ("http://p/graph?g0.tab=1&g0.expr=" + quote('up{job="cart"}  ==0'), "CartDown"),
        ("Watchdog", "Watchdog"),
        ("DiskFull", "DiskFull"),
    ],
)
def test_an_alert_is_found(snapshot: Snapshot, text: str, found: str) -> None:
    alert = find_page(read_page(text), snapshot).alert
    assert alert is not None
    assert alert.name == found


def test_of_several_alerts_the_worst_that_fires_is_opened(snapshot: Snapshot) -> None:
    found = find_page(read_page('{namespace="payments"}'), snapshot)
    assert found.of == 3
    assert found.alert is not None
    assert found.alert.name == "CheckoutErrorRate"


def test_an_expression_is_found_by_the_link_of_the_alert_where_no_rule_is_known(snapshot: Snapshot) -> None:
    rows = {
        key: structs.replace(one, expression="", generator_url="http://p/graph?g0.expr=up+%3D%3D+0&g0.tab=1")
        for key, one in snapshot.tables["alerts"].items()
        if one.name == "CartDown"
    }
    there = structs.replace(snapshot, tables={**snapshot.tables, "alerts": rows})
    assert find_page(read_page("https://elsewhere/graph?g0.expr=up+%3D%3D+0"), there).of == 1
    assert not find_page(read_page("https://elsewhere/graph?g0.expr=up+%3D%3D+1"), there).known


@pytest.mark.parametrize("text", ["payments/deploy/checkout", "payments/checkout", "deploy/checkout", "checkout"])
def test_a_workload_is_found(snapshot: Snapshot, text: str) -> None:
    row = find_page(read_page(text), snapshot).workload
    assert row is not None
    assert row.ref.key == "payments/checkout"


@pytest.mark.parametrize(
    "text", ["payments/sts/checkout", "shop/checkout", "CartDwn", "shop/carts", "0123456789abcdef"]
)
def test_what_is_not_there_is_not_found(snapshot: Snapshot, text: str) -> None:
    assert not find_page(read_page(text), snapshot).known


@pytest.mark.parametrize(
    ("text", "near"),
    [("CartDwn", "CartDown"), ("checkouterror", "CheckoutErrorRate"), ("shop/carts", "shop/cart"), ("xyzzyq", "")],
)
def test_what_comes_near_is_named(snapshot: Snapshot, text: str, near: str) -> None:
    page = read_page(text)
    words = unknown_words(page, find_page(page, snapshot), "", LENS)
    assert (f"near: {near}" in words) if near else ("type :" in words)
    assert near_words(near_to(text, snapshot), LENS) in words


def test_a_silence_is_known_or_said_not_to_be(snapshot: Snapshot) -> None:
    page = Page(Means.SILENCE, "sil-1")
    assert find_page(page, snapshot) == Found(silence="sil-1")
    assert not find_page(read_page(f"{AM}/#/silences/{SILENCE}"), snapshot).known


def test_a_pager_s_number_is_looked_for_where_people_write_it(snapshot: Snapshot) -> None:
    page = read_page("https://acme.pagerduty.com/incidents/Q1ABCDEF23")
    words = unknown_words(page, find_page(page, snapshot), "", LENS)
    assert words.startswith("Q1ABCDEF23 is named by no alert, and PagerDuty is not asked; open the name")
    assert unknown_words(page, find_page(page, snapshot), "am-1: gone", LENS).endswith("sure, since am-1: gone")
    cart = next(one for one in snapshot.tables["alerts"].values() if one.name == "CartDown")
    told = structs.replace(cart, annotations=(("pager", "see Q1ABCDEF23"),))
    there = structs.replace(snapshot, tables={"alerts": {told.key: told}})
    assert find_page(page, there).alert == told


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "a*a*a*b", "((((a", "[", "a" * 300, "(?:x+x+)+y", "a{2}{3}", "\\"]
)
def test_a_pattern_that_could_run_for_ever_is_not_run(snapshot: Snapshot, pattern: str) -> None:
    assert runnable(pattern) is None
    page = Page(Means.ALERT, matchers=(Matcher("namespace", pattern, is_regex=True),))
    assert "not run" in find_page(page, snapshot).why


@pytest.mark.parametrize(
    "text",
    [
        "{" * LONGEST, " " * LONGEST + "x", "a " * LONGEST, "{" + 'a="' * 2000 + "}", "{" + 'a="\\' * 2000 + '"}',
        "a.-" * 3000 + "/", "a/" * 4000, "{a=" + " " * LONGEST + "}", f"http://x/#/alerts?filter={'+' * LONGEST}x",
        f"http://x/#/alerts?filter=%7B{'a%3Db%2C' * 900}", "http://x/?" + "&".join("a=b" for _ in range(4000)),
        '{a=~"' + "x?" * 100 + "x" * 100 + '"}', "http://" + "@" * LONGEST, "0" * LONGEST,
    ],
)  # fmt: skip
def test_no_text_takes_long(snapshot: Snapshot, text: str) -> None:
    began = time.process_time()
    looks_like_page(text)
    read_going(text)
    find_page(read_page(text), snapshot)
    assert time.process_time() - began < 1.0


LINKS = [
    "http://am/#/alerts?filter=",
    "pagerduty.com/incidents/",
    "silences/",
    "g0.expr=",
    "alertname",
    "shop",
    "deploy",
]
SIGNS = ["=~", "!~", "%7B", "0123456789abcdef", "\x00", "\u202e", *'{}="\\,%/?#& *(é']
pieces = st.sampled_from([*LINKS, *SIGNS])


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=200), st.lists(pieces, max_size=12).map("".join)))
def test_any_text_is_read_and_looked_for_without_an_error(text: str) -> None:
    page = read_page(text)
    feed = _feed()
    found = find_page(page, feed)
    words = unknown_words(page, found, "", LENS)
    assert safe_text(words, 5000) == words
    looks_like_page(text)
    near_to(text, feed)
    read_going(text)


_KEPT: list[Snapshot] = []


def _feed() -> Snapshot:
    if not _KEPT:
        feed = scene.live(ManualClock(NOW))
        scene_alerts.add(feed)
        _KEPT.append(feed.snapshot())
    return _KEPT[0]


@given(st.from_regex(r"[a-z]{1,8}/(deploy|sts|ds)/[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True))
def test_what_only_a_page_can_be_is_taken_for_one_by_the_palette(text: str) -> None:
    assert looks_like_page(text)
    assert read_going(text).page == text
    assert read_page(text).means is Means.WORKLOAD


@pytest.mark.parametrize("text", ["pods", "shop/cart", "po shop /crash", "ctx staging", "CartDown", "scope a team=b"])
def test_what_may_be_a_view_is_not_taken_for_a_page(text: str) -> None:
    assert not looks_like_page(text)


def stood(**states: SourceState) -> Evidence:
    sources = {
        f"alertmanager/{name}": SourceStatus(
            f"alertmanager/{name}", state, NOW, NOW, NOW, "refused." if state is SourceState.FAILED else ""
        )
        for name, state in states.items()
    }
    return evidence_of(Snapshot(1, {}, sources), NOW, ("alertmanager/a",))


FRESH, FAILED, LOADING = (
    Reading(Freshness.FRESH),
    Reading(Freshness.FAILED, reason="it is down."),
    Reading(Freshness.LOADING),
)
ALERT, WORKLOAD = Page(Means.ALERT, "CartDown"), Page(Means.WORKLOAD, "cart", "shop")


@pytest.mark.parametrize(
    ("page", "cluster", "evidence", "over", "missing"),
    [
        (ALERT, FRESH, stood(a=SourceState.LIVE), True, ""),
        (ALERT, FRESH, stood(), False, "a: was not asked yet"),
        (ALERT, FRESH, stood(a=SourceState.LOADING), False, "a: has not answered yet"),
        (ALERT, FRESH, stood(a=SourceState.FAILED), True, "a: refused"),
        (ALERT, LOADING, stood(a=SourceState.LIVE), False, "the cluster: has not answered yet"),
        (ALERT, FAILED, stood(a=SourceState.LIVE), True, "the cluster: it is down"),
        (ALERT, FRESH, Evidence(), True, ""),
        (WORKLOAD, FRESH, stood(), True, ""),
        (WORKLOAD, LOADING, stood(a=SourceState.LIVE), False, "the cluster: has not answered yet"),
        (Page(Means.NOTHING, why="it is empty"), LOADING, stood(), True, ""),
    ],
)
def test_when_the_search_is_over_and_who_did_not_answer(
    page: Page, cluster: Reading, evidence: Evidence, over: bool, missing: str
) -> None:
    assert settled(page, cluster, evidence) is over
    assert missing_words(page, cluster, evidence, LENS) == missing
    if missing:
        assert missing in seeking_words(page, missing, LENS)
        assert missing in unknown_words(page, Found(), missing, LENS)


LABELS = (("alertname", "GoneErrorRate"), ("deployment", "cart"), ("namespace", "shop"), ("severity", "critical"))


def over(workload: str, ago: float, labels: tuple[tuple[str, str], ...] = LABELS) -> list[Event]:
    row = Alert(
        key=f"k-{workload}", fingerprint=fingerprint(labels), name="GoneErrorRate", severity=Severity.CRIT,
        state=AlertState.ENDED, labels=labels, entity=Entity("c1", "shop", workload), onset=NOW - ago - 60,
        ended_at=NOW - ago,
    )  # fmt: skip
    return [began_event(row, NOW), ended_event(row, NOW)]


def less(event: Event) -> Event:
    """Return an event as it was recorded before labels were."""
    return structs.replace(event, payload={name: said for name, said in event.payload.items() if name != "labels"})


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize(
    ("text", "workload", "of"),
    [
        ("goneerrorrate", "web", 2),
        (fingerprint(LABELS), "cart", 1),
        (
            FILTER + quote('{alertname="GoneErrorRate",deployment="cart",namespace="shop",severity="critical"}'),
            "cart",
            1,
        ),
        (FILTER + quote('{alertname="GoneErrorRate",deployment="cart"}'), "cart", 1),
        (FILTER + quote('{alertname="GoneErrorRate",namespace="data"}'), "", 0),
        (FILTER + quote('{alertname="GoneErrorRate",namespace=~"(a+)+"}'), "", 0),
        ("NeverErrorRate", "", 0),
        ("http://p/graph?g0.expr=nothing_like_it", "", 0),
    ],
)
def test_an_alert_that_is_over_is_found_on_the_timeline(
    snapshot: Snapshot, text: str, workload: str, of: int, forgetful: bool
) -> None:
    events = (*over("web", 60, (("alertname", "GoneErrorRate"),)), *over("cart", 600), *snapshot.events)
    page = read_page(text)
    assert not find_page(page, snapshot).known
    found = find_past(page, map(less, events) if forgetful else events, snapshot.tables["alerts"], known=True)
    assert (found.of, found.over, found.known) == (of, of > 0, of > 0)
    if found.alert is not None:
        assert (found.alert.entity.workload, found.alert.state) == (workload, AlertState.ENDED)


def test_a_label_that_an_alert_had_not_denies_it_where_all_its_labels_are_known(snapshot: Snapshot) -> None:
    page, events = read_page(FILTER + quote('{alertname="GoneErrorRate",cluster="who knows"}')), over("cart", 600)
    assert not find_past(page, events, {}, known=True).known
    found = find_past(page, map(less, events), {}, known=True)
    assert found.known
    assert found.alert is not None
    assert found.alert.label("deployment") == ""


def test_a_filter_that_fits_no_alert_of_that_name_does_not_deny_the_name(snapshot: Snapshot) -> None:
    page = read_page(FILTER + quote('{alertname="CartDown",namespace="data"}'))
    words = unknown_words(page, find_page(page, snapshot), "", LENS)
    assert words.startswith("No alert called CartDown fits its filter; ")
