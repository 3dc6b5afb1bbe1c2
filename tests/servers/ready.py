"""An empty SQLite database that is migrated already: made once a process, copied for each test of something else."""

import tempfile
from functools import cache
from pathlib import Path

from fireline.adapters.database import open_store


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fireline-empty-") as folder:
        path = Path(folder) / "empty.db"
        open_store(f"sqlite:///{path}").close()
        assert [each.name for each in path.parent.iterdir()] == [path.name], "all of it is in the one file"
        return path.read_bytes()


def ready(path: Path) -> str:
    """The URL of the database at `path`, which is made when nothing is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty())
    return f"sqlite:///{path}"
