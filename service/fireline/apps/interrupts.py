"""What Control-C does while there is nobody yet who ends the program in good order.

Python raises an exception wherever the program happens to be. That is right for a command that talks to a person. While
libraries are loaded and servers are started it comes out of an import as a traceback, or somebody's `except:` or
destructor swallows it and nothing ends. Nothing is held then that has to be let go: what counts is in the database.
"""

import signal
import threading


def end_at_once() -> None:
    """From here on Control-C ends the process at once and without a word, until somebody listens to signals.

    Who was started with it ignored goes on ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler and _may():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_it() -> None:
    """After `end_at_once`: as Python has it by itself."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL and _may():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _may() -> bool:
    """Only the main thread may say what signals do; in another, as in an embedding program, they are not ours."""
    return threading.current_thread() is threading.main_thread()
