"""Shows how an Argo Rollout delivers: its steps, who is stable and who comes, what was judged, what an abort leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.kubernetes.analysis import BAD, Analysis, Metric
from services.kubernetes.delivery import holder, left_by_abort, percent, progress_words
from services.model.delivery import BLUE_GREEN, DEGRADED, Delivery, Judgement
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import ReplicaSetInfo, Rollout
from services.ports import Snapshot
from tui.presenters.detail import labelled
from tui.presenters.lens import Lens, countdown, tag
from widgets.viewmodels import Line, Span, Tone

MOST_METRICS = 3
ROLES = {"step": "", "background": "background ", "pre": "before promotion ", "post": "after promotion "}


def replicasets_of(snapshot: Snapshot, ref: Ref) -> list[ReplicaSetInfo]:
    """Return the ReplicaSets that a workload owns, the newest revision first."""
    rows: Mapping[str, ReplicaSetInfo] = snapshot.tables.get("replicasets.apps", {})
    owned = (one for one in rows.values() if one.owner is not None and one.owner.uid == ref.uid)
    return sorted(owned, key=lambda one: -one.revision)


def judged(row: Rollout | None) -> tuple[Judgement, ...]:
    """Return the analyses that a workload's status names."""
    delivery = row.workload.delivery if row is not None else None
    return delivery.judgements if delivery is not None else ()


def present_delivery(
    row: Rollout, replicasets: Sequence[ReplicaSetInfo], analyses: Mapping[str, Analysis], lens: Lens, back: str = ""
) -> list[Line]:
    """Return what only a Rollout has, () for any other workload: DELIVERY, STEPS, its ReplicaSets, ANALYSIS, ABORTED.

    `analyses` are the runs that were read, by name; `back` is the key that rolls back ("" for none).
    """
    delivery = row.workload.delivery
    if delivery is None:
        return []
    lines = [_head(delivery, lens)]
    if left := left_by_abort(row):
        spans = [Span(lens.text(left.removeprefix("aborted: "), 300), Tone.WARN)]
        spans += [Span("   "), Span(back, Tone.KEY), Span(" undoes it")] if back else []
        lines.append(labelled("ABORTED", *spans))
    lines += [*_steps(delivery, lens), *_traffic(delivery, lens), *_parts(delivery, replicasets, lens)]
    for one in delivery.judgements:
        lines += _analysis(one, analyses.get(one.name), delivery.message, lens)
    return lines


def _head(delivery: Delivery, lens: Lens) -> Line:
    words = f"{delivery.phase}: {delivery.message}" if delivery.message else delivery.phase
    tone = Tone.WARN if delivery.phase == DEGRADED else Tone.PLAIN
    spans = [Span(f"{delivery.strategy}  "), Span(lens.text(words, 300), tone)]
    if progress := progress_words(delivery):
        spans.append(Span(f"   {progress}", Tone.STRONG))
    if delivery.pause_ends_at > lens.now and delivery.pauses:
        spans.append(Span(f"   goes on in {countdown(delivery.pause_ends_at - lens.now)}"))
    if delivery.follows:
        spans.append(Span(f"   template of {lens.text(delivery.follows, 100)}", Tone.MUTED))
    return labelled("DELIVERY", *spans)


def _steps(delivery: Delivery, lens: Lens) -> list[Line]:
    """Return the steps in a line: those behind dim, the present one marked, those to come plain."""
    if not delivery.steps or delivery.step is None:
        return []
    spans: list[Span] = []
    for index, step in enumerate(delivery.steps):
        words = lens.text(step, 60)
        if index < delivery.step:
            spans.append(Span(f"{words}   ", Tone.MUTED))
        elif index == delivery.step and not delivery.promoted:
            spans.append(Span(f"{lens.glyphs.right} {words}   ", Tone.WARN if delivery.aborted else Tone.STRONG))
        else:
            spans.append(Span(f"{words}   "))
    return [labelled("STEPS", *spans)]


