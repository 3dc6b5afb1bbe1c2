"""What `fireline dead-letter` prints: tables, one letter with everything, differences, outcomes."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator

from fireline.apps.dead_letter_marks import Ledger
from fireline.apps.dead_letter_mending import Mended
from fireline.apps.dead_letter_planning import Done, Refuse, Send
from fireline.apps.dead_letter_reasons import explain
from fireline.apps.dead_letter_replay import Outcome, Sent
from fireline.apps.dead_letter_shapes import as_json, escaped, fault_in, pretty, shown_bytes
from fireline.apps.dead_letters import Letter
from fireline.apps.output import instant

HEAD = ("when", "place", "reason", "detail", "bytes", "state")
_BYTES, _DETAIL = 60, 100


def row(letter: Letter, ledger: Ledger) -> tuple[str, ...]:
    """One line of the table."""
    detail = escaped(letter.detail)
    return (
        _when(letter.at),
        escaped(str(letter.place)),
        escaped(letter.reason),
        detail if len(detail) <= _DETAIL else detail[: _DETAIL - 1] + "…",
        shown_bytes(letter.value, _BYTES),
        state(letter, ledger),
    )


def state(letter: Letter, ledger: Ledger) -> str:
    """Whether it waits, was replayed, or cannot be."""
    known = ledger.state(letter.id)
    return "truncated" if known == "open" and letter.truncated is not None else known


def told(letter: Letter, ledger: Ledger) -> dict[str, object]:
    """One line of `ls --json`."""
    return as_json(letter, state(letter, ledger), ledger.done.get(letter.id))


def summary(counts: Counter[str], shown: int, repeats: int, replayed: int) -> str:
    """How many there are for which reasons, and what is not shown."""
    total = sum(counts.values())
    if not total:
        text = "No dead letters"
    else:
        reasons = ", ".join(f"{count} {escaped(reason)}" for reason, count in counts.most_common())
        text = f"{total} dead letter{'s' if total > 1 else ''}: {reasons}"
    hidden = [f"the newest {shown} are shown"] if shown < total else []
    hidden += [f"{replayed} more were replayed (--all shows them)"] if replayed else []
    hidden += [f"{repeats} repeats are left out"] if repeats else []
    return "; ".join([text, *hidden])


def whole(letter: Letter, ledger: Ledger) -> Iterator[str]:
    """Everything about one letter, line by line."""
    explained, sent = explain(letter.reason), ledger.done.get(letter.id)
    yield f"{letter.place} (dead letter {letter.where.partition}@{letter.where.offset})"
    yield f"reason      {escaped(letter.reason)}: {explained.means}"
    yield f"detail      {escaped(letter.detail) or '-'}"
    yield f"what to do  {explained.remedy}"
    if explained.mend:
        yield f"to mend it  {explained.mend}"
    yield f"put aside   {_when(letter.at)}; the record is of {_when(letter.timestamp)}"
    yield f"state       {state(letter, ledger)}" + (f": it is {escaped(sent)} now" if sent else "")
    yield f"key         {shown_bytes(letter.key)}"
    for name, value in letter.headers:
        yield f"header      {escaped(name)}: {shown_bytes(value, 200)}"
    if letter.truncated is not None:
        yield f"truncated   {len(letter.value or b'')} of {letter.truncated} bytes were kept; it cannot be replayed"
    yield f"value       {len(letter.value or b'')} bytes"
    yield from _value(letter)


def _value(letter: Letter) -> Iterator[str]:
    broken = fault_in(letter.value) if letter.value else None
    named = f'"{_named(letter)}":'
    for line in pretty(letter.value):
        yield f"  {'>' if line.lstrip().startswith(named) else ' '} {line}"
    if broken is not None and letter.reason == "not-json":
        yield f"no JSON from line {broken[0]}, column {broken[1]}:"
        for line in broken[2].split("\n"):
            yield f"    {line}"


def _named(letter: Letter) -> str:
    """The field that the detail speaks of, as formats write it between backticks."""
    parts = letter.detail.split("`")
    named = parts[1].rpartition(".")[2] if len(parts) > 2 else ""
    return escaped(named)


def difference(mended: Mended) -> list[str]:
    """What mending changed, as lines of a difference."""
    letter = mended.letter
    lines = list(
        difflib.unified_diff(pretty(letter.value), pretty(mended.value), "as it came", "mended", lineterm="", n=2)
    )
    if mended.key != letter.key:
        lines += [f"-key {shown_bytes(letter.key)}", f"+key {shown_bytes(mended.key)}"]
    for mark, some, others in (("-", letter.headers, mended.headers), ("+", mended.headers, letter.headers)):
        lines += [f"{mark}header {escaped(n)}: {shown_bytes(v, 200)}" for n, v in some if (n, v) not in others]
    if abs(mended.timestamp - letter.timestamp) > 0.001:
        lines += [f"-record's time {_when(letter.timestamp)}", f"+record's time {_when(mended.timestamp)}"]
    return lines


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """One line of `replay --json`."""
    letter = _letter(outcome)
    line: dict[str, object] = {
        "place": str(letter.place),
        "letter": f"{letter.where.partition}@{letter.where.offset}",
        "reason": letter.reason,
    }
    match outcome:
        case Sent(plan, place, before):
            line |= {"outcome": "sent before" if before else "sent", "sent_to": str(place)}
            return line | _left(plan)
        case Send():
            line |= {"outcome": "would be sent", "to": outcome.topic, "difference": difference(outcome.mended)}
            return line | _left(outcome)
        case Refuse(_, why, _):
            return line | {"outcome": "refused", "why": why}
        case Done(_, sent):
            return line | {"outcome": "done", "sent_to": sent}


def _letter(outcome: Outcome) -> Letter:
    return outcome.plan.letter if isinstance(outcome, Sent) else outcome.letter


def _left(plan: Send) -> dict[str, object]:
    faults = [{"reason": reason, "detail": detail} for reason, detail in plan.faults]
    return {"faults": faults, "notes": list(plan.notes)}


def outcome_lines(outcome: Outcome, *, dry: bool) -> Iterable[str]:
    """What a person reads of one letter. Payloads are shown in a dry run only: the output of others ends up in logs."""
    place = escaped(str(_letter(outcome).place))
    match outcome:
        case Sent(plan, target, before):
            found = "had arrived in an earlier run as" if before else "sent as"
            yield f"{place}: {found} {target}"
            yield from (f"  note: {note}" for note in plan.notes)
        case Send():
            yield f"{place}: would be sent to {outcome.topic}"
            yield from (f"  {line}" for line in difference(outcome.mended) or ["(unchanged)"])
            for reason, detail in outcome.faults:
                yield f"  would be put aside again, and is sent by force: {escaped(reason)}: {escaped(detail)}"
            yield from (f"  note: {note}" for note in outcome.notes)
        case Refuse(_, why, mended):
            yield f"{place}: not sent: {escaped(why)}"
            yield from (
                f"  {line}" for line in (difference(mended) if dry and mended is not None and mended.changed else [])
            )
        case Done(_, sent):
            yield f"{place}: was replayed as {escaped(sent)}; --again sends it once more"


def _when(at: float) -> str:
    try:
        return instant(at)
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"
