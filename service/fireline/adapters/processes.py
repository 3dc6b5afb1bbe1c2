"""Running programs of the allow-list: no shell, an environment of their own, a limit on time and on what they say.

A program gets a process group of its own, and all of the group is ended when its time is over, when whoever waits is
cancelled, and when the program has ended, so that it leaves nothing behind.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping

from fireline.adapters.secrets import hiding
from fireline.engine.outgoing import Ended, Execution, NotSent, Secrets
from fireline.engine.ports import Clock

_SECRET = re.compile(r"secret:([A-Za-z][A-Za-z0-9_]{0,99})")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MERCY = 2.0
"""Seconds from being asked to end (SIGTERM) to being ended (SIGKILL)."""
_GLANCE = 0.01
_LAST_WORDS = 2.0
"""Seconds to go on reading what a process outside of the group may still hold open."""


class Processes:
    """The Execute port. `clock` measures how long a program took."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    async def __call__(self, execution: Execution) -> Ended | NotSent:
        """Run it to its end, or to the end of its time. Never raises, other than when it is cancelled."""
        used: dict[str, str] = {}
        for name in _SECRET.findall(" ".join(execution.environment.values())):
            value = self._secrets.secret(name)
            if value is None:
                return NotSent(f"there is no secret {name}", final=True)
            used[name] = value
        environment = {key: _SECRET.sub(lambda m: used[m[1]], text) for key, text in execution.environment.items()}
        shown = hiding(used.items())
        began = self._clock.now()
        try:
            process = await _begun(execution, environment)
        except (OSError, ValueError) as fault:
            return NotSent(shown(f"{execution.argv[0]} cannot be run: {fault}"), final=True)
        said = _Said(execution.most)
        code = await _ended(process, execution, said)
        took = round(self._clock.now() - began, 3)
        return Ended(code, shown(said.text(1)), shown(said.text(2)), said.cut, took)


async def _begun(execution: Execution, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *execution.argv,
        stdin=asyncio.subprocess.PIPE if execution.stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": _PATH, **environment},
        cwd=execution.directory,
        start_new_session=True,
        close_fds=True,
    )


class _Said:
    """What a program says, as far as it is kept: reading goes on beyond, so that it is never held up."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = {1: bytearray(), 2: bytearray()}
        self.cut = False

    async def read(self, stream: asyncio.StreamReader | None, number: int) -> None:
        while stream is not None and (chunk := await stream.read(65_536)):
            room = self._most - len(self._kept[number])
            self._kept[number] += chunk[:room]
            self.cut = self.cut or len(chunk) > room

    def text(self, number: int) -> str:
        return self._kept[number].decode("utf-8", errors="replace")


async def _ended(process: asyncio.subprocess.Process, execution: Execution, said: _Said) -> int | None:
    """The exit code, negative for a signal; None when its time was over."""
    reading = [
        asyncio.create_task(said.read(process.stdout, 1)),
        asyncio.create_task(said.read(process.stderr, 2)),
        asyncio.create_task(_feed(process, execution.stdin)),
    ]
    try:
        async with asyncio.timeout(execution.timeout):
            code: int | None = await _exit(process)
    except TimeoutError:
        code = None
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_exit(process), _MERCY)
    finally:
        _signal(process, signal.SIGKILL)
        if process.returncode is None:  # cancelled: nobody waits for it but us
            await asyncio.shield(_exit(process))
    await asyncio.wait(reading, timeout=_LAST_WORDS)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return code


async def _exit(process: asyncio.subprocess.Process) -> int:
    """Its exit code as soon as there is one: asyncio's `wait` also waits for whoever has inherited its pipes."""
    while process.returncode is None:  # noqa: ASYNC110 - there is no event of the end alone
        await asyncio.sleep(_GLANCE)
    return process.returncode


async def _feed(process: asyncio.subprocess.Process, content: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(ConnectionError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the whole group, which outlives its leader as long as anything is left in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
