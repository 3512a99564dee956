"""What the ingress measures of each service: requests by code and how long they took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.catalogue import Family, series
from services.rehearsal.monitoring.promql.lines import Series, Value
from services.rehearsal.monitoring.traffic import BUCKETS, CODES, SUM

if TYPE_CHECKING:
    from services.rehearsal.monitoring.estate import Estate
    from services.rehearsal.monitoring.traffic import Service

_REQUESTS, _DURATION = "http_requests_total", "http_request_duration_seconds"


def _whose(service: Service) -> dict[str, str]:
    name = service.story.name
    return {"job": "edge", "namespace": service.story.namespace, "service": name, "deployment": name}


def _counted(estate: Estate, service: Service, name: str, column: int, **more: str) -> Series:
    heat, counts = estate.heat, service.counts

    def value(moment: float) -> Value:
        row = counts(moment, heat)
        return None if row is None else float(int(row[column]))

    return series(name, value, **_whose(service), **more)


def _requests(estate: Estate) -> Iterator[Series]:
    for service in estate.services():
        for column, code in enumerate(CODES):
            yield _counted(estate, service, _REQUESTS, column, code=code, method="GET")


def _buckets(estate: Estate) -> Iterator[Series]:
    for service in estate.services():
        for number, bound in enumerate(BUCKETS):
            le = "+Inf" if number == len(BUCKETS) - 1 else f"{bound:g}"
            yield _counted(estate, service, f"{_DURATION}_bucket", len(CODES) + number, le=le)


def _count(estate: Estate) -> Iterator[Series]:
    for service in estate.services():
        yield _counted(estate, service, f"{_DURATION}_count", SUM - 1)


def _sum(estate: Estate) -> Iterator[Series]:
    for service in estate.services():
        yield series(f"{_DURATION}_sum", _seconds(estate, service), **_whose(service))


def _seconds(estate: Estate, service: Service) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        row = service.counts(moment, estate.heat)
        return None if row is None else row[SUM]

    return value


FAMILIES = (
    Family(_REQUESTS, "counter", "Requests answered at the edge, by status code.", _requests),
    Family(f"{_DURATION}_bucket", "histogram", "Seconds from request to answer at the edge.", _buckets),
    Family(f"{_DURATION}_count", "histogram", "Seconds from request to answer at the edge.", _count),
    Family(f"{_DURATION}_sum", "histogram", "Seconds from request to answer at the edge.", _sum),
)
