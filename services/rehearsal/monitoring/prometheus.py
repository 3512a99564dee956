"""The Prometheus HTTP API, version 1, over the estate's series and rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from services.rehearsal.jsonic import Json, encode
from services.rehearsal.monitoring.catalogue import EstateCatalogue
from services.rehearsal.monitoring.promql.evaluate import Evaluator
from services.rehearsal.monitoring.promql.lines import Samples, Scalar, Vector
from services.rehearsal.monitoring.promql.parser import parse, parse_selector
from services.rehearsal.monitoring.promql.tree import NAME, Labels, Node, QueryError, Selector, Text
from services.rehearsal.monitoring.ruleanswers import describe_alert, describe_group
from services.rehearsal.monitoring.values import moment_of, nano_text, sample, seconds_of
from services.rehearsal.wire.http1 import Reply, Request

if TYPE_CHECKING:
    from services.rehearsal.monitoring.alerting import Alerting, RuleState

MOST_POINTS = 11_000
MOST_SECONDS = 120.0
"""What a query may take where the request does not say."""
_STATUS = {"bad_data": 400, "execution": 422, "timeout": 503, "not_found": 404, "internal": 500}
VERSION = "2.55.1"
Answer = Callable[["_Parameters"], Any]


class _Parameters:
    """The parameters of one request, from its query and its form."""

    def __init__(self, request: Request, now: float) -> None:
        self.now = now
        self._values = dict(request.query)
        kind = request.headers.get("content-type", "")
        if request.method == "POST" and kind.startswith("application/x-www-form-urlencoded"):
            for name, values in parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True).items():
                self._values[name] = [*values, *self._values.get(name, [])]

    def text(self, name: str) -> str:
        """Return the first value, "" when there is none."""
        return (self._values.get(name) or [""])[0]

    def texts(self, name: str) -> list[str]:
        """Return all values."""
        return [*self._values.get(name, []), *self._values.get(f"{name}[]", [])]

    def moment(self, name: str, default: float | None = None) -> float:
        """Return a time; raise QueryError when it is none."""
        text = self.text(name)
        if not text and default is not None:
            return default
        try:
            return moment_of(text)
        except ValueError:
            message = f'cannot parse "{text}" to a valid timestamp'
            raise QueryError(f'invalid parameter "{name}": {message}') from None

    def seconds(self, name: str) -> float:
        """Return a duration; raise QueryError when it is none."""
        text = self.text(name)
        try:
            return seconds_of(text)
        except ValueError:
            raise QueryError(f'invalid parameter "{name}": cannot parse "{text}" to a valid duration') from None

    def tree(self) -> Node:
        """Return the query's tree; raise QueryError as Prometheus words it."""
        try:
            return parse(self.text("query"))
        except QueryError as error:
            raise QueryError(f'invalid parameter "query": {error.message}', error.kind) from None


