"""A child that outlives its supervisor would work on unseen: it ends itself when its parent is gone.

First as if it had been asked to, and where that takes too long, as when a broker is gone with the parent, at once.
"""

import os
import signal
import threading

PARENT = "FIRELINE_PARENT"


ENDED = 1
"""The exit code of a child that did not end in good order."""


def hold(poll: float = 1.0, grace: float = 8.0) -> None:
    """Watch the parent named by the environment, if any; SIGTERM to ourselves once another process is our parent.

    `grace` seconds later the process ends whatever it is doing: all that counts is in the database.
    """
    parent = os.environ.get(PARENT)
    if parent is None:
        return
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(poll):
            if os.getppid() != int(parent):
                os.kill(os.getpid(), signal.SIGTERM)
                stopped.wait(grace)
                os._exit(ENDED)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
