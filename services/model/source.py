"""Says for each source of data how it is doing, apart from the data itself."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

CONNECTION = "kubernetes"
"""The source that stands for the API server itself: its probe answers or does not. A kind's own is below it, by "/"."""


class SourceState(StrEnum):
    """What a source is doing now."""

    NOT_CONFIGURED = "not-configured"
    NEVER = "never"
    LOADING = "loading"
    LIVE = "live"
    FAILED = "failed"
    FORBIDDEN = "forbidden"


class SourceStatus(Struct, frozen=True, gc=False):
    """The state of one source. Times are epoch seconds UTC; 0 means never.

    `last_ok`: the last complete answer (list or probe). `last_byte`: the last sign of life (watch byte, bookmark,
    answered probe): the age in the header counts from it. `since`: when `state` began. `error` is one sentence
    (already safe to show) and is kept until the next success. `loaded` and `total` show the progress of a list
    (`total` 0 when unknown). `scope` says what is watched where it is less than asked for: "4 namespaces".
    """

    source: str
    state: SourceState
    last_ok: float = 0.0
    last_byte: float = 0.0
    since: float = 0.0
    error: str = ""
    loaded: int = 0
    total: int = 0
    scope: str = ""
    quarantined: int = 0
