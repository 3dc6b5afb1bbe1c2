"""The runbooks of a command: read with everything beside them, or every fault of the files told, and nothing done."""

from datetime import UTC, datetime
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import plugins, settings_with
from fireline.apps.checking_told import tell, tell_json
from fireline.apps.faults import Refused
from fireline.apps.output import err
from fireline.apps.settings import Settings
from fireline.domain.configuration import Configuration
from fireline.domain.runbooks import Runbook
from fireline.spec.findings import suggestion
from fireline.spec.loading import load

NOT_DONE = 2
"""The exit code where the files have faults, so that nothing was done."""


def read(rules: Path | None, runbooks: Path | None, *, as_json: bool) -> tuple[Settings, Configuration] | None:
    """The configuration of the files as they are now; None when they have errors, which were told."""
    settings = settings_with(rules, runbooks)
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    loaded = load(settings.rules, settings.runbooks, plugins(), today=today)
    if loaded.configuration is not None:
        return settings, loaded.configuration
    errors = [problem for problem in loaded.problems if problem.severity == "error"]
    if as_json:
        tell_json(errors)
    else:
        tell(errors, err())
    return None


def named(configuration: Configuration, name: str) -> Runbook:
    """The runbook of this name; raises Refused with those that there are."""
    found = configuration.runbooks.get(name)
    if found is None:
        hint = suggestion(name, configuration.runbooks) or "`fireline runbook ls` lists them"
        raise Refused(f"there is no runbook {name!r}; {hint}")
    return found


def file_of(book: Runbook, configuration: Configuration, folder: Path) -> str:
    """The file that a runbook stands in."""
    found = next((name for name, text in configuration.files.items() if text == book.text), "")
    return (folder / found.removeprefix("runbooks/")).as_posix() if found else f"{folder}/"
