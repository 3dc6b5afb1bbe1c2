"""The runbooks on the pages about them are sound."""

import re

import pytest

from fireline.apps.bootstrap import plugins
from fireline.spec.loading import read_runbook


@pytest.mark.parametrize("page", ["runbook-flow.md", "runbooks.md"])
def test_every_runbook_of_the_page_can_be_read(repository, page):
    text = (repository / "docs" / "how-to" / page).read_text()
    books = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("name:")]
    assert len(books) >= 2
    named = {block.split("\n", 1)[0].removeprefix("name: "): block for block in books}
    for name, block in named.items():
        inner = re.findall(r"runbook: ([a-z-]+)", block)
        whole = block + "".join(f"--- # runbook {each}\n{named[each]}" for each in inner)
        assert read_runbook(whole, plugins()).name == name
