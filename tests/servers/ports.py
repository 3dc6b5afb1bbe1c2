"""Free ports for servers of tests, each given to one taker of this machine alone, and never to an outgoing connection.

A port that the system chooses is free when it is asked for. A moment later, or while a server that a test stopped is to
come back to it, it may be the near end of somebody's connection; who calls such a port again and again may even reach
himself. So these lie below those that the system gives away, and are held by a lock until this process ends.
"""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

FIRST, LAST = 12_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, and that nobody else is given while this process lives."""
    folder = Path(tempfile.gettempdir()) / f"fireline-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.SystemRandom().sample(range(FIRST, LAST), 1000):
        held = os.open(folder / str(port), os.O_RDWR | os.O_CREAT)
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            return port
        os.close(held)
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")