def _traffic(delivery: Delivery, lens: Lens) -> list[Line]:
    """Return what a router gives the canary beside what its step asks for, () where none shapes the traffic."""
    router = lens.text(delivery.router, 60)
    if delivery.promoted and delivery.leaving:
        left = f"{router} still gives the version before {percent(delivery, delivery.leaving)} %"
        return [labelled("TRAFFIC", Span(left, Tone.WARN))]
    if not delivery.router or delivery.promoted:
        return []
    given, asked = percent(delivery, delivery.routed), percent(delivery, delivery.weight)
    if given is None:
        return [labelled("TRAFFIC", Span(f"{router} has not been told of a share yet; the step asks for {asked} %"))]
    besides = percent(delivery, delivery.besides) or 0
    experiments = f", experiments {besides} %" if besides else ""
    spans = [Span(f"{router} gives the canary {given} %, the stable version {100 - given - besides} %{experiments}")]
    if given != asked:
        spans.append(Span(f"   the step asks for {asked} %", Tone.WARN))
    if delivery.verified is not None:
        said, tone = ("verified", Tone.MUTED) if delivery.verified else ("not verified yet", Tone.WARN)
        spans.append(Span(f"   {said}", tone))
    if delivery.canary_scale:
        spans.append(Span(f"   its pods by {lens.text(delivery.canary_scale, 60)}", Tone.MUTED))
    return [labelled("TRAFFIC", *spans)]


def _parts(delivery: Delivery, replicasets: Sequence[ReplicaSetInfo], lens: Lens) -> list[Line]:
    """Return the ReplicaSets by their parts: stable and canary, or active and preview; one that is both stands once."""
    if delivery.strategy == BLUE_GREEN:
        named = [("ACTIVE", delivery.active), ("PREVIEW", delivery.preview or delivery.current)]
    else:
        named = [("STABLE", delivery.stable), ("CANARY", delivery.current)]
    lines, seen = [], set[str]()
    for label, template_hash in named:
        found = holder(template_hash, replicasets)
        if found is None or template_hash in seen:
            continue
        seen.add(template_hash)
        lines.append(labelled(label, *_replicaset(found, lens)))
    for old in replicasets:
        if old.leaves_at > lens.now and old.template_hash not in seen and old.replicas:
            left = f"   stays for {countdown(old.leaves_at - lens.now)}: until then going back to it is instant"
            lines.append(labelled("BEFORE", *_replicaset(old, lens), Span(left)))
    return lines


def _replicaset(one: ReplicaSetInfo, lens: Lens) -> list[Span]:
    images = " ".join(tag(image) for image in one.images)
    return [
        Span(f"rev {one.revision}  ", Tone.MUTED),
        Span(lens.text(images, 200)),
        Span(f"  {one.ready}/{one.desired} ready", Tone.WARN if one.ready < one.desired else Tone.PLAIN),
        Span(f"  {lens.text(one.ref.name, 100)}", Tone.MUTED),
    ]


def _analysis(named: Judgement, run: Analysis | None, known: str, lens: Lens) -> list[Line]:
    """Return a run in a line, and each metric of it that went wrong in one more; what is `known` is not said again."""
    phase = run.phase if run is not None and run.phase else named.phase
    bad = phase in BAD
    words = f"{ROLES.get(named.role, '')}{named.name}  "
    spans = [lens.badge(Severity.WARN if bad else Severity.OK), Span(f" {lens.text(words, 160)}")]
    spans.append(Span(lens.text(phase, 40), Tone.WARN if bad else Tone.PLAIN))
    message = (run.message if run is not None else "") or named.message
    if message and message not in known:
        spans.append(Span(f"  {lens.text(message, 200)}", Tone.MUTED))
    lines = [labelled("ANALYSIS", *spans)]
    metrics = [one for one in run.metrics if one.phase in BAD or not bad] if run is not None else []
    return lines + [labelled("", *_metric(one, lens)) for one in metrics[:MOST_METRICS]]


def _metric(metric: Metric, lens: Lens) -> list[Span]:
    bad = metric.phase in BAD
    spans = [Span(f"{lens.text(metric.name, 80)} {lens.text(metric.phase, 40)}", Tone.WARN if bad else Tone.MUTED)]
    if metric.value:
        spans.append(Span(f"  measured {lens.text(metric.value, 120)}"))
    if metric.measured:
        failed = f", {metric.failed} bad" if metric.failed else ""
        spans.append(Span(f"  ({metric.measured} measured{failed})", Tone.MUTED))
    if metric.message:
        spans.append(Span(f"  {lens.text(metric.message, 200)}", Tone.MUTED))
    return spans
