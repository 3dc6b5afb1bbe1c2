"""Logging for every role: one line an event, with the role's name; secrets are blotted out whatever logs them.

A text of an event cannot forge a line or colour a terminal: what it continues with is indented, the rest is cleaned.
What is said again and again, as while a neighbour is away, is said less and less often, and how often it was not.
"""

import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from fireline.domain.texts import clean

BLOT = "[secret]"
REMEMBERED = 1000
"""Different lines that are known to have been said."""


class Redaction(logging.Filter):
    """Replaces known secrets in a record's text, its arguments included."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def filter(self, record: logging.LogRecord) -> bool:
        """Blot the record; never drops it."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = f"{record.msg} {record.args}"
        for secret in self._secrets:
            text = text.replace(secret, BLOT)
        record.msg, record.args = text, ()
        return True


@dataclass(slots=True)
class _Said:
    at: float
    pause: float = 1.0
    held: int = 0


class Repeats(logging.Filter):
    """Lets the same line of the same logger through at growing pauses; who is quiet for a while begins anew."""

    def __init__(self, longest: float = 60.0) -> None:
        super().__init__()
        self._longest = longest
        self._said: OrderedDict[tuple[str, str], _Said] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; the text of one that is says how many were not."""
        key = (record.name, record.getMessage())
        said = self._said.pop(key, None)
        if said is None or record.created - said.at > 2 * said.pause + 10.0:
            shown, said = True, _Said(record.created)
        elif shown := record.created - said.at >= said.pause:
            if said.held:
                record.msg, record.args = f"{key[1]} ({said.held} times more since)", ()
            said = _Said(record.created, min(self._longest, 2 * said.pause))
        else:
            said.held += 1
        self._said[key] = said
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        return shown


class Formatter(logging.Formatter):
    """`12:30:01 respond warning: text`, and exceptions with secrets blotted too."""

    def __init__(self, role: str, secrets: Sequence[str]) -> None:
        super().__init__(f"%(asctime)s {role} %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        """The whole line, blotted."""
        text = clean(super().format(record)).replace("\n", "\n  ")
        for secret in self._secrets:
            text = text.replace(secret, BLOT)
        return text


def _excepthook(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """The last words of a process go through the log, where secrets are blotted."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("fireline").critical("a fault of ours ends this process", exc_info=(kind, fault, trace))


def _in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and given.exc_type is not SystemExit:
        _excepthook(given.exc_type, given.exc_value, given.exc_traceback)


QUIET = (
    "faust",
    "mode",
    "fireline.adapters.faust_batches",
    "aiokafka",
    "apscheduler",
    "slack_sdk",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "asyncio",
)


TELLING = "aiokafka.conn"
"""What it says below warnings are the requests as they are sent, with PLAIN the password in the middle of one."""


def set_up(role: str, level: str, secrets: Sequence[str] = ()) -> None:
    """Log to standard error; libraries speak from warnings on unless `level` is debug."""
    secrets = sorted(secrets, key=len, reverse=True)  # the longer one first, where one is the beginning of another
    handler = logging.StreamHandler()
    handler.addFilter(Redaction(secrets))
    handler.addFilter(Repeats())
    handler.setFormatter(Formatter(role, secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    sys.excepthook = _excepthook
    threading.excepthook = _in_thread
    for name in QUIET:
        logging.getLogger(name).setLevel(level.upper() if level == "debug" else "WARNING")
    logging.getLogger(TELLING).setLevel("WARNING")
