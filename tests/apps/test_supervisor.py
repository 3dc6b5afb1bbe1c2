"""The supervisor restarts what ends, with growing pauses, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from fireline.apps.supervisor import LONGEST_PAUSE, Child, Supervisor, pause_after


def child(supervisor: Supervisor, code: str) -> Child:
    made = Child("probe", [sys.executable, "-c", code], dict(os.environ))
    supervisor.children.append(made)
    return made


async def until(condition, seconds: float = 240.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def test_pauses_double_and_are_bounded():
    pauses = [pause_after(n) for n in range(1, 12)]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(pauses) == LONGEST_PAUSE


async def test_a_killed_child_is_started_again():
    supervisor = Supervisor(grace=2.0)
    made = child(supervisor, "import time; time.sleep(3600)")
    running = asyncio.create_task(supervisor.run())
    await until(lambda: made.process is not None)
    first = made.process.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: made.process.pid != first)
    assert made.restarts == 1
    supervisor.stop()
    await running
    assert made.process.returncode is not None


async def test_a_child_that_is_being_made_when_all_is_to_end_is_ended_too(monkeypatch: pytest.MonkeyPatch):
    made, goes_on, make = [], asyncio.Event(), asyncio.create_subprocess_exec

    async def slowly(*words, **options):
        made.append(await make(*words, **options))
        await goes_on.wait()
        return made[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    supervisor = Supervisor(grace=60.0)
    child(supervisor, "import time; time.sleep(3600)")
    running = asyncio.create_task(supervisor.run())
    await until(lambda: made)
    supervisor.stop()
    for _ in range(10):  # all that can be ended without it is ended
        await asyncio.sleep(0)
    goes_on.set()
    await asyncio.wait_for(running, 120)
    assert made[0].returncode == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_ended_after_the_grace(tmp_path: Path):
    supervisor, deaf = Supervisor(grace=0.3), tmp_path / "deaf"
    code = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(deaf)!r}, 'w').close(); time.sleep(3600)"
    made = child(supervisor, f"import signal, time; {code}")
    running = asyncio.create_task(supervisor.run())
    await until(deaf.exists)
    supervisor.stop()
    await asyncio.wait_for(running, 120)
    assert made.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
async def test_a_child_ends_itself_when_its_parent_is_gone(deaf: str):
    script = (
        "import os, subprocess, sys\n"
        "child = 'import os, signal, time; from fireline.apps import lifeline; lifeline.hold(0.05, 0.5); '\n"
        f"child += '{deaf}print(os.getpid(), flush=True); time.sleep(3600)'\n"
        "env = {**os.environ, 'FIRELINE_PARENT': str(os.getpid())}\n"
        "p = subprocess.Popen([sys.executable, '-c', child], env=env, stdout=subprocess.PIPE, text=True)\n"
        "print(p.stdout.readline().strip(), flush=True)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    pid = int((await parent.stdout.readline()).decode())
    await parent.wait()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    await until(gone)
