"""A responder on a machine whose wall clock anybody may set: `python wall_process.py FILE`.

The file holds by how many seconds the wall clock differs from the true one; it is read at every look at the clock. All
else is the responder as it ships.
"""

import sys
import time
from pathlib import Path

TRUE = time.time


def main(file: Path) -> int:
    def wall() -> float:
        try:
            return TRUE() + float(file.read_text() or 0.0)
        except (OSError, ValueError):  # it is being written, or is not there yet
            return TRUE()

    time.time = wall
    from fireline.apps.role_respond import run  # noqa: PLC0415 - its clocks are to find the wall that can be set

    return run(rules=None, runbooks=None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
