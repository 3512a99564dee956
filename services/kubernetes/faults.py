"""Says in an operator's words why a change was not made, or that nobody knows if it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from services.errors import Problem
from services.kubernetes.problems import STRANGER, ApiProblem, Unreached
from services.model.action import Write
from services.model.text import SafeText
from services.sanitize import safe_text

BUDGET_CAUSE = "DisruptionBudget"
TERMINATING_CAUSE = "NamespaceTerminating"
MANY_BUDGETS = "more than one PodDisruptionBudget"


class WriteFault(StrEnum):
    """What an answer to a change, or its absence, means. All but UNKNOWN: the change surely was not made."""

    CONFLICT = "conflict"
    """409: the server could not take it beside other writes, or there is one of that name already."""
    CHANGED = "changed"
    """A precondition failed, and the object wants something else than it did."""
    GONE = "gone"
    """404, or another object has its name."""
    INVALID = "invalid"
    """400, 413, 422 and the like: the server will never take it as it is."""
    FORBIDDEN = "forbidden"
    """401, or 403 by the server's authorization."""
    DENIED = "denied"
    """Refused by admission: a webhook, a policy, a quota."""
    BUSY = "busy"
    """429 from the server itself, which has too much to do."""
    BUDGET = "budget"
    """429 because of a PodDisruptionBudget."""
    UNREHEARSABLE = "unrehearsable"
    """A webhook with side effects refuses dry runs."""
    UNSENT = "unsent"
    """It never left for the server."""
    UNKNOWN = "unknown"
    """It left, and no answer says what became of it."""


class WriteProblem(Problem):
    """A change that was not made, or of which nobody knows. `words` are the server's, raw; `causes` its details'.

    `retry_after` is how many seconds the server asks to wait, 0 where it does not say. `partly` is set by who sends
    several changes and has already made some of them.
    """

    def __init__(self, sentence: SafeText, kind: WriteFault, status: int = 0) -> None:
        super().__init__(sentence, status)
        self.kind = kind
        self.words = ""
        self.retry_after = 0.0
        self.causes: tuple[Mapping[str, Any], ...] = ()
        self.partly = False


def write_problem(problem: Problem, write: Write, *, dry_run: bool = False) -> WriteProblem:
    """Return what a request's problem means for the change it was to make; nothing can become of a dry run."""
    if isinstance(problem, ApiProblem):
        kind, why = _answered(problem, write, dry_run)
    elif isinstance(problem, Unreached) and problem.sent and not dry_run:
        kind = WriteFault.UNKNOWN
        why = f"{_reason(problem, write)} It may have been done all the same: look at the object before you repeat it."
    else:
        kind, why = WriteFault.UNSENT, f"{_reason(problem, write)} Nothing was changed."
    found = WriteProblem(safe_text(f"Could not {write.what}: {why}", 1000), kind, problem.status)
    if isinstance(problem, ApiProblem):
        found.words, found.retry_after, found.causes = problem.words, problem.retry_after, problem.causes
    return found


def lost_race(kind: WriteFault, write: Write) -> bool:
    """Tell whether a refusal may only mean that somebody wrote in between: a failed test in a JSON Patch is a 422."""
    if write.method not in {"PATCH", "DELETE"} or not (write.uid or write.resource_version):
        return False
    return kind is WriteFault.CONFLICT or (kind is WriteFault.INVALID and write.method == "PATCH")


def _reason(problem: Problem, write: Write) -> str:
    said = str(problem.sentence)
    _, named, reason = said.partition(f"{write.what}: ")
    return reason if named else said


