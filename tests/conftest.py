"""Fixtures that every test may use; servers are started by the fixtures under `tests/servers/`."""

from pathlib import Path

import pytest

SERVERS = ("kafka", "postgres", "slack")
pytest_plugins = [
    f"tests.servers.{name}" for name in SERVERS if (Path(__file__).parent / "servers" / f"{name}.py").exists()
]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real recorded data beside the repository; a test that needs it says so where it is absent."""
    found = repository.parent / "shared" / "data"
    if not found.exists():
        pytest.skip(f"needs the shared data sets, which are not at {found.name} beside the repository")
    return found
