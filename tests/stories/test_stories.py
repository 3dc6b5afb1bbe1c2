"""Every file in this directory is a story and a test."""

from pathlib import Path

import pytest

from tests.stories.story import WentOtherwiseError, read, tell

STORIES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.parametrize("path", STORIES, ids=[path.stem for path in STORIES])
async def test_story(path: Path, tmp_path: Path) -> None:
    try:
        await tell(read(path), tmp_path)
        wrong = ""
    except WentOtherwiseError as failure:
        wrong = str(failure)
    if wrong:
        pytest.fail(wrong, pytrace=False)
