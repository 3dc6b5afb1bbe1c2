"""What commands load: people wait for them at night, and a module that nobody needs takes longer than their work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fireline.adapters.database import open_store

SERVERS = {"aiohttp", "aiokafka", "alembic", "confluent_kafka", "fastapi", "faust", "google", "psycopg", "slack_sdk"}
DEAR = SERVERS | {"numpy", "prompt_toolkit", "icalendar", "opentelemetry"}
NO_DATABASE = DEAR | {"sqlalchemy", "fireline.engine.respond"}
LOADED = "import sys; from fireline.apps.cli import main\ntry: main()\nfinally: print('\\nloaded:', *sys.modules)"


@pytest.mark.parametrize(
    ("command", "dear"),
    [
        ("--help", NO_DATABASE | {"pydantic", "jinja2", "yaml"}),
        ("check", NO_DATABASE),
        ("oncall show", DEAR),
        ("incidents ls", DEAR),
    ],
)
def test_a_command_loads_nothing_dear_that_it_does_not_need(
    command: str, dear: set[str], repository: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/fireline.db"
    open_store(url).close()
    given = {"FIRELINE_DATABASE": url, "FIRELINE_STATE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *command.split()],
        cwd=repository,
        env={name: value for name, value in os.environ.items() if not name.startswith("FIRELINE_")} | given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.rpartition("loaded: ")[2].split())
    assert "fireline.apps.cli" in loaded
    assert sorted(loaded & dear) == [], "imported where it is not used: see docs/architecture.md, Starting quickly"
