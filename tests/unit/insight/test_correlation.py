"""Every score is the sum of lines an operator would say, and what speaks against a change is said too."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.insight.correlation import Context, Trouble, judge, span, suspects, suspects_of_group, verdicts
from services.model.alert import Alert, AlertState, Entity
from services.model.change import Change, ChangeKind, ScoreLine
from services.model.ref import Ref
from services.model.severity import Severity

T0 = 1_800_000_000.0
CHECKOUT = Entity("c1", "shop", "checkout")
FRONTEND = Entity("c1", "shop", "frontend")


def rollout(namespace: str = "shop", name: str = "checkout", **fields: object) -> Change:
    base = Change(
        f"rev-{namespace}-{name}", Ref("c1", "apps", "Deployment", namespace, name), ChangeKind.ROLLOUT, T0, T0 + 120
    )
    return structs.replace(base, **fields)


def node_change(name: str) -> Change:
    return Change(f"node-{name}", Ref("c1", "", "Node", "", name), ChangeKind.NODE, T0, T0)


def config_change(name: str) -> Change:
    return Change(f"cm-{name}", Ref("c1", "", "ConfigMap", "shop", name), ChangeKind.CONFIG, T0, T0)


FLAPPY = tuple(T0 - 3600.0 * n for n in range(1, 8))


@pytest.mark.parametrize(
    ("trouble", "change", "context", "score", "band", "lines"),
    [
        (
            Trouble(CHECKOUT, T0 + 90),
            rollout(healthy=False),
            Context(),
            92,
            "likely",
            [("same workload shop/checkout", 45), ("began 90 s after it started", 35), ("rollout unhealthy", 12)],
        ),
        (
            Trouble(CHECKOUT, T0 + 42 * 60, before=FLAPPY),
            rollout(healthy=False),
            Context(),
            35,
            "nearby",
            [
                ("same workload shop/checkout", 45),
                ("began 40 min after it had settled", 3),
                ("rollout unhealthy", 12),
                ("fired 7 times in 24 h without it", -25),
            ],
        ),
        (
            Trouble(CHECKOUT, T0 + 60, before=FLAPPY[:3]),
            rollout(),
            Context(),
            62,
            "possible",
            [
                ("same workload shop/checkout", 45),
                ("began 60 s after it started", 35),
                ("fired 3 times in 24 h without it", -18),
            ],
        ),
        (
            Trouble(Entity("c1", "shop", "checkout", "checkout-7d9-x2k4p"), T0 + 60),
            rollout(template_hash="7d9", healthy=False),
            Context(),
            100,
            "likely",
            [
                ("same workload shop/checkout", 45),
                ("began 60 s after it started", 35),
                ("rollout unhealthy", 12),
                ("the pod is one it made", 12),
            ],
        ),
        (
            Trouble(Entity("c1", "shop", "checkout", "p"), T0 - 20, before=(T0 - 100,)),
            rollout(template_hash="7d9"),
            Context(template_hashes={"shop/p": "7d9"}),
            86,
            "likely",
            [
                ("same workload shop/checkout", 45),
                ("began 20 s before it was seen to start", 35),
                ("the pod is one it made", 12),
                ("fired once in 24 h without it", -6),
            ],
        ),
        (
            Trouble(Entity("c1", "shop", "cart", node="node-3"), T0 + 5),
            node_change("node-3"),
            Context(),
            65,
            "possible",
            [("same node node-3", 30), ("began 5 s after it started", 35)],
        ),
        (
            Trouble(CHECKOUT, T0 + 5),
            config_change("checkout"),
            Context(),
            50,
            "possible",
            [("same namespace shop", 15), ("began 5 s after it started", 35)],
        ),
        (
            Trouble(CHECKOUT, T0 + 5),
            config_change("tax"),
            Context(uses={("shop", "tax"): frozenset({("shop", "checkout")})}),
            80,
            "likely",
            [("shop/checkout uses ConfigMap tax", 45), ("began 5 s after it started", 35)],
        ),
        (
            Trouble(CHECKOUT, T0 + 900, slack=300),
            rollout(end=T0 + 300),
            Context(),
            80,
            "likely",
            [("same workload shop/checkout", 45), ("began 15 min after it started, give or take 5 min", 35)],
        ),
        (
            Trouble(CHECKOUT, T0 + 5 * 3600),
            rollout(end=0.0),
            Context(),
            80,
            "likely",
            [("same workload shop/checkout", 45), ("began 5 h after it started", 35)],
        ),
    ],
)
def test_each_line_of_a_score_is_said(
    trouble: Trouble, change: Change, context: Context, score: int, band: str, lines: list[tuple[str, int]]
) -> None:
    (found,) = suspects(trouble, [change], context)
    assert [(line.reason, line.points) for line in found.lines] == lines
    assert (found.score, found.band) == (score, band)


@pytest.mark.parametrize(
    ("trouble", "change", "reason"),
    [
        (Trouble(Entity("c1", "data", "postgres"), T0 + 90), rollout(), "nothing in common"),
        (Trouble(CHECKOUT, T0 - 200), rollout(), "began 3 min before the change"),
        (Trouble(CHECKOUT, T0 - 100), rollout(), "began 100 s before the change"),
        (Trouble(CHECKOUT, T0 + 120 + 3601), rollout(), "began 60 min after the change had settled"),
        (Trouble(structs.replace(CHECKOUT, cluster="c2"), T0 + 90), rollout(), "another cluster"),
        (Trouble(Entity("c1", node="node-4"), T0 + 5), node_change("node-3"), "nothing in common"),
        (Trouble(Entity("c1"), T0 + 5), rollout(), "nothing in common"),
        (
            Trouble(CHECKOUT, T0 + 90),
            rollout(kind=ChangeKind.SILENCE),
            "a silence changes who is told, not what breaks",
        ),
        (
            Trouble(structs.replace(CHECKOUT, workload="cart"), T0 + 42 * 60),
            rollout(),
            "too weak: 18 (same namespace shop +15, began 40 min after it had settled +3)",
        ),
    ],
)
def test_what_is_no_suspect_is_cleared_with_a_reason(trouble: Trouble, change: Change, reason: str) -> None:
    assert suspects(trouble, [change]) == ()
    assert [verdict.reason for verdict in verdicts(trouble, [change])] == [reason]


def test_the_onset_before_counts_only_if_it_came_before_the_change_and_within_a_day() -> None:
    before = (T0 - 90_000, T0 + 10, T0 - 10)
    (found,) = suspects(Trouble(CHECKOUT, T0 + 90, before=before), [rollout()])
    assert found.score == 80


def alert(key: str, onset: float, entity: Entity = CHECKOUT) -> Alert:
    return Alert(key, key, "Errors", Severity.CRIT, AlertState.FIRING, (), entity=entity, onset=onset)


def test_a_group_is_judged_by_its_earliest_and_says_what_speaks_against() -> None:
    alerts = [alert("a", T0 - 10), alert("b", T0 + 60), alert("c", T0 + 61), alert("d", T0 + 62)]
    (found,) = suspects_of_group(alerts, [rollout()])
    assert found.score == 80
    assert found.lines[-1] == ScoreLine("1 of 4 began before it", 0)
    assert suspects_of_group(alerts[1:], [rollout()])[0].lines[-1].points == 35
    assert suspects_of_group([], [rollout()]) == ()


def test_what_came_with_the_cluster_is_suspected_only_where_nothing_later_is() -> None:
    first = structs.replace(rollout(), id="first", founding=True)
    (alone,) = suspects(alert("a", T0 + 90), [first])
    assert (alone.score, alone.lines[-1].points) == (suspects(alert("a", T0 + 90), [rollout()])[0].score, 0)
    assert "suspected only since nothing later is" in alone.lines[-1].reason
    judged = verdicts(alert("a", T0 + 90), [first, rollout()])
    assert [(one.change.id, one.suspect is not None) for one in judged] == [(rollout().id, True), ("first", False)]
    assert judged[1].reason == "came with the cluster itself, and later changes are suspected"


def test_the_onsets_of_an_alert_come_from_what_is_known() -> None:
    known = Context(onsets={"a": [T0 - 7200, T0 - 3600, T0 + 90]})
    (found,) = suspects(alert("a", T0 + 90), [rollout()], known)
    assert found.lines[-1] == ScoreLine("fired 2 times in 24 h without it", -12)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (90, "90 s"), (119.4, "119 s"), (120, "2 min"), (5400, "90 min"), (7200, "2 h")]
)
def test_spans_are_said_in_one_unit(seconds: float, said: str) -> None:
    assert span(seconds) == said


NAMES = st.sampled_from(["checkout", "cart", "search", ""])
SPACES = st.sampled_from(["shop", "data", ""])
CLUSTERS = st.sampled_from(["c1", "c2"])
NODES = st.sampled_from(["n1", "n2", ""])
TIMES = st.floats(T0 - 9000, T0 + 9000, allow_nan=False)
ENTITIES = st.builds(Entity, CLUSTERS, SPACES, NAMES, st.just(""), NODES)
TROUBLES = st.builds(Trouble, ENTITIES, TIMES, st.sampled_from([0.0, 300.0]), st.lists(TIMES, max_size=6).map(tuple))


@st.composite
def some_changes(draw: st.DrawFn, most: int = 6) -> list[Change]:
    result = []
    for number in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(["Deployment", "ConfigMap", "Node"]))
        name = draw(NODES) if kind == "Node" else draw(NAMES)
        ref = Ref(draw(CLUSTERS), "", kind, "" if kind == "Node" else draw(SPACES), name)
        start = draw(TIMES)
        end = draw(st.sampled_from([0.0, start, start + 120]))
        healthy = draw(st.sampled_from([None, True, False]))
        result.append(Change(f"id-{number}", ref, ChangeKind.ROLLOUT, start, end, healthy=healthy))
    return result


@given(TROUBLES, some_changes(), some_changes(1))
def test_another_change_never_alters_what_is_said_of_the_others(
    trouble: Trouble, changes: list[Change], more: list[Change]
) -> None:
    renamed = [structs.replace(change, id="more") for change in more]
    alone = suspects(trouble, changes)
    together = suspects(trouble, [*renamed, *changes])
    assert tuple(one for one in together if one.change.id != "more") == alone


@given(TROUBLES, some_changes(), st.randoms())
def test_the_order_in_which_changes_come_means_nothing(
    trouble: Trouble, changes: list[Change], rnd: random.Random
) -> None:
    shuffled = list(changes)
    rnd.shuffle(shuffled)
    assert suspects(trouble, shuffled) == suspects(trouble, changes)
    assert verdicts(trouble, shuffled) == verdicts(trouble, changes)


@given(TROUBLES, some_changes())
def test_a_score_is_the_bounded_sum_of_its_lines_and_every_change_has_a_verdict(
    trouble: Trouble, changes: list[Change]
) -> None:
    judged = verdicts(trouble, changes)
    assert sorted(one.change.id for one in judged) == sorted(one.id for one in changes)
    for one in judged:
        if one.suspect is None:
            assert one.reason
        else:
            total = sum(line.points for line in one.suspect.lines)
            assert one.suspect.score == max(0, min(100, total)) >= 30
            assert one.change.ref.cluster == trouble.entity.cluster


@given(TROUBLES, some_changes(), st.floats(0, 3600))
def test_uncertainty_widens_and_never_narrows(trouble: Trouble, changes: list[Change], slack: float) -> None:
    for change in changes:
        sure = judge(structs.replace(trouble, slack=0.0), change).suspect
        unsure = judge(structs.replace(trouble, slack=slack), change).suspect
        assert sure is None or (unsure is not None and unsure.score >= sure.score)


@given(TROUBLES, some_changes())
def test_what_moves_with_the_clock_moves_the_scores_with_it(trouble: Trouble, changes: list[Change]) -> None:
    whole = [
        structs.replace(one, start=float(int(one.start)), end=float(int(one.end)) if one.end else 0.0)
        for one in changes
    ]
    still = structs.replace(trouble, onset=float(int(trouble.onset)), before=())
    later = structs.replace(still, onset=still.onset + 7200)
    moved = [structs.replace(one, start=one.start + 7200, end=one.end + 7200 if one.end else 0.0) for one in whole]
    assert [one.score for one in suspects(later, moved)] == [one.score for one in suspects(still, whole)]


@pytest.mark.bench
def test_bench_2000_alerts_by_50_changes() -> None:
    rnd = random.Random(1)  # noqa: S311 - test data
    entities = [Entity("c1", f"ns-{rnd.randrange(20)}", f"app-{rnd.randrange(60)}") for _ in range(2000)]
    changes = [
        rollout(f"ns-{rnd.randrange(20)}", f"app-{rnd.randrange(60)}", id=str(n), start=T0 + n) for n in range(50)
    ]
    began = time.perf_counter()
    found = sum(len(suspects(Trouble(entity, T0 + 300), changes)) for entity in entities)
    print(f"\n2,000 x 50: {(time.perf_counter() - began) * 1000:.0f} ms, {found} found")  # noqa: T201 - to be read
