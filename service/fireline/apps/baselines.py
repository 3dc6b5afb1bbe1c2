"""`fireline baseline`: build what drift is measured from, look at it, and compare recorded events with it."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fireline.apps import baseline_tables
from fireline.apps.backtest_files import STDIN, Heard, Input, Rows, blocks, inputs_of, sizes
from fireline.apps.backtest_labels import instant_of
from fireline.apps.baseline_figures import Figures, figures_of
from fireline.apps.baseline_files import Baseline, Field, digest, field_from, read, written
from fireline.apps.baseline_sketches import KINDS, NUMERIC, Selection, Sketch, names_in, put
from fireline.apps.bootstrap import settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import err, say
from fireline.domain.durations import positive_seconds
from fireline.domain.events import Kind
from fireline.spec.baselines import FOLDER
from fireline.spec.findings import suggestion

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MOST_FIELDS = 100
_MOST_ROWS = 10_000
_FEW = 1000
_FEW_KINDS = 20
_NARROW = 2 + 2 * 12
_NONE = "no event was chosen; look at --on, --where, --from and --to"


@dataclass(frozen=True, slots=True)
class Given:
    """Which events the command line names: files, their kind and labels, and between which times."""

    events: Sequence[str]
    on: str | None = None
    where: Sequence[str] = ()
    between: tuple[str | None, str | None] = (None, None)
    names: Sequence[str] = ()
    labels: Sequence[str] = ()


def build(given: Given, *, name: str, fields: str, origins: Sequence[str], rules: Path | None, replace: bool) -> int:
    """Write `rules/baselines/NAME.json`; 0 when it is there. Raises Refused."""
    if not _NAME.fullmatch(name):
        raise Refused(f"found {name!r}; expected a name of letters, digits, `_`, `-` and `.`")
    wanted, selection = _fields(fields, origins), _selection(given, Selection(Kind.METRIC))
    heard, inputs = Heard(), inputs_of(given.events, given.names)
    chosen = _chosen(_read(given, inputs, heard), selection, wanted)
    _tell_bad(heard)
    _check(chosen)
    baseline = Baseline(
        name,
        selection,
        chosen.first,
        chosen.last,
        [{"file": each.label, "sha256": None if str(each.path) == STDIN else digest(each.path)} for each in inputs],
        heard.bad,
        _words(given, name, fields, origins, inputs),
        {key: field_from(sketch) for key, sketch in chosen.fields.items()},
    )
    path = settings_with(rules).rules / FOLDER / f"{name}.json"
    _write(path, written(baseline), replace)
    say(f"{path.as_posix()}: {chosen.events} events, {len(chosen.fields)} fields", "green", to=err())
    for key, sketch in chosen.fields.items():
        _advise(key, sketch)
    return 0


@dataclass(slots=True)
class _Chosen:
    """What was chosen of the events so far: how many, from when to when, the names of their fields, the sketches."""

    fields: Mapping[str, Sketch]
    events: int = 0
    first: float = float("inf")
    last: float = float("-inf")
    seen: dict[str, None] = field(default_factory=dict)


def _chosen(blocks_of_rows: Iterator[Rows], selection: Selection, fields: Mapping[str, Sketch]) -> _Chosen:
    found = _Chosen(fields)
    for rows in blocks_of_rows:
        mine = selection.of(rows)
        put(fields, mine)
        names_in(mine, found.seen)
        times = [at for _, at, _ in mine]
        found.events += len(mine)
        found.first, found.last = min([found.first, *times]), max([found.last, *times])
    return found


def _fields(text: str, origins: Sequence[str]) -> dict[str, Sketch]:
    starts, found = _origins(origins), dict[str, Sketch]()
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, colon, kind = word.rpartition(":")
        if colon and kind not in KINDS:
            raise Refused(f"found the kind {kind!r} in --fields; expected {' or '.join(KINDS)}")
        key = name if colon else word
        found[key] = Sketch(kind if colon else None, starts.pop(key, 0.0))
    if starts:
        raise Refused(f"found --origin of {next(iter(starts))!r}, which is not in --fields")
    if not 0 < len(found) <= _MOST_FIELDS:
        raise Refused(f"found {len(found)} fields in --fields; expected 1 to {_MOST_FIELDS}, such as amount,country")
    return found


def _origins(texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for name, values in _pairs("--origin", texts).items():
        try:
            found[name] = float(values[-1])
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise Refused(f"found --origin {name}={values[-1]}; expected a number")
    return found


def _selection(given: Given, otherwise: Selection) -> Selection:
    if given.on is not None and given.on not in {kind.value for kind in Kind}:
        raise Refused(f"found --on {given.on!r}; expected one of {', '.join(kind.value for kind in Kind)}")
    where = _pairs("--where", given.where)
    return Selection(Kind(given.on) if given.on else otherwise.on, where or otherwise.where)


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Refused(f"found {flag} {text!r}; expected key=value")
        found.setdefault(key, []).append(value)
    return found


def _between(given: Given) -> tuple[float, float]:
    ends = []
    for flag, text, otherwise in zip(("--from", "--to"), given.between, (float("-inf"), float("inf")), strict=True):
        at = otherwise if text is None else instant_of(text)
        if at is None:
            raise Refused(f"found {flag} {text!r}; expected a date, or a time such as 2026-03-01T08:00:00+01:00")
        ends.append(at)
    return ends[0], ends[1]


def _read(given: Given, inputs: Sequence[Input], heard: Heard) -> Iterator[Rows]:
    """The events in blocks, with a bar on a terminal."""
    labels = {key: values[-1] for key, values in _pairs("--label", given.labels).items()}
    with ExitStack() as stack:
        shown = _bar(inputs, heard, stack)
        events = 0
        for rows in blocks(inputs, labels, heard, _between(given)):
            yield rows
            events += len(rows)
            shown(events)


def _bar(inputs: Sequence[Input], heard: Heard, stack: ExitStack) -> Callable[[int], None]:
    console = err()
    if not console.is_terminal:
        return lambda events: None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = stack.enter_context(Progress(*columns, console=console, transient=True))
    task = bar.add_task("Reading", total=sizes(inputs) or None)

    def show(events: int) -> None:
        bar.update(task, completed=sum(heard.read.values()), description=f"{events:,} events")

    return show


def _tell_bad(heard: Heard) -> None:
    for label, bad in heard.told:
        say(f"{label}:{bad.line}: {bad.reason}", to=err())
    if heard.bad:
        say(f"{heard.bad} lines were no events and are left out", "yellow", to=err())


def _check(chosen: _Chosen) -> None:
    if not chosen.events:
        raise Refused(_NONE)
    for name, sketch in chosen.fields.items():
        if not sketch.count:
            kind = f" as {sketch.kind}" if sketch.kind else ""
            raise Refused(f"none of {sketch.events} events has `{name}`{kind}; {suggestion(name, chosen.seen)}")


def _words(given: Given, name: str, fields: str, origins: Sequence[str], inputs: Sequence[Input]) -> str:
    """The command that builds it, without the places of files."""
    files = [STDIN if str(each.path) == STDIN else each.label for each in inputs]
    words = ["fireline baseline build", name, *files, f"--on {given.on}"]
    words += [f"--where {text}" for text in given.where]
    words += [f"--fields {fields}", *(f"--origin {text}" for text in origins)]
    words += [*(f"--name {text}" for text in given.names), *(f"--label {text}" for text in given.labels)]
    words += [f"{flag} {text}" for flag, text in zip(("--from", "--to"), given.between, strict=True) if text]
    return " ".join(words)


def _write(path: Path, text: str, replace: bool) -> None:
    try:
        if path.exists() and not replace and path.read_text(encoding="utf-8") != text:
            raise Refused(f"{path.as_posix()} is there and differs; rules stand on it: give --replace, or another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".json.new")
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    except OSError as fault:
        raise Refused(f"{path.as_posix()} cannot be written: {fault.strerror or fault}") from fault


def _advise(name: str, sketch: Sketch) -> None:
    """Say what a person may not have meant."""
    if sketch.count < _FEW:
        say(f"`{name}`: {sketch.count} values are few; chance alone will look like drift", "yellow", to=err())
    if sketch.decided == NUMERIC and sketch.texts:
        say(f"`{name}` is numeric: {sketch.texts} texts or truth values are left out", "yellow", to=err())
    different = len(sketch.categories["counts"]) if sketch.categories else 0
    if sketch.decided == NUMERIC and different == 1:
        say(f"`{name}` never varies: any other value will be drift, and `normed` has no value", "yellow", to=err())
    elif sketch.decided == NUMERIC and len(sketch.numbers) < _NARROW and different > _FEW_KINDS:
        middle = (sketch.numbers[0] + sketch.numbers[1]) / 2 + sketch.origin
        words = f"`{name}`: values lie too close together to be told apart well; --origin {name}={middle:.3g} helps"
        say(words, "yellow", to=err())
    elif sketch.kind is None and sketch.decided == NUMERIC and different <= _FEW_KINDS:
        words = f"`{name}` holds {different} different numbers; `{name}:categorical` compares them one by one"
        say(words, "yellow", to=err())


def show(name: str, *, rules: Path | None, as_json: bool) -> int:
    """Tell what a baseline holds. Raises Refused."""
    baseline_tables.show(read(settings_with(rules).rules, name), as_json=as_json)
    return 0


def compare(
    given: Given, *, name: str, rules: Path | None, every: str | None, bins: int, least: int, as_json: bool
) -> int:
    """Tell how far events are from a baseline, field by field, and stretch by stretch. Raises Refused."""
    baseline = read(settings_with(rules).rules, name)
    selection, size = _selection(given, baseline.selection), _size(every)
    heard, fields = Heard(), baseline.fields
    stretches: dict[float, dict[str, Sketch]] = {}
    for rows in _read(given, inputs_of(given.events, given.names), heard):
        for start, some in _cut(selection.of(rows), size).items():
            put(stretches.setdefault(start, _alike(fields)), some)
            if len(stretches) * len(fields) > _MOST_ROWS:
                raise Refused(f"there would be more than {_MOST_ROWS} lines; give a longer --every")
    _tell_bad(heard)
    if not stretches:
        raise Refused(_NONE)
    asked = {"bins": bins, "min_count": least}
    found: list[Figures] = [
        figures_of(each, start, fields[each], sketch, asked)
        for start, some in sorted(stretches.items())
        for each, sketch in some.items()
    ]
    baseline_tables.compared(found, by_time=size is not None, as_json=as_json)
    return 0


def _alike(fields: Mapping[str, Field]) -> dict[str, Sketch]:
    return {name: Sketch(each.kind, each.origin) for name, each in fields.items()}


def _size(every: str | None) -> float | None:
    try:
        return None if every is None else positive_seconds(every)
    except ValueError as fault:
        raise Refused(f"--every: {fault}") from fault


def _cut(rows: Rows, size: float | None) -> Mapping[float, Rows]:
    """The events by the stretch of time that they are in; all in one without a size."""
    if size is None:
        return {0.0: rows} if rows else {}
    found: dict[float, Rows] = {}
    for row in rows:
        found.setdefault(row[1] // size * size, []).append(row)
    return found
