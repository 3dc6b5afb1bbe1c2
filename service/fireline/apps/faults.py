"""Faults a command may meet that are no fault of its code, told in words a tired person can act on."""

from fireline.adapters.kafka_connection import Barred
from fireline.apps.files import BrokenFiles
from fireline.apps.settings import SettingsFault
from fireline.engine.ports import Unavailable


class Refused(Exception):  # noqa: N818 - an answer, not an error of the program
    """What was asked for cannot be done; the text says why and what can be done instead."""


def exit_code(fault: BaseException) -> int:
    """2 when the environment is at fault, as for a wrong command line; 1 otherwise."""
    return 2 if isinstance(fault, SettingsFault) else 1


def told(fault: BaseException) -> str | None:
    """The words for `fault`; None for one that is ours, which deserves its traceback."""
    match fault:
        case SettingsFault() | Refused() | Barred():
            return str(fault)
        case BrokenFiles():
            count = len([p for p in fault.problems if p.severity == "error"])
            return f"{fault}\n{count} errors; nothing was started. `fireline check` shows them again."
        case Unavailable():
            return f"{fault}\nIs it running? `fireline doctor` looks at everything Fireline stands on."
        case _:
            return None
