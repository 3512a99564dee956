"""What a Prometheus answers: read as it is, whatever is missing, strange or too much."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import Problem
from services.prometheus.decode import LONGEST_LABEL, MOST_LINES, decode_answer, decode_names, spread


def said(data: object, **more: object) -> bytes:
    return msgspec.json.encode({"status": "success", "data": data, **more})


def test_a_matrix_keeps_labels_and_numbers_that_are_none() -> None:
    line = {"metric": {"__name__": "x", "pod": "a\x1b[31m"}, "values": [[1, "1.5"], [2.5, "NaN"], [3, "+Inf"]]}
    answer = decode_answer(said({"resultType": "matrix", "result": [line]}, warnings=["partial"], infos=["no rate"]))
    assert answer.lines[0].labels == {"__name__": "x", "pod": "a\x1b[31m"}
    assert answer.lines[0].points[0] == (1.0, 1.5)
    assert math.isnan(answer.lines[0].points[1][1])
    assert answer.lines[0].last == math.inf
    assert answer.notes == ("partial", "no rate")


@pytest.mark.parametrize(
    "data",
    [
        {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2"]}]},
        {"resultType": "scalar", "result": [1, "2"]},
    ],
)
def test_a_vector_and_a_scalar_are_lines_of_one_point(data: object) -> None:
    assert decode_answer(said(data)).lines[0].points == ((1.0, 2.0),)


def test_one_strange_series_costs_no_other() -> None:
    good = {"metric": {"a": "b"}, "values": [[1, "1"]], "histograms": [[1, {}]]}
    bad = [{"metric": 3}, {"values": [["x", "1"]]}, {"values": [[1, "one"]]}, None]
    answer = decode_answer(said({"resultType": "matrix", "result": [*bad, good]}))
    assert [line.labels for line in answer.lines] == [{"a": "b"}]


def test_too_much_is_left_out() -> None:
    lines = [{"metric": {"a": "x" * 10_000}, "values": []}] * (MOST_LINES + 3)
    answer = decode_answer(said({"resultType": "matrix", "result": lines}))
    assert len(answer.lines) == MOST_LINES
    assert len(answer.lines[0].labels["a"]) == LONGEST_LABEL


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status":"error","errorType":"timeout","error":"query timed out"}', "timeout: query timed out"),
        (b'{"status":"error"}', "does not say why"),
        (b"<html>", "no Prometheus'"),
        (b"", "no Prometheus'"),
        (b"[]", "no Prometheus'"),
        (b'{"status":"success","data":{"resultType":"matrix","result":{}}}', "no Prometheus'"),
        (b'{"status":"success","data":{"resultType":"matrix","result":' + b"[" * 5000, "no Prometheus'"),
        (b'{"status":"success\xff"}', "no Prometheus'"),
    ],
)
def test_what_is_no_answer_is_said(body: bytes, words: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_answer(body)
    assert words in refused.value.sentence


def test_names_are_read_without_the_endless() -> None:
    assert decode_names(said(["a", "b" * 5000, "c"])) == ("a", "c")


@given(st.lists(st.tuples(st.integers(-5, 40), st.floats())), st.integers(1, 30))
def test_samples_fall_into_their_places_and_the_rest_are_gaps(points: list[tuple[int, float]], count: int) -> None:
    values = spread([(100.0 + 15 * place, value) for place, value in points], 100.0, 15.0, count)
    finite = {place: value for place, value in points if math.isfinite(value)}
    assert len(values) == count
    for place, value in enumerate(values):
        assert value == finite[place] if place in finite else math.isnan(value)
