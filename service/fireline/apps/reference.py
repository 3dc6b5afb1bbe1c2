"""The reference under docs/reference, written from the code that it speaks of.

    python -m fireline.apps.reference [DIRECTORY]

writes every page; a test fails while one of them is not current.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from fireline.apps.reference_dead_letters import dead_letters_page
from fireline.apps.reference_pages import actions_page, channels_page, file_page, measures_page
from fireline.apps.reference_surfaces import commands_page, http_page, metrics_page, settings_page
from fireline.apps.reference_topics import topics_page
from fireline.spec.schemas import FILES


def pages() -> Mapping[str, str]:
    """The text of every page, by the name of its file."""
    return {
        **{f"{name}.md": file_page(name) for name in FILES if name != "topics"},
        "measures.md": measures_page(),
        "actions.md": actions_page(),
        "channels.md": channels_page(),
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "http.md": http_page(),
        "topics.md": topics_page(),
        "metrics.md": metrics_page(),
        "dead-letters.md": dead_letters_page(),
    }


def write(directory: Path) -> list[Path]:
    """Write the pages that changed; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in pages().items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")):
        print(written)
