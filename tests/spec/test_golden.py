"""One file a fault: what is changed of a small sound world, and every word that the loader says about it.

A golden file has a part for each changed file (`=== rules/checkout.yaml`; `=== without rules/catalog.yaml` leaves one
out) and ends with `=== told`. Run with `FIRELINE_WRITE_GOLDEN=1` to write the told part anew, and read the difference.
"""

import os
import re
from pathlib import Path

import pytest

from tests.spec.world import load_files, told

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.txt"))


def parts(text: str) -> dict[str, str]:
    pieces = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_fault_is_told_word_by_word(case: Path, tmp_path: Path) -> None:
    content = parts(case.read_text())
    expected = content.pop("told", "").strip()
    without = frozenset(name.removeprefix("without ") for name in content if name.startswith("without "))
    changed = {name: text for name, text in content.items() if not name.startswith("without ")}
    loaded = load_files(tmp_path, changed, without)
    found = told(tmp_path, loaded)
    if os.environ.get("FIRELINE_WRITE_GOLDEN"):
        case.write_text(case.read_text().partition("=== told")[0] + f"=== told\n{found}\n")
    else:
        assert found == expected
    assert (loaded.configuration is None) == (": error: " in found)
    assert found, "a golden file is about a fault"


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40
