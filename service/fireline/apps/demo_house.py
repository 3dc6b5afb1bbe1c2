"""The demo's processes: `fireline up` in the demo's home, and the model gateway beside it; ended by their ids."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fireline.adapters.database import open_store
from fireline.apps.bootstrap import BROKER_FACT
from fireline.apps.demo_home import Home
from fireline.apps.faults import Refused
from fireline.apps.lifeline import PARENT
from fireline.apps.settings import PREFIX
from fireline.engine.ports import Clock, Unavailable

PATIENCE = 600.0
"""Seconds within which Fireline has to be up."""


@dataclass(slots=True)
class House:
    """Everything that runs: where it lives, where it answers."""

    home: Home
    fireline: str
    gateway: str = ""


def port_or_any(wanted: int) -> int:
    """The wanted port when it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Refused("this machine has no free port")


def environment_of(house: House, port: int, given: Mapping[str, str]) -> dict[str, str]:
    """The children's environment: settings of the surrounding one do not reach the demo."""
    bare = {name: value for name, value in given.items() if not name.startswith(PREFIX)}
    home = house.home
    ours = {"DATABASE": home.database, "STATE_DIR": str(home.path), "WEB_PORT": str(port)}
    ours |= {"RULES": str(home.rules), "RUNBOOKS": str(home.runbooks)}
    return {**bare, **{PREFIX + name: value for name, value in ours.items()}, PARENT: str(os.getpid())}


@contextlib.asynccontextmanager
async def lived_in(home: Home, port: int, rate: float, clock: Clock) -> AsyncIterator[House]:
    """Start everything, and end it when the block ends, however it ends."""
    house = House(home, f"http://127.0.0.1:{port}")
    environment = environment_of(house, port, os.environ)
    async with contextlib.AsyncExitStack() as held:
        up = await _start(held, home.path / "fireline.log", environment, "fireline.apps", "up")
        kafka = await _broker(home, up, clock)
        options = ["--fireline", house.fireline, "--kafka", kafka, "--rate", str(rate)]
        log = home.path / "gateway.log"
        gateway = await _start(held, log, environment, "fireline.apps.gateway", *options, listen=True)
        assert gateway.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(gateway.stdout.readline(), PATIENCE)
        if not line:
            raise Refused(f"the gateway did not start; see {log}")
        house.gateway = line.decode().split()[1]
        yield house


async def _start(
    held: contextlib.AsyncExitStack,
    log: Path,
    environment: Mapping[str, str],
    module: str,
    *arguments: str,
    listen: bool = False,
) -> asyncio.subprocess.Process:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if listen else output,
            stderr=output,
            # Ctrl-C is for the demo, which ends its children in order
            start_new_session=True,
        )
    held.push_async_callback(_end, process)
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 60.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _broker(home: Home, up: asyncio.subprocess.Process, clock: Clock) -> str:
    """The embedded broker's address, which `fireline up` writes down."""
    began, log = clock.now(), home.path / "fireline.log"
    while clock.now() - began < PATIENCE:
        if up.returncode is not None:
            raise Refused(f"`fireline up` ended with {up.returncode}; see {log}")
        found = await asyncio.to_thread(_broker_fact, home)
        if found:
            return found
        await clock.sleep(0.1)
    raise Refused(f"Fireline was not up within {PATIENCE:.0f} s; see {log}")


def _broker_fact(home: Home) -> str:
    if not (home.path / "fireline.db").exists():
        return ""
    try:
        store = open_store(home.database)
    except Unavailable:
        return ""
    try:
        with store.reading() as tx:
            fact = tx.fact(BROKER_FACT)
    except Unavailable:
        return ""
    finally:
        store.close()
    return "" if fact is None else str(fact[0]["bootstrap"])
