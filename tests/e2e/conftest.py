"""Turns: a whole Fireline, its gateway and its traffic take half a core or more, so only so many run at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

AT_A_TIME = 3


@pytest.fixture(autouse=True)
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait until fewer whole stories than that are being told by the workers of this run."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with ExitStack() as held:
        queue = held.enter_context((shared / "turn").open("w"))
        fcntl.flock(queue, fcntl.LOCK_EX)  # whoever waits longest is next
        places = [held.enter_context((shared / f"turn-{place}").open("w")) for place in range(AT_A_TIME)]
        while not any(_taken(place.fileno()) for place in places):
            time.sleep(0.1)
        fcntl.flock(queue, fcntl.LOCK_UN)
        yield


def _taken(place: int) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
