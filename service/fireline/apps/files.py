"""The configuration in force: read from `rules/` and `runbooks/`, replaced when they change and are sound."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fireline.domain.configuration import Configuration, Problem
from fireline.engine.ports import Clock
from fireline.spec.loading import Loaded, Plugins, load

log = logging.getLogger("fireline.files")


class BrokenFiles(Exception):  # noqa: N818 - told like the faults it carries
    """The files have faults and there is no earlier good configuration; `problems` holds every one of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class Files:
    """Satisfies `ports.Settings`: `current` is the last good configuration of the two directories.

    With `kept`, a directory, the last good files are written there, and a process that starts while the files are
    broken goes on with them: one role's restart must not depend on what somebody is typing. `quiet` leaves it to
    another process of the same house to name each fault. `problems` are the errors of the files as they are now.
    """

    def __init__(
        self,
        rules: Path,
        runbooks: Path,
        plugins: Plugins,
        clock: Clock,
        *,
        kept: Path | None = None,
        quiet: bool = False,
    ) -> None:
        self.rules, self.runbooks, self.plugins, self.clock = rules, runbooks, plugins, clock
        self.on_change: list[Callable[[Configuration], None]] = []
        self._kept, self._quiet = kept, quiet
        self._seen = self._looked = self.fingerprint()
        self.problems: tuple[Problem, ...] = ()
        loaded = self.read()
        found = loaded.configuration or self._last_good()
        if found is None:
            raise BrokenFiles(loaded.problems)
        self._current = found
        if loaded.configuration is None:
            self._tell(loaded.problems)
        else:
            self._keep(found)

    @property
    def current(self) -> Configuration:
        """The last good configuration."""
        return self._current

    def read(self) -> Loaded:
        """Read and check everything now; nothing is put in force."""
        return self._load(self.rules, self.runbooks)

    def path_of(self, name: str) -> Path:
        """Where a file of a configuration stands, whose names begin with `rules/` or `runbooks/`."""
        folder, _, rest = name.partition("/")
        return (self.runbooks if folder == "runbooks" else self.rules) / rest

    def fingerprint(self) -> str:
        """Changes when a file was added, removed, written or replaced."""
        digest = hashlib.sha256()
        for path in self._paths():
            try:
                stat = path.stat()
            except OSError:
                continue
            digest.update(f"{path}|{stat.st_ino}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}\n".encode())
        return digest.hexdigest()

    def look(self) -> None:
        """Refresh, unless somebody is still writing: a file that is half saved may be sound, and lack rules."""
        seen = self.fingerprint()
        if seen == self._looked:
            self.refresh()
        self._looked = seen

    def refresh(self) -> tuple[Problem, ...]:
        """Put changed files in force if they are sound; otherwise keep the last good ones and return the faults."""
        seen = self.fingerprint()
        if seen == self._seen:
            return ()
        self._seen = seen
        loaded = self.read()
        if loaded.configuration is None:
            self._tell(loaded.problems)
            return loaded.problems
        self._put(loaded.configuration)
        self.problems = ()  # last: whoever sees no problems sees what is in force since
        return ()

    def _load(self, rules: Path, runbooks: Path) -> Loaded:
        today = datetime.fromtimestamp(self.clock.now(), UTC).date()
        return load(rules, runbooks, self.plugins, today=today)

    def _tell(self, problems: Sequence[Problem]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        self.problems = tuple(errors)
        for problem in () if self._quiet else errors:
            log.error("%s", problem)
        log.error(
            "%d errors in rules or runbooks: the last good configuration %s stays in force",
            len(errors),
            self._current.hash[:12],
        )

    def _put(self, configuration: Configuration) -> None:
        before, self._current = self._current, configuration
        self._keep(configuration)
        if before.hash == configuration.hash:
            log.info("the files are sound again, configuration %s is still in force", configuration.hash[:12])
            return
        log.info("configuration %s in force, was %s", configuration.hash[:12], before.hash[:12])
        for tell in self.on_change:
            tell(configuration)

    def _keep(self, configuration: Configuration) -> None:
        if self._kept is None:
            return
        try:
            keep(self._kept, configuration)
        except OSError as fault:
            log.warning("the last good files cannot be kept in %s: %s", self._kept, fault)

    def _last_good(self) -> Configuration | None:
        folder = None if self._kept is None else last_good(self._kept)
        return None if folder is None else self._load(folder / "rules", folder / "runbooks").configuration

    def _paths(self) -> Iterator[Path]:
        for directory in (self.rules, self.runbooks):
            yield from sorted(p for p in directory.rglob("*") if p.suffix in {".yaml", ".yml", ".j2", ".json"})


LATEST = "latest"
"""The file that names the last good configuration among those that are kept."""


def keep(folder: Path, configuration: Configuration) -> None:
    """Write the files of a configuration below `folder`, and that it is the latest; older ones are removed.

    Several processes may do so at once: a configuration has a directory of its own, which appears whole or not at all.
    """
    name = configuration.hash[:16]
    if not (folder / name).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".", dir=folder))
        for path in ("rules", "runbooks"):
            (made / path).mkdir()
        for path, text in configuration.files.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, encoding="utf-8", newline="")
        try:
            made.rename(folder / name)
        except OSError:  # another process was quicker
            shutil.rmtree(made, ignore_errors=True)
    if _named(folder) == name:
        return
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".", delete=False) as file:
        file.write(name)
    Path(file.name).replace(folder / LATEST)
    for old in folder.iterdir():
        if old.is_dir() and old.name != name and not old.name.startswith("."):
            shutil.rmtree(old, ignore_errors=True)


def last_good(folder: Path) -> Path | None:
    """The directory of the last good configuration below `folder`, with `rules` and `runbooks` in it."""
    name = _named(folder)
    found = folder / name if name else None
    return found if found is not None and found.is_dir() else None


def _named(folder: Path) -> str:
    try:
        return (folder / LATEST).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        return ""
