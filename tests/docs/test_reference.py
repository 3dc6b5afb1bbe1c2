"""The reference that is checked in says what the code says."""

from functools import cache
from pathlib import Path

from fireline.actions import SCHEMAS
from fireline.apps.reference import pages, write
from fireline.apps.reference_tables import nested_models, option_rows
from fireline.apps.settings import Settings
from fireline.channels import CHANNELS
from fireline.measures import FAMILIES
from fireline.spec.schemas import FILES
from tests.docs.texts import ROOT

MODELS = [
    *FILES.values(),
    *(kind.options for kind in SCHEMAS.values()),
    *(kind.settings for kind in CHANNELS.values()),
    *(family.settings for family in FAMILIES.values()),
    Settings,
]


current = cache(pages)  # made when first asked for, since every worker collects this file


def test_the_pages_are_there_and_current() -> None:
    folder = ROOT / "docs" / "reference"
    assert {path.name for path in folder.glob("*.md")} == set(current())
    stale = [name for name, text in current().items() if (folder / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `python -m fireline.apps.reference`"


def test_every_option_says_what_it_means() -> None:
    models = {inner for model in MODELS for inner in (model, *nested_models(model))}
    silent = [f"{model.__name__}.{row[0]}" for model in models for row in option_rows(model) if not row[3]]
    assert silent == []


def test_every_measure_action_and_setting_is_there() -> None:
    for name in FAMILIES:
        assert f"\n## {name}\n" in current()["measures.md"]
    for name in SCHEMAS:
        assert f"\n## {name}\n" in current()["actions.md"]
    for name in Settings.model_fields:
        assert f"`FIRELINE_{name.upper()}`" in current()["settings.md"]
    assert "\n## fireline incidents ack\n" in current()["commands.md"]


def test_writing_changes_only_what_is_not_current(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == len(current())
    (tmp_path / "rules.md").write_text("old")
    assert write(tmp_path) == [tmp_path / "rules.md"]
    assert write(tmp_path) == []
