"""The store that the contract suite runs on: SQLite in a file and in memory, and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fireline.adapters.database import DatabaseStore, open_store
from tests.servers.ready import ready


@pytest.fixture(params=["sqlite", "postgres"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database that several processes may open."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path}/state/fireline.db"


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseStore]:
    """An empty store."""
    urls = {"sqlite": lambda: ready(tmp_path / "state" / "fireline.db"), "memory": lambda: "sqlite://"}
    opened = open_store(urls.get(request.param, lambda: request.getfixturevalue("postgres_url"))())
    yield opened
    opened.close()
