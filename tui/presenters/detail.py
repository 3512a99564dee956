"""Explains one workload in a few lines: because, changed, and how its rollout stands."""

from __future__ import annotations

from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import Pod, Rollout
from services.ports import Snapshot
from tui.presenters.lens import TONES, WORDS, Lens, age, countdown, plural
from tui.presenters.pods import why
from tui.presenters.rollouts import change
from widgets.viewmodels import LABEL_CELLS, Line, Span, TextVM, Tone


def labelled(label: str, *spans: Span) -> Line:
    """Return a line that begins with a label of fixed width."""
    return (Span(f"{label:<{LABEL_CELLS}}", Tone.MUTED), *spans)


def _cause(rollout: Rollout) -> str:
    if rollout.workload.delivery is None:
        return rollout.cause or rollout.what
    from services.kubernetes.delivery import because

    return because(rollout)


def present_because(rollout: Rollout, cause: str, lens: Lens) -> list[Line]:
    """Return why a workload is as it is (`cause` is raw, "" for nothing), and what it said last: up to two lines."""
    lines = [labelled("BECAUSE", Span(lens.text(cause, 400), TONES[rollout.severity]))] if cause else []
    if rollout.last_words:
        said = Span(f'"{lens.text(rollout.last_words, 400)}"')
        lines.append(labelled("", Span("last words  ", Tone.MUTED), said))
    return lines


def present_ready(rollout: Rollout, lens: Lens) -> str:
    """Return "0 of 3 ready for 6m"; where all are ready, the time is that of the trouble or of the roll-out alone."""
    workload = rollout.workload
    state = f"{workload.ready} of {workload.desired} ready"
    if not rollout.since or rollout.severity > Severity.NOTICE:
        return state
    return f"{state}{', like this' if workload.ready >= workload.desired else ''} for {lens.age(rollout.since)}"


def present_facts(rollout: Rollout, lens: Lens) -> list[Line]:
    """Return why a workload is as it is, what changed, and how far it is: nothing that is not known."""
    workload = rollout.workload
    word = Span(f" {WORDS[rollout.severity]}  ", TONES[rollout.severity])
    lines = [labelled("STATE", lens.badge(rollout.severity), word, Span(present_ready(rollout, lens)))]
    lines += present_because(rollout, _cause(rollout), lens)
    changed = change(rollout, lens)
    if changed:
        lines.append(labelled("CHANGED", Span(lens.text(changed))))
    if workload.delivery is None:
        lines.append(labelled("ROLLOUT", Span(lens.text(rollout.status, 200))))
    if rollout.deadline_at and not rollout.done:
        left = rollout.deadline_at - lens.now
        passed = f"progress deadline passed {lens.age(rollout.deadline_at)} ago"
        words = f"progress deadline in {countdown(left)}" if left > 0 else passed
        lines.append(labelled("", Span(words, Tone.WARN if left <= 0 else Tone.PLAIN)))
    lines.append(
        labelled(
            "COUNTS",
            Span(
                f"desired {workload.desired}  ready {workload.ready}  updated {workload.updated}"
                f"  available {workload.available}"
                + (f"  terminating {workload.terminating}" if workload.terminating else "")
            ),
        )
    )
    if workload.images:
        lines.append(labelled("IMAGES", Span(lens.text("  ".join(workload.images), 300))))
    if rollout.flapping:
        lines.append(
            labelled("FLAPS", Span(f"{len(rollout.changes)} changes of health in {age(lens.flapping_for)}", Tone.WARN))
        )
    return lines


def pods_of(snapshot: Snapshot, ref: Ref) -> list[Pod]:
    """Return a workload's pods, worst first: those its controller or one of its ReplicaSets owns."""
    owners = {ref.uid}
    for replicaset in snapshot.tables.get("replicasets.apps", {}).values():
        if replicaset.owner is not None and replicaset.owner.uid == ref.uid:
            owners.add(replicaset.ref.uid)
    pods = [
        pod
        for pod in snapshot.tables.get("pods", {}).values()
        if pod.ref.namespace == ref.namespace and pod.owner is not None and pod.owner.uid in owners
    ]
    return sorted(pods, key=lambda pod: (pod.severity, -pod.restarts, pod.ref.name))


def pod_line(pod: Pod, lens: Lens) -> Line:
    """Return one pod in a line: name, state, restarts, node, and why."""
    tone = TONES[pod.severity]
    restarts = f" x{pod.restarts}" if pod.restarts else ""
    reason = why(pod)
    return (
        lens.badge(pod.severity),
        Span(f" {lens.text(pod.ref.name)}  "),
        Span(f"{lens.text(pod.status)}{restarts}", tone),
        Span(f"  {lens.name('host', pod.node)}", Tone.MUTED),
        Span(f"  {lens.text(reason, 200)}" if reason else ""),
    )


def _delivery(rollout: Rollout, snapshot: Snapshot, lens: Lens) -> list[Line]:
    """Return what only a Rollout has; the page of one reads its analyses as well."""
    if rollout.workload.delivery is None:
        return []
    from tui.presenters.delivery import present_delivery, replicasets_of

    return present_delivery(rollout, replicasets_of(snapshot, rollout.ref), {}, lens)


def present_detail(rollout: Rollout, snapshot: Snapshot, lens: Lens) -> TextVM:
    """Return the detail column of the control room: the facts and the pods in trouble."""
    lines = [*present_facts(rollout, lens), *_delivery(rollout, snapshot, lens)]
    pods = pods_of(snapshot, rollout.ref)
    if pods:
        lines += [(), (Span(plural(len(pods), "pod"), Tone.STRONG),)]
        lines += [pod_line(pod, lens) for pod in pods[:12]]
    title = (Span(lens.text(f"{rollout.ref.namespace}/{rollout.ref.name}"), Tone.STRONG),)
    return TextVM(title, tuple(lines))
