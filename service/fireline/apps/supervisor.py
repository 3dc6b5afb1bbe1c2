"""Keeps child processes alive: starts them, restarts one that ends with a growing pause, ends all of them together."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fireline.apps.lifeline import PARENT

log = logging.getLogger("fireline.up")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
STEADY_AFTER = 60.0
"""Seconds a child must have lived for its next restart to be quick again."""


def pause_after(failures: int) -> float:
    """Seconds to wait before restart number `failures` (1 is the first): doubling, bounded."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, failures - 1)))


@dataclass(slots=True)
class Child:
    """One supervised command."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    failures: int = 0


@dataclass(slots=True)
class Supervisor:
    """Runs children until `stop` is called; `grace` seconds between asking one to end and ending it."""

    grace: float = 20.0
    children: list[Child] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Supervise `fireline ARGUMENTS` under `name`."""
        command = [sys.executable, "-m", "fireline.apps", *arguments]
        child = Child(name, command, {**os.environ, **environment, PARENT: str(os.getpid())})
        self.children.append(child)
        return child

    def stop(self) -> None:
        """Ask everything to end; `run` returns when it has."""
        self._stopping.set()

    async def run(self) -> None:
        """Keep all children alive until `stop`, then end them."""
        keepers = [asyncio.create_task(self._keep(child), name=child.name) for child in self.children]
        try:
            await self._stopping.wait()
        finally:
            self.stop()
            await asyncio.gather(*(self._end(child) for child in self.children))
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            code = await self._once(child)
            if self._stopping.is_set():
                return
            lived = asyncio.get_running_loop().time() - began
            child.failures = 1 if lived > STEADY_AFTER else child.failures + 1
            child.restarts += 1
            pause = pause_after(child.failures)
            log.warning(
                "%s ended with %s after %.0f s; starting it again in %.1f s", child.name, _said(code), lived, pause
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _once(self, child: Child) -> int:
        # a group of its own: Control-C at the terminal is for us, who end children in good order whatever they do
        child.process = await asyncio.create_subprocess_exec(
            *child.command, env=dict(child.environment), stdin=asyncio.subprocess.DEVNULL, process_group=0
        )
        log.debug("%s runs as process %d", child.name, child.process.pid)
        if self._stopping.is_set():  # it was being made when the others were ended
            await self._end(child)
        return await child.process.wait()

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.grace)
        except TimeoutError:
            log.warning("%s did not end within %.0f s of being asked; ending it", child.name, self.grace)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _said(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