class Prometheus:
    """Answers requests below `/api/v1` and the health checks. `url` is where it says that it is."""

    def __init__(
        self,
        catalogue: EstateCatalogue,
        alerting: Alerting,
        now: Callable[[], float],
        cluster: str,
        rewrite: Callable[[str], str] = str,
    ) -> None:
        """`rewrite` changes each annotation; hostile estates put nasty text in there."""
        self._catalogue = catalogue
        self._alerting = alerting
        self._now = now
        self._cluster = cluster
        self._rewrite = rewrite
        self.url = ""
        self.started = now()
        self.prepare: Callable[[], Awaitable[None]] = _nothing
        """Awaited before every answer, so that series and rules are up to date."""
        self.work: Callable[[str, float], Awaitable[None]] = _at_once
        """Awaited before a query (its text, the seconds it may take) is answered; raises QueryError at the limit."""
        self.peers: Callable[[], tuple[list[str], list[str]]] = lambda: ([], [])
        """Returns the Alertmanagers' URLs: those that answer, those that were dropped."""
        self._answers: dict[str, Answer] = {
            "query": self._query,
            "query_range": self._query_range,
            "series": self._series,
            "labels": self._labels,
            "metadata": self._metadata,
            "rules": self._rules,
            "alerts": self._alerts,
            "alertmanagers": self._alertmanagers,
            "targets": self._targets,
            "status/buildinfo": self._build,
            "status/config": self._config,
            "status/flags": lambda _: {"storage.tsdb.retention.time": "15d", "web.enable-lifecycle": "false"},
            "status/runtimeinfo": self._runtime,
        }

    async def handle(self, request: Request) -> Reply:
        """Answer one request."""
        path = request.path.rstrip("/")
        if path in {"/-/ready", "/-/healthy"}:
            word = "Ready" if path.endswith("ready") else "Healthy"
            return Reply(200, f"Prometheus Server is {word}.\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})
        steps = path.removeprefix("/api/v1/")
        answer = self._answers.get(steps) if path.startswith("/api/v1/") else None
        if answer is None and path.startswith("/api/v1/label/") and path.endswith("/values"):
            name = steps.split("/")[1]
            answer = lambda given: self._label_values(given, name)  # noqa: E731 (bound to this request's name)
        if answer is None:
            return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"})
        if request.method not in {"GET", "HEAD", "POST"}:
            return Reply(405, b"Method Not Allowed\n", {"Allow": "GET, OPTIONS, POST"})
        await self.prepare()
        try:
            given = _Parameters(request, self._now())
            if steps.startswith("query"):
                most = given.seconds("timeout") if given.text("timeout") else MOST_SECONDS
                await self.work(given.text("query"), most)
            data = answer(given)
        except QueryError as error:
            body: Json = {"status": "error", "errorType": error.kind, "error": error.message}
            return _json(body, _STATUS.get(error.kind, 400))
        return _json({"status": "success", "data": data})

    def _query(self, given: _Parameters) -> Json:
        at = given.moment("time", given.now)
        tree = given.tree()
        if isinstance(tree, Text):
            return {"resultType": "string", "result": [sample(at, 0.0)[0], tree.value]}
        evaluator = Evaluator(self._catalogue, [at])
        if isinstance(tree, Selector) and tree.window:
            return {"resultType": "matrix", "result": [_matrix_row(one) for one in evaluator.samples(tree)]}
        result = _worked_out(evaluator, tree)
        if isinstance(result, Scalar):
            return {"resultType": "scalar", "result": sample(at, result.values[0])}
        rows = [
            {"metric": dict(line.labels), "value": sample(at, value)}
            for line in result
            if (value := line.values[0]) is not None
        ]
        return {"resultType": "vector", "result": rows}

    def _query_range(self, given: _Parameters) -> Json:
        start, end, step = given.moment("start"), given.moment("end"), given.seconds("step")
        if end < start:
            raise QueryError('invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            message = "zero or negative query resolution step widths are not accepted. Try a positive integer"
            raise QueryError(f'invalid parameter "step": {message}')
        if (end - start) / step > MOST_POINTS:
            raise QueryError(
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        tree = given.tree()
        if isinstance(tree, Text) or (isinstance(tree, Selector) and tree.window):
            kind = "string" if isinstance(tree, Text) else "range vector"
            message = f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
            raise QueryError(f'invalid parameter "query": {message}')
        steps = [start + number * step for number in range(int((end - start) / step + 1e-9) + 1)]
        result = _worked_out(Evaluator(self._catalogue, steps), tree)
        if isinstance(result, Scalar):
            points = [sample(at, value) for at, value in zip(steps, result.values, strict=True)]
            return {"resultType": "matrix", "result": [{"metric": {}, "values": points}]}
        return {"resultType": "matrix", "result": _range_rows(result, steps)}

    def _selected(self, given: _Parameters) -> list[Labels]:
        """Return the labels of the series that `match[]` names and that have samples in the asked span."""
        start = given.moment("start", self._catalogue.oldest)
        end = given.moment("end", given.now)
        count = 60
        moments = sorted({(start + (end - start) * number / count) // 15 * 15 for number in range(count + 1)})
        found: dict[Labels, None] = {}
        for text in given.texts("match"):
            try:
                selector = parse_selector(text)
            except QueryError as error:
                raise QueryError(f'invalid parameter "match[]": {error.message}') from None
            for series in self._catalogue.select(selector.matchers):
                if any(series.value(at) is not None for at in reversed(moments)):
                    found[series.labels] = None
        return list(found)

    def _series(self, given: _Parameters) -> list[Json]:
        if not given.texts("match"):
            raise QueryError("no match[] parameter provided")
        return [dict(one) for one in self._selected(given)]

    def _labels(self, given: _Parameters) -> list[str]:
        return sorted({name for labels in self._known(given) for name, _ in labels})

    def _label_values(self, given: _Parameters, name: str) -> list[str]:
        if not name.replace("_", "a").isalnum() or name[0].isdigit():
            raise QueryError(f'invalid label name: "{name}"')
        if name == NAME and not given.texts("match"):
            return sorted(one for one in self._catalogue.families if self._catalogue.count(one))
        return sorted({value for labels in self._known(given) for key, value in labels if key == name})

    def _known(self, given: _Parameters) -> list[Labels]:
        if given.texts("match"):
            return self._selected(given)
        return [one.labels for one in self._catalogue.everything()]

    def _metadata(self, given: _Parameters) -> Json:
        wanted = given.text("metric")
        families = {
            name: one
            for name, one in self._catalogue.families.items()
            if one.kind != "unknown" and not name.startswith("ALERTS") and wanted in {"", name}
        }
        return {name: [{"type": one.kind, "help": one.help, "unit": ""}] for name, one in families.items()}

    def _alerts(self, _: _Parameters) -> Json:
        return {"alerts": [describe_alert(one, self._rewrite) for one in self._alerting.active()]}

    def _rules(self, given: _Parameters) -> Json:
        kind = given.text("type")
        if kind not in {"", "alert", "record"}:
            raise QueryError(f'invalid parameter "type": not supported value "{kind}"')
        names, groups = set(given.texts("rule_name")), set(given.texts("rule_group"))
        by_group: dict[str, list[RuleState]] = {}
        for state in [] if kind == "record" else self._alerting.states:
            if (not names or state.rule.name in names) and (not groups or state.group.name in groups):
                by_group.setdefault(state.group.name, []).append(state)
        chosen = [group for group in self._alerting.groups if group.name in by_group]
        return {"groups": [describe_group(group, by_group[group.name], self._rewrite) for group in chosen]}

    def _alertmanagers(self, _: _Parameters) -> Json:
        active, dropped = self.peers()
        listed = [[{"url": f"{url}/api/v2/alerts"} for url in urls] for urls in (active, dropped)]
        return {"activeAlertmanagers": listed[0], "droppedAlertmanagers": listed[1]}

    def _targets(self, given: _Parameters) -> Json:
        ups = Evaluator(self._catalogue, [given.now]).of(parse("up"))
        active = []
        for line in [] if isinstance(ups, Scalar) else ups:
            labels = {name: value for name, value in line.labels if name != NAME}
            healthy = line.values[0] == 1
            url = f"http://{labels['instance']}{labels.get('metrics_path', '/metrics')}"
            active.append(
                {
                    "discoveredLabels": {"__address__": labels["instance"], "job": labels["job"]},
                    "labels": labels,
                    "scrapePool": labels["job"],
                    "scrapeUrl": url,
                    "globalUrl": url,
                    "lastError": "" if healthy else f'Get "{url}": dial tcp: connect: no route to host',
                    "lastScrape": nano_text(self._catalogue.newest),
                    "lastScrapeDuration": 0.0123,
                    "health": "up" if healthy else "down",
                    "scrapeInterval": "15s",
                    "scrapeTimeout": "10s",
                }
            )
        return {"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}}

    def _build(self, _: _Parameters) -> Json:
        return {
            "version": VERSION,
            "revision": "6d7569113f1ca814f1e149f74176656540043b8d",
            "branch": "HEAD",
            "buildUser": "root@rehearsal",
            "buildDate": "20241104-17:05:18",
            "goVersion": "go1.23.2",
        }

    def _config(self, _: _Parameters) -> Json:
        files = "\n".join(f"- {group.file}" for group in self._alerting.groups)
        text = f"""global:
  scrape_interval: 15s
  scrape_timeout: 10s
  evaluation_interval: 30s
  external_labels:
    cluster: {self._cluster}
alerting:
  alertmanagers:
  - follow_redirects: true
    scheme: http
    timeout: 10s
    api_version: v2
    static_configs:
    - targets: {[url.removeprefix("http://") for url in self.peers()[0]]}
rule_files:
{files}
"""
        return {"yaml": text}

    def _runtime(self, _: _Parameters) -> Json:
        return {"startTime": nano_text(self.started), "storageRetention": "15d", "reloadConfigSuccess": True}

    def generator(self, expr: str) -> str:
        """Return the link to an expression that alerts carry."""
        return f"{self.url}/graph?g0.expr={quote(expr, safe='')}&g0.tab=1"


async def _nothing() -> None:
    pass


async def _at_once(_query: str, _most: float) -> None:
    pass


def _worked_out(evaluator: Evaluator, tree: Node) -> Vector | Scalar:
    try:
        return evaluator.of(tree)
    except QueryError as error:
        if error.kind == "bad_data":
            raise QueryError(f'invalid parameter "query": {error.message}') from None
        raise


def _json(body: Json, status: int = 200) -> Reply:
    return Reply(status, encode(body), {"Content-Type": "application/json"})


def _matrix_row(one: Samples) -> Json:
    return {"metric": dict(one.labels), "values": [sample(at, value) for at, value in one.points]}


def _range_rows(result: Vector, steps: list[float]) -> list[Json]:
    rows = []
    for line in sorted(result, key=lambda line: line.labels):
        points = [sample(at, value) for at, value in zip(steps, line.values, strict=True) if value is not None]
        rows.append({"metric": dict(line.labels), "values": points})
    return rows
