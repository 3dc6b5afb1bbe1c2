"""Turns: how long a thread of a role works on while another one waits for its turn.

A decision asks the database some twenty things, and lets go of Python for each. Where the event loop has much to do it
then waits for the loop's turn to end each time: with Python's 5 ms, for longer than all of its own work takes.
"""

import sys

TURN = 0.0005
"""Seconds. A change of threads takes some microseconds."""


def shorten() -> None:
    """Take short turns in this process from now on."""
    sys.setswitchinterval(TURN)
