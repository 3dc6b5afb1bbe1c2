"""Where the demo lives: a fresh directory with a copy of the repository's rules and runbooks, which may be edited."""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import plugins
from fireline.apps.faults import Refused
from fireline.apps.files import BrokenFiles
from fireline.apps.gateway import SERVICE
from fireline.domain.configuration import Configuration
from fireline.domain.oncall import TargetKind
from fireline.domain.reviews import day_of
from fireline.domain.rota import who
from fireline.spec.loading import load

KEPT = {".yaml", ".yml", ".j2", ".json"}
_REVIEWED = re.compile(r"^reviewed: .*$", re.MULTILINE)
_SETTLE = re.compile(r"^(\s*settle:\s*)([^\s#]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Home:
    """Absolute paths of everything the demo writes; `rules` and `runbooks` are copies that people may edit."""

    path: Path

    @property
    def rules(self) -> Path:
        """The copy of the rules."""
        return self.path / "rules"

    @property
    def runbooks(self) -> Path:
        """The copy of the runbooks."""
        return self.path / "runbooks"

    @property
    def database(self) -> str:
        """The database's URL."""
        return f"sqlite:///{self.path / 'fireline.db'}"

    def read(self) -> Configuration:
        """What the copies say now; raises BrokenFiles."""
        return read(self.rules, self.runbooks)


def read(rules: Path, runbooks: Path) -> Configuration:
    """The configuration of two directories; raises Refused when they are not there, BrokenFiles when faulty."""
    for directory, option in ((rules, "--rules"), (runbooks, "--runbooks")):
        if not directory.is_dir():
            raise Refused(
                f"There is no directory {directory} here: run it from a checkout of the repository, "
                f"or name a directory with {option}."
            )
    loaded = load(rules, runbooks, plugins())
    if loaded.configuration is None:
        raise BrokenFiles(loaded.problems)
    if SERVICE not in loaded.configuration.catalog.services:
        raise Refused(f"The demo breaks a service named {SERVICE}, and {rules / 'catalog.yaml'} has no such service.")
    return loaded.configuration


@contextmanager
def lived_in_alone(path: Path) -> Iterator[Home]:
    """The home at `path` for one demo at a time; raises Refused while another one lives there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another demo runs in {path}; end it first.") from None
        yield Home(path)


def settle_in(home: Home, rules: Path, runbooks: Path) -> None:
    """Make the home fresh: copies of `rules` and `runbooks`, and nothing of an earlier run."""
    shutil.rmtree(home.path, ignore_errors=True)
    for source, copy in ((rules, home.rules), (runbooks, home.runbooks)):
        for path in sorted(found for found in source.rglob("*") if found.suffix in KEPT and found.is_file()):
            target = copy / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    today = day_of(SystemClock().now()).isoformat()
    for book in home.runbooks.rglob("*.yaml"):  # a review that ran out meanwhile would have the demo ask first
        text = book.read_text(encoding="utf-8", errors="surrogateescape")
        book.write_text(_REVIEWED.sub(f"reviewed: {today}", text), encoding="utf-8", errors="surrogateescape")


def hasten(home: Home, settle: str) -> str:
    """Let incidents of the copy settle for `settle` only; what they settled for before, "" when nothing was changed."""
    path = home.rules / "severities.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = _SETTLE.search(text)
    if found is None or found[2] == settle:
        return ""
    path.write_text(_SETTLE.sub(rf"\g<1>{settle}", text, count=1), encoding="utf-8")
    return found[2]


def on_call(configuration: Configuration, at: float) -> str:
    """Who the first level of the service's policy names at `at`, worked out here and not asked of Fireline."""
    team = configuration.catalog.teams[configuration.catalog.services[SERVICE].owner]
    for target in configuration.oncall.policies[team.policy].levels[0].targets:
        if target.kind is TargetKind.SCHEDULE:
            shift = who(configuration.oncall.schedules[target.id], datetime.fromtimestamp(at, UTC))
            return "" if shift is None else shift.person
        if target.kind is TargetKind.PERSON:
            return target.id
    return ""
