"""`fireline demo` as a person starts it: the repository's files, real processes, and what it comes to."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import eventually, patient
from tests.e2e.outside import troubles
from tests.servers.last_words import tail
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(1800)

CHECKS = 11
COMMAND = [sys.executable, "-m", "fireline.apps", "demo"]


def processes_of(home):
    """The ids of processes whose environment names this home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                held = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"FIRELINE_STATE_DIR={home}".encode() in held:
                found.append(int(entry.name))
    return found


def environment():
    """Ours without settings; a port of its own, else two that begin in the same moment would take the same one."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FIRELINE_")}
    return {**ours, "FIRELINE_WEB_PORT": str(free_port())}


@pytest.fixture
def checkout(tmp_path, repository):
    """A directory with the repository's rules and (patient) runbooks, and no demo of an earlier test."""
    shutil.copytree(repository / "rules", tmp_path / "rules")
    patient(repository / "runbooks", tmp_path / "runbooks")
    yield tmp_path
    left = processes_of(tmp_path / ".fireline" / "demo")
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def told_once(directory, *options):
    return subprocess.run(
        [*COMMAND, "--once", *options],
        check=False,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=1500,
        env=environment(),
    )


def failed(output):
    return re.findall(r"^ +FAIL +(.+?) {2,}", output, re.MULTILINE)


def said(done, directory):
    """What there is to know of a story that did not come out as it should."""
    log = tail(directory / ".fireline" / "demo" / "fireline.log")
    return f"exit code {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}\n{log}"


@pytest.mark.slow
def test_the_story_comes_out_as_promised_and_nothing_is_left_running(checkout):
    kept = checkout / "demo.svg"
    done = told_once(checkout, "--picture", str(kept))
    home = checkout / ".fireline" / "demo"
    assert done.returncode == 0, said(done, checkout)
    assert len(re.findall(r"^ +pass ", done.stdout, re.MULTILINE)) == CHECKS
    assert processes_of(home) == []
    assert str(home) in done.stdout
    assert "response.settle in severities.yaml: 4s instead of 60s" in done.stdout
    log = (home / "fireline.log").read_text()
    assert re.search(r"^PAGE to (ann|ben|cleo)", log, re.MULTILINE)
    assert troubles(log) == []
    assert "not configured" not in log
    assert "<svg" in kept.read_text()[:200]


@pytest.mark.long
def test_a_runbook_that_may_only_suggest_fails_the_checks_that_it_should(checkout):
    book = checkout / "runbooks" / "route-to-fallback.yaml"
    text = book.read_text()
    book.write_text(text.replace("mode: auto}", "mode: suggest}"))
    assert book.read_text() != text
    done = told_once(checkout)
    assert done.returncode == 1, said(done, checkout)
    assert failed(done.stdout) == [
        "traffic goes to the fallback",
        "failures stop with it",
        "the verification says recovered",
        "traffic goes back to the primary",
        "the runbook succeeds",
        "the incident is resolved",
    ]
    assert processes_of(checkout / ".fireline" / "demo") == []


def test_a_runbook_that_is_missing_is_told_before_anything_starts(checkout):
    (checkout / "runbooks" / "route-to-fallback.yaml").unlink()
    done = told_once(checkout)
    assert done.returncode == 1
    assert "route-to-fallback" in done.stderr
    assert "nothing was started" in done.stderr
    assert not (checkout / ".fireline").exists()


def test_outside_a_checkout_it_says_where_to_run_it(tmp_path):
    done = told_once(tmp_path)
    assert done.returncode == 1
    assert "run it from a checkout of the repository" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ending_it_early_ends_everything(checkout, how):
    home = checkout / ".fireline" / "demo"
    process = subprocess.Popen(COMMAND, cwd=checkout, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        for line in process.stdout:
            if "waiting for the first events" in line:
                break
        eventually("all processes were made", lambda: len(processes_of(home)) >= 5)
        process.send_signal(how)
        assert process.wait(300) == 0
        assert processes_of(home) == []
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