_SENTENCES = {
    WriteFault.CONFLICT: "another write came first{said}; read it again, then decide.",
    WriteFault.GONE: "it is not there any more{said}; nothing was changed.",
    WriteFault.INVALID: "the server will not take it{said}; as it is, it cannot be done.",
    WriteFault.DENIED: "the cluster's admission rules refuse it{said}; change what they object to, or ask their owner.",
    WriteFault.BUSY: "the API server has too much to do{said}; try again{wait}.",
    WriteFault.BUDGET: "a disruption budget does not allow it now{said}; try again{wait}, or get more pods ready.",
    WriteFault.UNREHEARSABLE: "a webhook with side effects refuses dry runs{said}: what it would change is not known.",
    WriteFault.UNKNOWN: "the server failed with {status}{said}. It may have been done all the same: look at it.",
}
_EXISTS = "there is one of that name already{said}; nothing was changed."
_ANOTHER = "it was deleted meanwhile, and another one has its name{said}; nothing was changed."
_FAILED = "the server failed with {status}{said}; nothing was changed; try again in a moment."
_CREDENTIALS = "the server does not accept these credentials{said}; log in again."
_RIGHTS = "you may not{said}; ask for a role that allows it."
_CLOSING = "its namespace is being deleted{said}; nothing can be made in it any more."
_WEBHOOK_DOWN = "a webhook that has to agree did not answer{said}; nothing was changed; ask who runs it."
_MANY = "more than one disruption budget covers the pod{said}; the server never evicts such a pod: remove one of them."


def _answered(problem: ApiProblem, write: Write, dry_run: bool) -> tuple[WriteFault, str]:
    if STRANGER in problem.sentence:
        return WriteFault.UNSENT, f"{STRANGER} Nothing was changed."
    kind, sentence = _classified(problem, dry_run)
    if kind is WriteFault.GONE and write.method == "POST" and not write.path.endswith("/eviction"):
        kind, sentence = WriteFault.INVALID, "what it needs is not there{said}; nothing was changed."
    words = _of_budget(problem) if kind is WriteFault.BUDGET else problem.words
    said = f" ({safe_text(words, 400)})" if words else ""
    wait = f" in {problem.retry_after:.0f} s" if problem.retry_after else " in a moment"
    sentence = sentence or _SENTENCES[kind]
    return kind, sentence.format(said=said, wait=wait, status=problem.status)


def _of_budget(problem: ApiProblem) -> str:
    """Return the cause that names the budget and its numbers, where the server sent it; else what it said at all."""
    causes = [str(one.get("message") or "") for one in problem.causes if one.get("reason") == BUDGET_CAUSE]
    return next((one for one in causes if one), "") or problem.words


_WITHOUT_DRY_RUN = re.compile(r"does not support dry ?run", re.IGNORECASE)
_ADMISSION = re.compile(r"admission webhook|ValidatingAdmissionPolicy|MutatingAdmissionPolicy", re.IGNORECASE)
_OTHER_UID = re.compile(r"Precondition failed: UID|UID in the precondition")
_AUTHORIZATION = re.compile(r'User "[^"]*" cannot ')

_BY_WORDS = (
    (re.compile("failed calling webhook"), WriteFault.DENIED, _WEBHOOK_DOWN),
    (re.compile(MANY_BUDGETS), WriteFault.BUDGET, _MANY),
    (_OTHER_UID, WriteFault.GONE, _ANOTHER),
    (_ADMISSION, WriteFault.DENIED, ""),
)
_BY_STATUS = {
    401: (WriteFault.FORBIDDEN, _CREDENTIALS),
    403: (WriteFault.FORBIDDEN, _RIGHTS),
    404: (WriteFault.GONE, ""),
    408: (WriteFault.UNKNOWN, ""),
    409: (WriteFault.CONFLICT, ""),
    410: (WriteFault.GONE, ""),
    429: (WriteFault.BUSY, ""),
}


def _classified(problem: ApiProblem, dry_run: bool) -> tuple[WriteFault, str]:
    """Return the kind of a refusal, and its sentence where the kind's own does not fit."""
    words, status = problem.words, problem.status
    if dry_run and _WITHOUT_DRY_RUN.search(words):
        return WriteFault.UNREHEARSABLE, ""
    for pattern, kind, sentence in _BY_WORDS:
        if pattern.search(words):
            return kind, sentence
    reasons = {cause.get("reason") for cause in problem.causes}
    if status == 429 and BUDGET_CAUSE in reasons:
        return WriteFault.BUDGET, ""
    if status == 403 and words and not _AUTHORIZATION.search(words):
        return WriteFault.DENIED, _CLOSING if TERMINATING_CAUSE in reasons else ""
    if problem.reason == "AlreadyExists":
        return WriteFault.CONFLICT, _EXISTS
    kind, sentence = _BY_STATUS.get(status, (WriteFault.UNKNOWN if status >= 500 else WriteFault.INVALID, ""))
    return (WriteFault.UNSENT, _FAILED) if dry_run and kind is WriteFault.UNKNOWN else (kind, sentence)
