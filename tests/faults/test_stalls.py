"""A worker that stands still is ended, told of, and started again by `fireline up`; it goes on, and nothing is lost."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.outside import Outside, eventually, only_rules
from tests.faults.kafka_trials import MANY, RULES, Sender
from tests.faults.test_kafka_away import LONG

PATIENCE = 10.0
"""Seconds; a worker that merely has to wait for its turn on a busy machine is never as late."""
STALLS = {
    "the event loop": (signal.SIGVTALRM, r"the event loop stood still for 10 s in _block \(.*sitecustomize.py:\d+\)"),
    "one partition": (signal.SIGWINCH, r"nothing was read for 10 s although there is more: .*'fireline.metrics', 0\)"),
    "the consumer's thread": (signal.SIGPROF, r"nothing was read for 10 s although there is more"),
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Drops:
    """A steady drip of events on all partitions, so that logs grow while nobody reads."""

    def __init__(self, bootstrap: str) -> None:
        self._sender, self._over = Sender(bootstrap), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(0.2):
            self._sender.put("drip", "steady", 16)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._sender.flush()


@pytest.mark.parametrize("how", STALLS if LONG else list(STALLS)[:1])
def test_a_worker_that_is_made_to_stall(tmp_path: Path, repository: Path, how: str):
    number, why = STALLS[how]
    folders = [str(Path(__file__).parent / "stalling"), *filter(None, [os.environ.get("PYTHONPATH")])]
    path = {"PYTHONPATH": os.pathsep.join(folders), "FIRELINE_STALL_AFTER": f"{PATIENCE:g}"}
    fireline = Outside(tmp_path, repository, path)
    only_rules(fireline, RULES)
    with fireline, Drops(fireline.bootstrap):
        sender = Sender(fireline.bootstrap)
        sender.put("counted", "whole", MANY // 2)
        sender.flush()
        eventually("events are read", lambda: fireline.fact("stream")["events"] > 0)
        first = fireline.roles()["stream"]
        began = time.monotonic()
        os.kill(first, number)
        sender.put("counted", "whole", MANY - MANY // 2)
        sender.flush()
        said = eventually("it is ended", lambda: fireline.lines("CRITICAL", "ending with exit code 70"), 60)
        took = time.monotonic() - began
        assert re.search(why, str(said)), said
        assert took >= PATIENCE - 1, f"after {took:.1f} s"
        eventually("it is started again", lambda: fireline.lines("stream ended with exit code 70"), 30)
        eventually("all events are counted", lambda: severity(fireline, "whole"), 40)
        time.sleep(0.5)
        assert severity(fireline, "whole") == "notice", "an event was counted twice"
        assert fireline.roles()["stream"] != first


def severity(fireline: Outside, service: str) -> str | None:
    with fireline.store.reading() as tx:
        found = tx.latest_incident(service, "", "live")
    return None if found is None else found.severity
