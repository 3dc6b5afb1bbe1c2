"""Fixtures that every test may use; servers are started by the fixtures under `tests/servers/`."""

import os
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A property says what is so, not how soon: an example may wait behind whatever else the machine does.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", settings.get_profile("whole"), max_examples=40)
# What CI says is of the commit and not of luck: the same examples for the same properties, as Hypothesis itself has it
# there. Everybody else's runs, and `make faults`, draw new ones each time.
settings.register_profile("same", settings.get_profile("brief"), derandomize=True, database=None, print_blob=True)
LONG, CI = os.environ.get("FIRELINE_FAULTS") == "long", bool(os.environ.get("CI"))
settings.load_profile("whole" if LONG else "same" if CI else "brief")
SERVERS = ("last_words", "kafka", "kafka_secure", "postgres", "slack")
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


ORDER = ("domain", "measures", "sources", "spec", "engine", "actions", "channels", "docs", "deploy", "apps")
"""Fast ones first; whatever is not named here starts servers and comes after them."""
LAST = ("stories", "adapters", "contracts", "integration")
WHOLE = ("e2e", "faults")
"""Whole stories mostly wait: their files are spread between the others, and none is begun near the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run cheap tests before dear ones, so that a mistake is seen early; long ones in `make faults` alone."""
    order = {name: place for place, name in enumerate(ORDER + LAST + WHOLE)}
    root = Path(__file__).parent

    def folder(item: pytest.Item) -> str:
        return item.path.relative_to(root).parts[0]

    items.sort(key=lambda item: (order.get(folder(item), len(ORDER)), item.get_closest_marker("slow") is not None))
    if not LONG:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    whole = [item for item in items if folder(item) in WHOLE]
    items[:] = _spread(whole, [item for item in items if folder(item) not in WHOLE])


def _spread(some: list[pytest.Item], others: list[pytest.Item]) -> list[pytest.Item]:
    """The files of some between files of the others, evenly over their first nine tenths."""
    files = [list(tests) for _, tests in groupby(some, key=lambda item: item.path)]
    spread: list[pytest.Item] = []
    put = 0
    for _, tests in groupby(others, key=lambda item: item.path):
        while put < len(files) and len(spread) >= 0.9 * len(others) * put / len(files):
            spread += files[put]
            put += 1
        spread += tests
    return spread + [item for file in files[put:] for item in file]
