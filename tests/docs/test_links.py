"""No page points to nowhere."""

from pathlib import Path

import pytest

from tests.docs.texts import ROOT, anchors, links, pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_images_resolve(path: Path) -> None:
    broken = []
    for link in links(path):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, place = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (place and place not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_map_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    missing = [path for path in (ROOT / "docs").rglob("*.md") if path != index and path not in reached]
    assert missing == [], "add it to docs/index.md"
