"""Nothing that stands in a file can crash the loader; what is wrong is told."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fireline.spec.loading import Loaded
from fireline.spec.openslo import read_openslo
from tests.examples import examples
from tests.spec.test_openslo import BELOW, HEAD, SOUND, metric
from tests.spec.test_schemas import CALENDARS, SLOS
from tests.spec.world import FILES, load_files

TEXTS = {
    **FILES,
    "rules/severities.yaml": "severities:\n  outage: {}\n  degraded: {ack_within: 5m}\nresponse: {settle: 1m}\n",
    "rules/slos.yaml": SLOS,
    "rules/calendars.yaml": CALENDARS,
}
NAMES = st.sampled_from(sorted(TEXTS))
SNIPPETS = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ":",
        "'",
        '"',
        "{{",
        "}}",
        "{%x%}",
        "&a",
        "*a",
        "!!x",
        "~",
        "null",
        "true",
        "-1",
        "1e400",
        "0s",
        "2026-13-45",
        "9999-12-31T23:59",
        "0001-01-01",
        "<<:",
        "?",
        "|",
        "#",
        "none",
        "[]",
        "{}",
        "1m",
        "é",
        "- ",
        "\n",
        "\t",
        "\ud800",
        "\x00",
        "\u2028",
        "9" * 30,
        "x" * 300,
    ]
)


def loaded_with(name: str, content: str | bytes) -> Loaded:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    with tempfile.TemporaryDirectory() as directory:
        return load_files(Path(directory), {name: raw})


def check(loaded: Loaded) -> None:
    errors = [problem for problem in loaded.problems if problem.severity == "error"]
    assert (loaded.configuration is None) == bool(errors)
    for problem in loaded.problems:
        assert problem.message
        assert problem.line >= 1
        assert problem.column >= 1


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NAMES, st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(name: str, content: bytes) -> None:
    check(loaded_with(name, content))


@settings(max_examples=examples(250), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), NAMES)
def test_sound_files_with_something_put_in_or_cut_out(data: st.DataObject, name: str) -> None:
    text = TEXTS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(SNIPPETS) + text[end:]
    check(loaded_with(name, text))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(250), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), NAMES, VALUES)
def test_sound_files_with_one_value_of_another_kind(data: st.DataObject, name: str, value: object) -> None:
    text = TEXTS[name]
    places = [
        index for index, character in enumerate(text) if character == ":" and text[index + 1 : index + 2] in " \n"
    ]
    start = data.draw(st.sampled_from(places)) + 1
    ends = [text.find(mark, start) for mark in (",", "}", "\n") if text.find(mark, start) > start]
    changed = text[:start] + " " + json.dumps(value) + text[min(ends, default=start) :]
    check(loaded_with(name, changed))


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_dates_at_the_edges_of_the_calendar(day: str) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        oncall = FILES["rules/oncall.yaml"].replace("2026-01-05", day).replace("Europe/Berlin", zone)
        override = f"    overrides: [{{person: ben, start: {day}T00:00, end: {day}T23:59}}]\npolicies:"
        check(loaded_with("rules/oncall.yaml", oncall.replace("policies:", override)))
        reviewed = f"tier: 3\n    reviewed: {day}\n    review_every: 3000d"
        check(loaded_with("rules/catalog.yaml", FILES["rules/catalog.yaml"].replace("tier: 3", reviewed)))


THRESHOLD = "  indicator: {spec: {thresholdMetric: " + metric("x") + "}}\n"


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from([HEAD + SOUND + BELOW, HEAD + THRESHOLD + BELOW]))
def test_objectives_of_others_with_something_put_in_or_cut_out(data: st.DataObject, text: str) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(SNIPPETS) + text[end:]
    read = read_openslo("slo.yaml", text.encode("utf-8", "surrogatepass"))
    assert read.slos or any(problem.severity == "error" for problem in read.problems)
    assert all(problem.line >= 1 and problem.message for problem in read.problems)
