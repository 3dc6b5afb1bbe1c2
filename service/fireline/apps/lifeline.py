"""A child that outlives its supervisor would work on unseen: it ends itself when its parent is gone."""

import os
import signal
import threading

PARENT = "FIRELINE_PARENT"


def hold(poll: float = 1.0) -> None:
    """Watch the parent named by the environment, if any; SIGTERM to ourselves once another process is our parent."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(poll):
            if os.getppid() != int(parent):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
