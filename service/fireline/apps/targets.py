"""The targets file: read at start by what acts on it, and by `fireline check`."""

from pathlib import Path

from fireline.apps.faults import Refused
from fireline.apps.settings import Settings
from fireline.domain.configuration import Problem
from fireline.domain.targets import Targets
from fireline.spec.targets import read_targets


def read(settings: Settings) -> tuple[Targets | None, tuple[Problem, ...]]:
    """What actions may reach, None when the file has faults, and these. Without a file nothing may be reached."""
    if settings.targets is None:
        return Targets(), ()
    return read_targets(str(settings.targets), _content(settings.targets))


def targets_of(settings: Settings) -> Targets:
    """What actions may reach; raises Refused with every fault of the file."""
    targets, problems = read(settings)
    if targets is None:
        raise Refused("\n".join(str(problem) for problem in problems))
    return targets


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise Refused(f"FIRELINE_TARGETS: {path} cannot be read: {fault.strerror}") from None
