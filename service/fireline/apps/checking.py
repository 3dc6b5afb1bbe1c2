"""`fireline check` and `fireline schema`: faults of files for people, for programs and for GitHub."""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.apps import targets
from fireline.apps.bootstrap import configured_channels, plugins, settings_with
from fireline.apps.checking_told import tell, tell_github, tell_json
from fireline.apps.faults import Refused
from fireline.apps.output import err, out, print_json, say
from fireline.apps.settings import Settings
from fireline.channels import CHANNELS
from fireline.domain.configuration import Configuration, Problem
from fireline.domain.targets import Targets
from fireline.spec.codes import NOBODY
from fireline.spec.loading import Ahead, Loaded, load, load_rules
from fireline.spec.plugins import Plugins
from fireline.spec.schemas import schemas

FAULTY = 1


def run(
    files: Sequence[Path] = (),
    *,
    rules: Path | None,
    runbooks: Path | None,
    form: str = "text",
    strict: bool = False,
    channels: str | None = None,
) -> int:
    """Check both directories, and tell of `files` alone where there are any; 0 when nothing stands in the way.

    `form` is text, json or github; `strict` lets warnings stand in the way too; `channels` are those that pages may go
    to, with commas between them. Raises Refused for files and channels that are not there.
    """
    settings = settings_with(rules, runbooks)
    ahead = Ahead(SystemClock().now(), _asked(channels), _configured(settings))
    began = time.perf_counter()
    allowed, faults = targets.read(settings)
    known = _known(settings, allowed)
    with _uncollected():
        loaded = load(settings.rules, settings.runbooks, known, today=_today(), ahead=ahead)
    problems = _of(files, loaded, settings) if files else (*loaded.problems, *faults)
    took = time.perf_counter() - began
    match form:
        case "json":
            tell_json(problems)
        case "github":
            tell_github(problems)
        case _:
            tell(problems, out())
            _conclude(problems, None if files else loaded.configuration, files, took)
    return FAULTY if any(strict or problem.severity == "error" for problem in problems) else 0


def _known(settings: Settings, allowed: Targets | None) -> Plugins:
    """What files may name, with what steps may reach here; nothing of that where nothing is set up, as in CI."""
    found = plugins()
    if allowed is not None and settings.targets is not None:
        found = replace(found, targets=allowed.names(), commands=allowed.commands)
    if settings.http_allow:
        from fireline.adapters.http import AllowList  # dear to load

        found = replace(found, against_host=AllowList.of(settings.http_allow).against_host)
    return found


def unreached(settings: Settings) -> tuple[Problem, ...]:
    """The policies that reach nobody at a time at which a rule can fire; nothing where the files have other errors."""
    ahead = Ahead(SystemClock().now(), None, _configured(settings))
    problems = load(settings.rules, settings.runbooks, plugins(), today=_today(), ahead=ahead).problems
    return tuple(problem for problem in problems if problem.code == NOBODY)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing of what is read is garbage, and looking for it takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _asked(channels: str | None) -> frozenset[str] | None:
    if channels is None:
        return None
    names = frozenset(name.strip() for name in channels.split(",")) - {""}
    if wrong := sorted(names - CHANNELS.keys()) or ([] if names else [""]):
        raise Refused(f"there is no channel {wrong[0]!r}; there are {', '.join(sorted(CHANNELS))}")
    return names


def _configured(settings: Settings) -> frozenset[str] | None:
    """The channels that the environment sets up; None where it sets up none, as in the CI of a repository of rules."""
    always = configured_channels(Settings.model_construct())  # those that need no switching on
    found = configured_channels(settings)
    return found if found - always else None


def _today() -> date:
    return datetime.fromtimestamp(SystemClock().now(), UTC).date()


def _of(files: Sequence[Path], loaded: Loaded, settings: Settings) -> tuple[Problem, ...]:
    """The problems of some files. They are checked with everything beside them; files of elsewhere as rules alone."""
    if missing := [file for file in files if not file.exists()]:
        raise Refused(f"there is no file {str(missing[0])!r}")
    houses = [settings.rules.resolve(), settings.runbooks.resolve()]
    inside = [file.resolve() for file in files if _within(file.resolve(), houses)]
    outside = [file for file in files if not _within(file.resolve(), houses)]
    found = [problem for problem in loaded.problems if _within(Path(problem.file).resolve(), inside)]
    if outside:
        found += load_rules(outside, settings.rules, plugins()).problems
    return tuple(found)


def _within(path: Path, roots: Sequence[Path]) -> bool:
    return any(path == root or root in path.parents for root in roots)


def _conclude(
    problems: Sequence[Problem], configuration: Configuration | None, files: Sequence[Path], took: float
) -> None:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = _many(len(problems) - errors, "warning")
    if errors or (configuration is None and not files):
        say(f"{_many(errors, 'error')}, {warnings}", "red", to=err())
        return
    counts = _many(len(files), "file") if configuration is None else _counts(configuration)
    say(f"{counts}: sound, {warnings} ({took * 1000:.0f} ms)", "green", to=err())


def _counts(configuration: Configuration) -> str:
    counts = [
        _many(len(configuration.rules), "rule"),
        _many(len(configuration.runbooks), "runbook"),
        _many(len(configuration.catalog.services), "service"),
        f"{len(configuration.catalog.people)} people",
    ]
    if configuration.topics:
        counts.append(f"{_many(len(configuration.topics), 'topic')} of others")
    return ", ".join(counts)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def print_schema(name: str) -> int:
    """Print one JSON Schema; raises Refused naming those there are."""
    known = schemas()
    if name not in known:
        raise Refused(f"there is no schema {name!r}; there are {', '.join(sorted(known))}")
    print_json(known[name])
    return 0
