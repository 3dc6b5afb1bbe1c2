"""Every YAML snippet of the documentation is accepted by the loader, in the world of the files that ship.

A snippet may be a whole file or a part of one: rules and runbooks are put beside the shipped ones (in place of one of
the same name), parts of the catalog, schedules and severities are laid over them, steps and measures are wrapped.
"""

import json
import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from fireline.apps.bootstrap import plugins
from fireline.apps.settings import Settings
from fireline.spec.documents import plain, read_document
from fireline.spec.loading import load
from fireline.spec.targets import read_targets
from tests.docs.texts import ROOT, Snippet, snippets

YAML = list(snippets("yaml"))
KINDS = {
    "people": "catalog",
    "teams": "catalog",
    "services": "catalog",
    "default_team": "catalog",
    "schedules": "oncall",
    "policies": "oncall",
    "severities": "severities",
    "response": "severities",
    "noise_budget": "severities",
    "topics": "topics",
    "calendars": "calendars",
    "maintenance": "maintenance",
    "autonomy": "autonomy",
    "oscillation": "autonomy",
}
TARGETS = {"commands", "databases", "prometheus"}
OTHER = {"exporters", "scrape_configs", "groups", "x-fireline"}
"""The first words of snippets that are for other programs."""


@cache
def read(name: str, text: str) -> dict[str, object]:
    """A file as plain data, read by the reader that reads the real ones."""
    data = plain(read_document(name, text.encode()).root)
    assert isinstance(data, dict)
    return data


def files() -> dict[str, object]:
    """What ships, as plain data by the path of its file; without the tests, which no snippet can break."""
    found = [*(ROOT / "rules").glob("*.yaml"), *(ROOT / "runbooks").glob("*.yaml")]
    return {str(path.relative_to(ROOT)): untested(read(path.name, path.read_text(encoding="utf-8"))) for path in found}


def untested(file: dict[str, object]) -> dict[str, object]:
    rules = file.get("rules")
    shorter = {"rules": [untested(rule) for rule in rules]} if isinstance(rules, list) else {}
    return {key: value for key, value in (file | shorter).items() if key != "tests"}


def laid_over(base: object, part: object) -> object:
    if isinstance(base, Mapping) and isinstance(part, Mapping):
        return {**base, **{key: laid_over(base.get(key), value) for key, value in part.items()}}
    return part


def wrapped(data: dict[str, object]) -> dict[str, object]:
    """A step as a runbook, measures or other options of a rule as a rule."""
    if "uses" in data:
        prior = {"id": "prior", "uses": "route.get", "with": {"service": "fraud-scoring"}}
        inputs = {"service": {"type": "string"}}
        return {"name": "snippet", "owner": "payments-ml", "inputs": inputs, "steps": [prior, data]}
    if "rules" not in data and "steps" not in data and not set(data) & {"slos", *KINDS}:
        level = {"outage": {"when": f"{next(iter(data.get('measures', {'n': 0})))} > 0.5"}}
        rule = {"name": "snippet", "on": "prediction", "by": ["service"], "window": "1h", "severity": level}
        # so that what follows within seconds is seen, and examples that look weeks back are within what may be kept
        rule["pane"] = "30s" if "within" in str(data) else "5m"
        return {"rules": [{**rule, "measures": {"n": {"agg": "count"}}, **data}]}
    return data


def put(world: dict[str, object], data: dict[str, object]) -> dict[str, object]:
    """The snippet in the world: its own file where it is one, the shipped ones without what it replaces."""
    data = wrapped(data)
    world = dict(world)
    if "rules" in data:
        names = {rule["name"] for rule in data["rules"]}
        for path, file in world.items():
            if isinstance(file, dict) and "rules" in file:
                world[path] = {"rules": [rule for rule in file["rules"] if rule["name"] not in names]}
        world["rules/snippet.yaml"] = data
    elif "slos" in data:
        world["rules/slos.yaml"] = data
    elif "steps" in data:
        world = {path: file for path, file in world.items() if not is_runbook(file, data["name"])}
        world["runbooks/snippet.yaml"] = data
    else:
        for key, value in data.items():
            path = f"rules/{KINDS[key]}.yaml"
            world[path] = laid_over(world.get(path), {key: value})
    return world


def is_runbook(file: object, name: object) -> bool:
    return isinstance(file, dict) and "steps" in file and file["name"] == name


def faults(directory: Path, world: Mapping[str, object], raw: Mapping[str, str]) -> list[str]:
    for path, data in world.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(raw.get(path) or json.dumps(data))
    shutil.copytree(ROOT / "rules" / "baselines", directory / "rules" / "baselines")
    loaded = load(directory / "rules", directory / "runbooks", plugins())
    return [str(problem) for problem in loaded.problems if problem.severity == "error"]


@pytest.mark.parametrize("snippet", YAML, ids=str)
def test_a_snippet_is_accepted(snippet: Snippet, tmp_path: Path) -> None:
    data = read(str(snippet), snippet.text)
    if set(data) & OTHER:
        return
    if set(data) & TARGETS:
        assert read_targets(str(snippet), snippet.text.encode())[1] == ()
        return
    raw = {"rules/snippet.yaml": snippet.text} if "rules" in data else {}
    raw |= {"runbooks/snippet.yaml": snippet.text} if "steps" in data else {}
    assert faults(tmp_path, put(files(), data), raw) == []


def test_a_faulty_snippet_is_not_accepted(tmp_path: Path) -> None:
    world = put(files(), {"measures": {"p99": {"agg": "quantil", "of": "latency_ms"}}})
    assert any("there is no measure `quantil`" in fault for fault in faults(tmp_path, world, {}))


def test_settings_named_in_the_documentation_exist() -> None:
    known = {f"FIRELINE_{name.upper()}" for name in Settings.model_fields}
    named = {
        (str(path.relative_to(ROOT)), word)
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for word in re.findall(r"FIRELINE_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))
    }
    allowed = {"FIRELINE_SECRET", "FIRELINE_FAULTS", "FIRELINE_KEY"}
    assert {pair for pair in named if pair[1] not in known and not pair[1].startswith(tuple(allowed))} == set()
