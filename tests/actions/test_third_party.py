"""Actions of other packages: found by entry point, loaded when used, and where a runbook uses a broken one, told."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from fireline.actions import SCHEMAS
from fireline.actions.schema import ActionKind
from fireline.actions.third_party import GROUP, Actions
from fireline.spec.loading import UnreadableRunbook, read_runbook
from fireline.spec.plugins import ActionSchema, Plugins

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "docs" / "extending" / "acme-fireline"
PATIENCE = 300
KIND = SCHEMAS["wait"]
NOT_A_KIND = "just a text"
BOOK = """\
name: shop
owner: payments-ml
steps:
  - id: page
    uses: acme.maintenance
    with: {url: "https://shop.acme.example", shown: true}
    irreversible: true
"""


def entry(name, value):
    return EntryPoint(name, f"tests.actions.test_third_party:{value}", GROUP)


def actions(*entries):
    return Actions(SCHEMAS, lambda: entries)


def test_an_action_of_another_package_is_one_like_any():
    found = actions(entry("acme.wait", "KIND"))
    assert found["acme.wait"] is KIND
    assert "acme.wait" in found
    assert [*found][-1] == "acme.wait"
    assert len(found) == len(SCHEMAS) + 1
    assert found.why_not("acme.wait") == ""


def test_names_are_looked_for_only_when_one_is_not_ours():
    def never():
        raise AssertionError("looked for")

    assert Actions(SCHEMAS, never)["wait"] is KIND


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("acme.gone", "NOT_THERE", "cannot be loaded: AttributeError"),
        ("acme.text", "NOT_A_KIND", "is a str and no fireline.actions.ActionKind"),
        ("Acme", "KIND", "the name is not like `family.verb`"),
    ],
)
def test_a_broken_one_stops_nothing_and_is_told(name, value, why):
    found = actions(entry(name, value), entry("acme.wait", "KIND"))
    assert [*found] == [*SCHEMAS, "acme.wait"]
    assert name not in found
    assert found.get(name) is None
    assert why in found.why_not(name)
    assert name in found.unusable()


def test_a_package_that_raises_anything_at_import_stops_nothing():
    found = actions(EntryPoint("acme.bad", "tests.actions.no_such_module:X", GROUP))
    assert "ModuleNotFoundError" in found.why_not("acme.bad")


def test_what_comes_with_fireline_wins_and_two_packages_of_one_name_are_told():
    found = actions(entry("wait", "NOT_A_KIND"), entry("acme.wait", "KIND"), entry("acme.wait", "KIND"))
    assert found["wait"] is KIND
    assert "what comes with Fireline is used" in found.unusable()["wait"]
    assert "uninstall one of them" in found.why_not("acme.wait")


def test_one_that_cannot_be_built_is_left_out():
    def build(ports):
        raise RuntimeError("no")

    broken = ActionKind(KIND.options, KIND.outputs, False, build, KIND.page, KIND.example)
    found = actions(entry("acme.wait", "KIND"))
    found._loaded["acme.wait"] = broken
    assert found.built("acme.wait", None) is None
    assert "cannot be built: RuntimeError: no" in found.why_not("acme.wait")


def test_a_runbook_that_uses_a_broken_one_is_told_where_and_why():
    found = actions(entry("acme.maintenance", "NOT_THERE"))
    schemas = {name: ActionSchema(kind.options, kind.outputs, kind.mutates) for name, kind in SCHEMAS.items()}
    with pytest.raises(UnreadableRunbook) as caught:
        read_runbook(BOOK, Plugins({}, schemas, frozenset(), {}, why_no_action=found.why_not))
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (5, "steps[0].uses")
    assert "the action `acme.maintenance` cannot be used" in problem.message
    assert "mend or uninstall the package" in problem.message


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """A directory with the example package, installed as pip installs one."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copytree(EXAMPLE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(folder / "source")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return folder


def run(beside, *command, cwd=None):
    path = os.pathsep.join([str(beside / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=cwd or REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_the_example_package_keeps_the_contract(beside):
    done = run(beside, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=beside / "source")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout


def test_it_is_listed_and_its_page_is_shown(beside):
    listed = run(beside, "-m", "fireline.apps.cli", "runbook", "actions", "--json")
    assert listed.returncode == 0, listed.stderr
    found = {each["name"]: each for each in json.loads(listed.stdout)["actions"]}
    assert found["acme.maintenance"]["from"] == "acme-fireline 0.1.0"
    assert found["route.set"]["from"] == "Fireline"
    assert "shown" in found["acme.maintenance"]["options"]["properties"]
    assert set(found) == {*SCHEMAS, "acme.maintenance"}
    shown = run(beside, "-m", "fireline.apps.cli", "runbook", "actions", "acme.maintenance")
    assert "whether customers see the page" in shown.stdout


def test_runbooks_may_use_it_where_it_is_installed_and_are_told_where_not(beside, tmp_path):
    shutil.copytree(REPOSITORY / "runbooks", tmp_path / "runbooks")
    (tmp_path / "runbooks" / "shop.yaml").write_text(BOOK)
    command = ["-m", "fireline.apps.cli", "check", "--runbooks", str(tmp_path / "runbooks")]
    assert run(beside, *command).returncode == 0
    without = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=REPOSITORY
    )
    assert without.returncode == 1
    assert "there is no action `acme.maintenance`" in without.stdout + without.stderr
