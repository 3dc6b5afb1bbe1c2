"""Control-C while a program is loaded and started: it ends at once, without a word. Who ignores it goes on to."""

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from fireline.apps import cli, interrupts

STRUCK = """
import signal, sys
class Strike:
    def find_spec(self, name, *_):
        if name == "MODULE":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Strike())
sys.argv = ["fireline", "up"]
from fireline.apps.__main__ import main
main()
"""


@pytest.fixture(autouse=True)
def as_python_has_it():
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, found)


@pytest.mark.parametrize("module", ["fireline.apps.cli_audit", "typer._adapters", "fireline.apps.up"])
def test_while_it_loads_it_ends_without_a_word(module):
    command = [sys.executable, "-c", STRUCK.replace("MODULE", module)]
    faulty = {**os.environ, "FIRELINE_WEB_PORT": "none"}  # it would end with that, were it not struck
    done = subprocess.run(command, env=faulty, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("words", [["up"], ["stream"], ["respond"], ["web"]], ids=" ".join)
def test_what_works_until_it_is_told_to_end_is_started_so(words, monkeypatch):
    found = []
    monkeypatch.setattr(cli, "load", lambda name: SimpleNamespace(run=lambda **_: found.append(_heard()) or 0))
    _run(words, monkeypatch)
    assert found == [signal.SIG_DFL]


def test_a_command_that_talks_to_a_person_hears_it(monkeypatch):
    found = []
    interrupts.end_at_once()  # as while it was loaded
    monkeypatch.setattr(cli, "load", lambda name: SimpleNamespace(run=lambda **_: found.append(_heard()) or 0))
    _run(["demo"], monkeypatch)
    assert found == [signal.default_int_handler]


def test_who_ignores_it_goes_on_to(monkeypatch):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.end_at_once()
    interrupts.raise_it()
    assert _heard() is signal.SIG_IGN


def test_another_thread_has_no_say():
    thread = threading.Thread(target=interrupts.end_at_once)
    thread.start()
    thread.join()
    assert _heard() is signal.default_int_handler


def _heard():
    return signal.getsignal(signal.SIGINT)


def _run(words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fireline", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
