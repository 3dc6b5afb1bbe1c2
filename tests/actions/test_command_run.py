"""command.run with real programs: no shell, none of our environment, nothing left behind, no secret told."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fireline.actions.command import CommandRun, RunOptions
from fireline.actions.ledger import begun
from fireline.actions.schema import Ports
from fireline.adapters.clock import FakeClock, SystemClock
from fireline.adapters.processes import Processes
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed
from fireline.domain.targets import Command, Targets
from fireline.engine.outward import StepContext
from tests.engine.runs_world import world

SECRET = "s3cr3t v4lue\nof two lines that are long"
SECRETS = EnvironmentSecrets(environment={"FIRELINE_SECRET_DEPLOY": SECRET})
CONTEXT = StepContext("run-1.run", 1, "run", None, 100.0, {}, 100.0)
PATIENCE = 60.0


def sh(script, **more):
    return Command(("/bin/sh", "-c", script, "sh"), **more)


def python(script, *arguments, **more):
    return Command((sys.executable, "-c", script, *arguments), **more)


@pytest.fixture
def run(tmp_path):
    w = world(tmp_path)

    async def perform(command, context=CONTEXT, **given):
        ports = Ports(
            w.store,
            w.settings,
            FakeClock(),
            w.responder,
            execute=Processes(SECRETS, SystemClock()),
            targets=Targets(commands={"it": command}),
        )
        return await CommandRun(ports).perform(RunOptions(command="it", **given), context)

    perform.store = w.store
    yield perform
    w.store.close()


async def until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not become so"
        await asyncio.sleep(0.02)


def lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


async def test_it_gives_what_the_program_says(run, tmp_path):
    outcome = await run(sh("echo out; echo complaint >&2; pwd; cat", directory=str(tmp_path)), stdin="read me")
    assert isinstance(outcome, Done)
    assert outcome.output["stdout"] == f"out\n{tmp_path}\nread me"
    assert outcome.output["stderr"] == "complaint\n"
    assert outcome.output["exit_code"] == 0


async def test_no_parameter_is_ever_a_command(run, tmp_path):
    hostile = f"$(touch {tmp_path}/x); `touch {tmp_path}/x` && touch {tmp_path}/x | x > {tmp_path}/x"
    command = python("import sys; print(sys.argv[1:])", "--unit={unit}", parameters={"unit": "(?s).*"})
    outcome = await run(command, parameters={"unit": hostile})
    assert outcome.output["stdout"].strip() == str([f"--unit={hostile}"])
    assert not (tmp_path / "x").exists()


async def test_it_sees_its_own_variables_and_no_others(run, monkeypatch):
    monkeypatch.setenv("FIRELINE_API_TOKEN", "never")
    monkeypatch.setenv("FIRELINE_SECRET_OTHER", "never")
    monkeypatch.setenv("LD_PRELOAD", "")
    outcome = await run(Command(("/usr/bin/env",), environment={"LANG": "C"}))
    names = {line.partition("=")[0] for line in outcome.output["stdout"].splitlines()}
    assert names == {"PATH", "LANG", "FIRELINE_KEY"}
    assert "FIRELINE_KEY=run-1.run" in outcome.output["stdout"]


async def test_a_secret_goes_in_and_does_not_come_out(run):
    show = 'printf %s "$TOKEN"; printf %s "$TOKEN" | base64 -w0 >&2; exit 3'
    outcome = await run(sh(show, environment={"TOKEN": "secret:DEPLOY"}), expect_exit=[3])
    assert outcome.output["stdout"] == "[secret:DEPLOY]"
    assert outcome.output["stderr"] == "[secret:DEPLOY]"
    assert "s3cr3t" not in f"{outcome} {run.store}"
    missing = await run(sh("true", environment={"TOKEN": "secret:NOBODY"}), replace(CONTEXT, key="other"))
    assert missing == Failed("there is no secret NOBODY")


@pytest.mark.parametrize(
    ("code", "expected", "good"), [(0, [0], True), (2, [0], False), (2, [0, 2], True), (0, [1], False)]
)
async def test_the_exit_code_decides(run, code, expected, good):
    outcome = await run(sh(f"echo why >&2; exit {code}"), expect_exit=expected)
    assert isinstance(outcome, Done if good else Failed)
    assert outcome.output["exit_code"] == code
    if not good:
        assert outcome.reason == f"it ended with {code}, expected {', '.join(map(str, expected))}: why"
        assert not outcome.unknown


async def test_the_time_over_ends_all_that_it_started(run, tmp_path):
    """Also children that would go on by themselves, and a program that does not want to end."""
    script = f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; sleep 300; sleep 300"
    outcome = await run(sh(script, timeout=4.0))
    assert isinstance(outcome, Failed)
    assert outcome.unknown
    assert "was ended after 4 s" in outcome.reason
    for name in ("child", "self"):
        pid = int((tmp_path / name).read_text())
        await until(lambda pid=pid: not lives(pid))


async def test_what_it_leaves_behind_is_ended_with_it(run, tmp_path):
    outcome = await run(sh(f"sleep 300 & echo $! > {tmp_path}/child; echo done"))
    assert outcome.output["stdout"] == "done\n"
    pid = int((tmp_path / "child").read_text())
    await until(lambda: not lives(pid))


async def test_who_is_cancelled_leaves_nothing_running(run, tmp_path):
    doing = asyncio.create_task(run(sh(f"echo $$ > {tmp_path}/self; mv {tmp_path}/self {tmp_path}/pid; sleep 300")))
    await until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    await until(lambda: not lives(pid))


async def test_what_it_says_is_bounded_and_it_is_not_held_up(run):
    outcome = await run(python("import sys; sys.stdout.write('x' * 5_000_000); sys.stderr.write('y' * 100)"))
    assert isinstance(outcome, Done)
    assert outcome.output["stdout"] == "x" * 8_192
    assert outcome.output["stderr"] == "y" * 100
    assert outcome.output["cut"] is True


async def test_it_runs_once_by_its_key_and_again_after_a_crash(run, tmp_path):
    count = sh(f"echo $FIRELINE_KEY >> {tmp_path}/done; exit 4")
    first = await run(count)
    assert await run(count) == first
    assert isinstance(first, Failed)
    crashed = replace(CONTEXT, key="run-2.run")
    begun(run.store, crashed)
    await run(count, crashed)
    assert (tmp_path / "done").read_text().split() == ["run-1.run", "run-2.run"]


async def test_a_rehearsal_says_what_would_be_run_and_runs_nothing(run, tmp_path):
    command = Command(("/usr/bin/touch", str(tmp_path / "{name}")), {"name": "[a-z]+"})
    outcome = await run(command, replace(CONTEXT, dry_run=True), parameters={"name": "x"})
    assert outcome.output["argv"] == ["/usr/bin/touch", str(tmp_path / "x")]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Command(("/nowhere/at/all",)), "cannot be run"),
        (Command(("/bin/true",), directory="/nowhere"), "cannot be run"),
    ],
)
async def test_what_cannot_be_run_is_told(run, command, reason):
    outcome = await run(command)
    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    assert not outcome.unknown


async def test_what_is_not_listed_is_not_run(run):
    ports = Ports(None, None, None, None, execute=Processes(SECRETS, SystemClock()))
    outcome = await CommandRun(ports).perform(RunOptions(command="rm"), CONTEXT)
    assert outcome == Failed("the command 'rm' is not in the targets file (FIRELINE_TARGETS); there are none")
