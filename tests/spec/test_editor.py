"""The schemas serve an editor: every key says what it means, and the files that ship are valid."""

import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from fireline.spec.codes import CODES
from fireline.spec.documents import plain, read_document
from fireline.spec.schemas import schemas

ROOT = Path(__file__).parent.parent.parent
SHIPPED = sorted(path for folder in ("rules", "runbooks") for path in (ROOT / folder).rglob("*.yaml"))


def kind_of(path: Path) -> str:
    if path.relative_to(ROOT).parts[0] == "runbooks":
        return "runbooks"
    return path.stem if path.stem in schemas() else "rules"


def properties(schema: object, place: str) -> Iterator[tuple[str, object]]:
    """Every key of every object in a schema, with what is said of it."""
    if isinstance(schema, dict):
        named = schema.get("properties")
        if isinstance(named, dict):
            yield from ((f"{place}.{name}", said) for name, said in named.items())
        for name, part in schema.items():
            yield from properties(part, f"{place}/{name}")
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part, place)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_key_says_what_it_means(name: str) -> None:
    silent = [place for place, said in properties(schemas()[name], name) if not dict(said).get("description")]
    assert silent == []


@pytest.mark.parametrize("path", SHIPPED, ids=[str(path.relative_to(ROOT)) for path in SHIPPED])
def test_files_that_ship_are_valid(path: Path) -> None:
    document = read_document(path.name, path.read_bytes())
    assert document.faults == ()
    validator = jsonschema.Draft202012Validator(schemas()[kind_of(path)])
    assert [error.message for error in validator.iter_errors(plain(document.root))] == []


def test_every_code_is_explained() -> None:
    page = (ROOT / "docs" / "how-to" / "check.md").read_text()
    assert set(re.findall(r"^### ([a-z-]+)$", page, re.MULTILINE)) == set(CODES)


def test_every_code_has_a_golden_file() -> None:
    golden = "".join(path.read_text() for path in (Path(__file__).parent / "golden").glob("*.txt"))
    assert [code for code in CODES if f"[{code}]" not in golden] == []


def test_the_page_about_editors_names_every_schema() -> None:
    page = (ROOT / "docs" / "how-to" / "editor.md").read_text()
    assert [name for name in schemas() if f".schemas/{name}.json" not in page] == []
