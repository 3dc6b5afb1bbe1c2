"""Responders that run as they do in production, several on one database, for being killed and for losing the database.

`python -m tests.faults.run_racers` forks one for each line of JSON that it reads, and answers with its process id. Each
drives whatever runs there are, on the real clock, until somebody ends it.
"""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from fireline.actions import Ports, build_actions
from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.role_respond import _keep
from fireline.domain.runbooks import Runbook
from tests.engine.runs_world import REPOSITORY, Fixed, World, runbook, shipped
from tests.faults.run_victim import Board, Deathbed, Rerouted

BOOK = """\
name: racing
owner: payments-ml
start: {mode: auto}
inputs: {n: {type: integer}}
guards: {lock: "racing:{{ inputs.n }}"}
steps:
- id: first
  uses: http.request
  with: {url: "https://target.example/first", json: {n: "{{ inputs.n }}"}}
  retry: {attempts: 20, backoff: 100ms}
  undo: {uses: http.request, with: {url: "https://target.example/back"}}
- {id: settle, uses: wait, with: {for: 200ms}}
- id: second
  uses: http.request
  with: {url: "https://target.example/second", json: {n: "{{ inputs.n }}"}}
  retry: {attempts: 20, backoff: 100ms}
  undo: {uses: http.request, with: {url: "https://target.example/back"}}
"""
KEYS = ("first", "second")


def book() -> Runbook:
    """Two acts, and a pause in which responders change over."""
    return runbook(BOOK)


def responder(store: DatabaseStore, port: int, lease: float) -> World:
    """One that acts on the target at this port."""
    clock: Any = SystemClock()
    made = book()
    configuration = replace(shipped(), autonomy=(), runbooks={made.name: made})
    w = World(store, clock, Fixed(configuration), owner=clock.token())
    fetch = Rerouted(port, Deathbed(Board(0.0), None))
    w.actions = dict(build_actions(Ports(store, w.settings, clock, w.responder, fetch=fetch)))
    w.runs = w.build()
    w.runs._lease = lease
    return w


def _life(given: Mapping[str, Any]) -> None:
    """All of a responder's life: only a signal ends it."""
    try:
        w = responder(open_store(given["url"]), given["port"], given["lease"])
        asyncio.run(_keep("runs", w.runs.run, asyncio.Event()))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def main() -> None:
    """Fork until nobody asks for more; whoever is killed leaves nothing behind."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    shipped()
    gc.collect()
    gc.freeze()
    pids: list[int] = []
    with suppress(BrokenPipeError, KeyboardInterrupt):
        for line in sys.stdin:
            pid = os.fork()
            if pid == 0:
                _life(json.loads(line))
            pids.append(pid)
            print(pid, flush=True)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Racers:
    """The responders of one database."""

    def __init__(self, process: "subprocess.Popen[str]", given: Mapping[str, object]) -> None:
        self._process = process
        self._line = json.dumps(given) + "\n"
        self._pids: list[int] = []

    def begin(self) -> None:
        """One more."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._line)
        self._process.stdin.flush()
        self._pids.append(int(self._process.stdout.readline()))

    def kill(self) -> None:
        """The one that has been there the longest dies, and another begins."""
        os.kill(self._pids.pop(0), signal.SIGKILL)
        self.begin()

    def close(self) -> None:
        """All of them die."""
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def workshop() -> Iterator["subprocess.Popen[str]"]:
    """Where responders are forked."""
    command = [sys.executable, "-m", "tests.faults.run_racers"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


@contextmanager
def racing(process: "subprocess.Popen[str]", url: str, port: int, *, many: int, lease: float) -> Iterator[Racers]:
    """So many responders on the database."""
    racers = Racers(process, {"url": url, "port": port, "lease": lease})
    try:
        for _ in range(many):
            racers.begin()
        yield racers
    finally:
        racers.close()


if __name__ == "__main__":
    main()
