"""The configuration in force: read from `rules/` and `runbooks/`, replaced when they change and are sound."""

import hashlib
import logging
from collections.abc import Callable, Iterator
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
    """Satisfies `ports.Settings`: `current` is the last good configuration of the two directories."""

    def __init__(self, rules: Path, runbooks: Path, plugins: Plugins, clock: Clock) -> None:
        self.rules, self.runbooks, self.plugins, self.clock = rules, runbooks, plugins, clock
        self.on_change: list[Callable[[Configuration], None]] = []
        self._seen = self.fingerprint()
        loaded = self.read()
        if loaded.configuration is None:
            raise BrokenFiles(loaded.problems)
        self._current = loaded.configuration

    @property
    def current(self) -> Configuration:
        """The last good configuration."""
        return self._current

    def read(self) -> Loaded:
        """Read and check everything now; nothing is put in force."""
        today = datetime.fromtimestamp(self.clock.now(), UTC).date()
        return load(self.rules, self.runbooks, self.plugins, today=today)

    def fingerprint(self) -> str:
        """Changes when a file was added, removed or written."""
        digest = hashlib.sha256()
        for path in self._paths():
            try:
                stat = path.stat()
            except OSError:
                continue
            digest.update(f"{path}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def refresh(self) -> tuple[Problem, ...]:
        """Put changed files in force if they are sound; otherwise keep the last good ones and return the faults."""
        seen = self.fingerprint()
        if seen == self._seen:
            return ()
        self._seen = seen
        loaded = self.read()
        if loaded.configuration is None:
            for problem in loaded.problems:
                log.error("%s", problem)
            log.error(
                "the changed files have faults: the last good configuration %s stays in force", self._current.hash[:12]
            )
            return loaded.problems
        self._put(loaded.configuration)
        return ()

    def _put(self, configuration: Configuration) -> None:
        before, self._current = self._current, configuration
        if before.hash == configuration.hash:
            return
        log.info("configuration %s in force, was %s", configuration.hash[:12], before.hash[:12])
        for tell in self.on_change:
            tell(configuration)

    def _paths(self) -> Iterator[Path]:
        for directory in (self.rules, self.runbooks):
            yield from sorted(p for p in directory.rglob("*") if p.suffix in {".yaml", ".yml", ".j2"})
