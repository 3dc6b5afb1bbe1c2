"""What somebody outside sees of a running Fireline: its commands, its pages, its log; and how to end it roughly."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import time
from typing import Any

import orjson

from tests.e2e.harness import Fireline, eventually, put
from tests.servers.last_words import remember

LINE = re.compile(r"^\d\d:\d\d:\d\d \w+ [A-Z]+ ")
OURS = re.compile(r"^\d\d:\d\d:\d\d \w+ (WARNING|ERROR|CRITICAL) fireline\.(?!adapters\.faust_batches)|Traceback")
"""A line that tells of a trouble of ours.

What Kafka's clients and Faust, which speaks as the module above, say of a machine that gave
their threads no time is none.
"""


class Outside(Fireline):
    """Fireline with a view from outside."""

    def command(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "fireline.apps", *words],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        said = f"exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        remember(f"`fireline {' '.join(words)}`", lambda: said)
        return done

    def doctor(self) -> tuple[int, dict[str, dict[str, str]]]:
        """Its exit code and its checks by name."""
        said = self.command("doctor", "--json")
        assert "Traceback" not in said.stderr, said.stderr
        return said.returncode, {check["check"]: check for check in json.loads(said.stdout)}

    def get(self, path: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": "text/html"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return str(answer.read().decode())

    def fact(self, name: str) -> dict[str, Any]:
        with self.store.reading() as tx:
            found = tx.fact(name)
        return {} if found is None else dict(found[0])

    def lines(self, *words: str) -> list[str]:
        """The lines of the log that hold all of these words."""
        return [line for line in self.said().splitlines() if all(word in line for word in words)]

    def said(self) -> str:
        """The log so far; the last letter of one that is just being written may be half there."""
        return self.log.read_text(errors="replace")

    def timeline(self, number: int = 1) -> list[Any]:
        with self.store.reading() as tx:
            return list(tx.timeline(number))

    def bad_predictions(self, count: int = 60, service: str = "fraud-scoring") -> None:
        """Requests that fail, now."""
        for number in range(count):
            body = {"type": "prediction", "service": service, "model": "fraud", "version": "14", "target": "primary"}
            body |= {"probe": "false", "request_id": f"r{number}", "ts": time(), "latency_ms": 2500.0}
            body |= {"error": "timeout", "prediction": "none", "confidence": 0.5}
            self.produce("fireline.predictions", service, orjson.dumps(body))
        self.flush()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def crash(self) -> dict[str, int]:
        """kill -9 of `fireline up` alone; the roles that ran, which must notice by themselves."""
        roles = self.roles()
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)
        self._producer = None
        return roles

    def sweep(self, pids: "list[int]") -> None:
        """End what a failed test left."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def troubles(text: str) -> list[str]:
    """Lines of a log that tell of a fault of ours."""
    return [line for line in text.splitlines() if OURS.search(line)]


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def one_page_each(rules: Path) -> None:
    """Let every incident have a message of its own, however many a person gets."""
    severities = rules / "severities.yaml"
    severities.write_text(severities.read_text().replace("response:\n", "response:\n  storm: 0s\n"))


def only_rules(fireline: Fireline, text: str) -> None:
    """Add a file of rules before Fireline starts."""
    (fireline.home / "rules" / "added.yaml").write_text(text)


__all__ = ["LINE", "Outside", "eventually", "gone", "one_page_each", "only_rules", "put", "troubles"]
