"""command.run: run a program of the allow-list.

`command.run` runs `command`, which the targets file (`FIRELINE_TARGETS`) names with its whole path, its arguments, its
directory and its time. There is no shell, and no argument that is not listed: `parameters` fill the places of the
arguments and must match their patterns in full. The program sees the variables of the file, `FIRELINE_KEY` (the step's
idempotency key) and nothing else of our environment; secrets of its variables are taken out of what it says.

An exit code outside `expect_exit` fails the step, and when its time is over it is ended with all that it started, and
whether it acted is in doubt (`if_unknown`). One that ended is not run again with the same key; a crash in between
repeats it, with the same `FIRELINE_KEY`.
"""

import asyncio
from collections.abc import Mapping

from pydantic import Field

from fireline.actions.ledger import begun, ended
from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.targets import Command, unknown
from fireline.engine.outgoing import Ended, Execute, Execution, NotSent
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.spec.durations import PositiveDuration

EXAMPLE = """\
id: restart
uses: command.run
with: {command: restart-scorer, parameters: {unit: scorer-a}, timeout: 30s}
irreversible: true
"""


class RunOptions(Options):
    """Which program, with what."""

    command: str = Field(min_length=1, max_length=100, description="a command of the targets file")
    parameters: dict[str, str] = Field(
        default_factory=dict, max_length=50, description="what its places are filled with"
    )
    stdin: str = Field("", max_length=65_536, description="what it reads")
    expect_exit: list[int] = Field(default_factory=lambda: [0], min_length=1, description="exit codes of a success")
    timeout: PositiveDuration | None = Field(None, description="less time than the file gives it")


class CommandRun:
    """Runs one program to its end."""

    mutates = True

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._commands = ports.targets.commands
        self._execute = ports.execute

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Run it, unless it ended already."""
        assert isinstance(options, RunOptions)
        command = self._commands.get(options.command)
        if command is None:
            return Failed(unknown("command", options.command, self._commands))
        argv = command.filled(options.parameters)
        if isinstance(argv, str):
            return Failed(f"command {options.command!r}: {argv}")
        if context.dry_run:
            return Done({"exit_code": 0, "stdout": "", "stderr": "", "cut": False, "seconds": 0.0, "argv": list(argv)})
        if self._execute is None:
            return Failed("commands are not set up in this process")
        return await self._once(self._execute, options, _execution(command, argv, options, context), context)

    async def _once(self, execute: Execute, options: RunOptions, execution: Execution, context: StepContext) -> Outcome:
        try:
            before = await asyncio.to_thread(begun, self._store, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        if isinstance(before, Mapping):
            return _judged(options, before)
        result = await execute(execution)
        if isinstance(result, NotSent):
            return Failed(result.reason)
        output = _output(result, execution)
        if result.code is None:
            reason = f"{options.command} was ended after {execution.timeout:g} s"
            return Failed(reason, unknown=True, output=output)
        await asyncio.to_thread(ended, self._store, context, output)
        return _judged(options, output)


def _execution(command: Command, argv: tuple[str, ...], options: RunOptions, context: StepContext) -> Execution:
    return Execution(
        argv,
        {**command.environment, "FIRELINE_KEY": context.key},
        command.directory,
        min(command.timeout, options.timeout or command.timeout),
        options.stdin.encode(),
    )


def _output(result: Ended, execution: Execution) -> dict[str, object]:
    return {
        "exit_code": result.code,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "cut": result.cut,
        "seconds": result.seconds,
        "argv": list(execution.argv),
    }


def _judged(options: RunOptions, output: Mapping[str, object]) -> Outcome:
    code = output.get("exit_code")
    if code in options.expect_exit:
        return Done(output)
    expected = ", ".join(map(str, options.expect_exit))
    lines = [line.strip() for line in str(output.get("stderr", "")).splitlines() if line.strip()]
    said = f": {lines[-1][:300]}" if lines else ""
    return Failed(f"{options.command} ended with {code}, expected {expected}{said}", output=output)


KINDS = {
    "command.run": ActionKind(
        options=RunOptions,
        outputs={
            "exit_code": Output("int", "as the program ended; negative for a signal, nothing when its time was over"),
            "stdout": Output("string", "the start of what it said"),
            "stderr": Output("string", "the start of what it complained of"),
            "cut": Output("bool", "whether it said more than is kept"),
            "seconds": Output("number", "how long it took"),
            "argv": Output("list", "what was run"),
        },
        mutates=True,
        build=CommandRun,
        page=__doc__,
        example=EXAMPLE,
    )
}
