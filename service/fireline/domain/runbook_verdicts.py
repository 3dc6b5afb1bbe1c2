"""What a test of a runbook expected and what came instead. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.runbook_tests import UNDO, Expected
from fireline.domain.runbooks import Run, StepRun, StepStatus

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a test's run: None with `reason` where none began. `order` are the steps as they were begun.

    `refused` are the answers and the abort that the engine did not take, with its reasons.
    """

    run: Run | None
    reason: str
    order: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met: where it stands, what it is about, and lines that say why."""

    line: int
    what: str
    wanted: str
    got: str
    detail: tuple[str, ...] = ()


def differences(expected: Expected, line: int, played: Played) -> tuple[Difference, ...]:
    """All of them; `line` is where the test stands."""
    run = played.run
    if run is None:
        return (Difference(_line(expected, "status", line), "status", expected.status, "no run", (played.reason,)),)
    return tuple(_differences(expected, line, run, played))


def _line(expected: Expected, word: str, otherwise: int) -> int:
    return expected.lines.get(word, otherwise)


def _differences(expected: Expected, line: int, run: Run, played: Played) -> Iterator[Difference]:
    if run.status.value != expected.status:
        got, why = run.status.value, (f"because {run.reason}", *_errors(run), *played.refused)
        yield Difference(_line(expected, "status", line), "status", expected.status, got, why)
    if expected.reason and expected.reason not in run.reason:
        wanted = f"a reason with {expected.reason!r}"
        yield Difference(_line(expected, "reason", line), "reason", wanted, repr(run.reason))
    if expected.steps is not None and expected.steps != played.order:
        why = (*_turn(expected.steps, played.order), *_errors(run), *played.refused)
        yield Difference(_line(expected, "steps", line), "steps", _list(expected.steps), _list(played.order), why)
    skipped = tuple(step.id for step in run.steps if step.status is StepStatus.SKIPPED)
    if expected.skipped is not None and set(expected.skipped) != set(skipped):
        yield Difference(_line(expected, "skipped", line), "skipped", _list(expected.skipped), _list(skipped))
    yield from _values(expected, line, run)
    took = None if run.ended_at is None else run.ended_at - run.created_at
    if expected.takes is not None and (took is None or abs(took - expected.takes) > max(1.0, expected.takes / 100)):
        got = "it does not end" if took is None else f"{took:g} s"
        yield Difference(_line(expected, "takes", line), "takes", f"{expected.takes:g} s", got)


def _errors(run: Run) -> Iterator[str]:
    return (f"{step.id} is {step.status.value}: {step.error}" for step in run.steps if step.error)


def _list(steps: Sequence[str]) -> str:
    return ", ".join(steps) or NOTHING


def _turn(wanted: Sequence[str], got: Sequence[str]) -> Iterator[str]:
    """Where the two orders part."""
    same = next((n for n, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b), min(len(wanted), len(got)))
    after = f"after {got[same - 1]}" if same else "at the start"
    here = got[same] if same < len(got) else "nothing more"
    yield f"{after}: expected {wanted[same] if same < len(wanted) else 'nothing more'}, got {here}"


def _values(expected: Expected, line: int, run: Run) -> Iterator[Difference]:
    steps = {step.id: step for step in run.steps}
    for word, named in (("with", expected.with_), ("outputs", expected.outputs)):
        for name, wanted in named.items():
            step = steps.get(name.removesuffix(UNDO))
            found = None if step is None else _found(step, word, undo=name.endswith(UNDO))
            place = _line(expected, f"{word}.{name}", line)
            if found is None:
                yield Difference(place, f"{word} of {name}", repr(dict(wanted)), "the step was not begun")
            else:
                for path, want, got in _unlike(wanted, found, ""):
                    yield Difference(place, f"{word} of {name}", f"{path}: {want}", f"{path}: {got}")


def _found(step: StepRun, word: str, *, undo: bool) -> Mapping[str, object] | None:
    if step.status in (StepStatus.PENDING, StepStatus.SKIPPED):
        return None
    if word == "outputs":
        return step.output
    return step.undo_rendered if undo else step.rendered


def _unlike(wanted: object, found: object, path: str) -> Iterator[tuple[str, str, str]]:
    """Where `found` is not as wanted. Of mappings, what is not named is not looked at."""
    if not isinstance(wanted, Mapping):
        if not _same(wanted, found):
            yield path, repr(wanted), repr(found)
        return
    if not isinstance(found, Mapping):
        yield path or "all", repr(wanted), repr(found)
        return
    for name, part in wanted.items():
        place = f"{path}.{name}" if path else str(name)
        if name not in found:
            yield place, repr(part), "nothing"
        else:
            yield from _unlike(part, found[name], place)


def _same(wanted: object, found: object) -> bool:
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)):
        return len(wanted) == len(found) and not any(
            True for a, b in zip(wanted, found, strict=True) for _ in _unlike(a, b, "")
        )
    return wanted == found
