"""How many examples a property is tried on: all of them in `make faults`, a third in `make test`.

Examples are drawn anew in each run (not in CI's): what a third cannot find in one run is found in the next ones.
"""

import os

LONG = os.environ.get("FIRELINE_FAULTS") == "long"


def examples(many: int) -> int:
    """So many examples, or a third of them where time is short; never fewer than ten."""
    return many if LONG else max(10, many // 3)
