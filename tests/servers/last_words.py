"""What the processes of a failed test said last, as a part of its report: it is all that CI keeps of them."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

LINES, LETTERS = 60, 8000
_SAID: list[tuple[str, Callable[[], str]]] = []


def remember(name: str, said: Callable[[], str]) -> None:
    """Let the report of the test that runs end with what `said` gives then, if the test fails."""
    _SAID.append((name, said))


def tail(log: Path) -> str:
    """The last lines of a log that may not be there."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-LINES:])[-LETTERS:]
    except OSError as fault:
        return f"no log: {fault}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"{name}, at the end", said()) for name, said in _SAID]
    if call.when == "teardown":
        _SAID.clear()
    return report
