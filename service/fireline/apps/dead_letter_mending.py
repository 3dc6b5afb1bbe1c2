"""Mending: what a command line or an edited file does to a dead letter before it is sent again. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fireline.apps.dead_letter_shapes import NOT_JSON, bytes_of, parsed, unheld
from fireline.apps.dead_letters import Letter
from fireline.apps.faults import Refused

AsOf = Literal["record", "arrival", "now"]
"""What the event's time is to be: as it says, when it came to Kafka, or now."""


class CannotMend(Exception):  # noqa: N818 - an answer about one letter
    """An edit does not fit a letter; the text says why."""


@dataclass(frozen=True, slots=True)
class Set:
    """Put `value` at `path`; what is on the way is made."""

    path: str
    value: object


@dataclass(frozen=True, slots=True)
class Unset:
    """Take `path` out; nothing happens where it is absent."""

    path: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Move what is at `path` to `to`; nothing happens where it is absent."""

    path: str
    to: str


Edit = Set | Unset | Rename


@dataclass(frozen=True, slots=True)
class Mended:
    """What is to be sent: the original record with its changes. `timestamp` is in seconds since the epoch."""

    letter: Letter
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: float

    @property
    def changed(self) -> bool:
        """Whether anything is not as it came."""
        letter = self.letter
        return (self.value, self.key, self.headers) != (letter.value, letter.key, letter.headers)


def edits_of(renames: Sequence[str], unsets: Sequence[str], sets: Sequence[str]) -> tuple[Edit, ...]:
    """What the options say, in the order in which they are done: renames, then unsets, then sets. Raises Refused."""
    renamed = [Rename(*_pair("--rename", text)) for text in renames]
    put = [Set(path, _typed(value)) for path, value in (_pair("--set", text) for text in sets)]
    if wrong := [path for path in unsets if not path]:
        raise Refused(f"found --unset {wrong[0]!r}; expected the name of a field")
    return (*renamed, *(Unset(path) for path in unsets), *put)


def _pair(option: str, text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not left or not equals or (option == "--rename" and not right):
        raise Refused(f"found {option} {text[:60]!r}; expected {'OLD=NEW' if option == '--rename' else 'FIELD=VALUE'}")
    return left, right


def _typed(text: str) -> object:
    """JSON where it is JSON, otherwise the text itself: `5` is a number, `"5"` and `five` are texts."""
    found = parsed(text.encode("utf-8", "replace"))
    return text if found is NOT_JSON else found


def mend(letter: Letter, edits: Sequence[Edit], as_of: AsOf, now: float) -> Mended:
    """The letter with the edits done; raises CannotMend when its value has no fields to edit.

    With `as_of` the event's time is set, and for `now` the record's time as well.
    """
    timestamp = now if as_of == "now" else letter.timestamp
    value = edited(letter.value, edits) if edits else letter.value
    if as_of != "record":
        value = edited(value, [Set(_time_path(value), round(timestamp, 3))])
    return Mended(letter, value, letter.key, letter.headers, timestamp)


def _time_path(value: bytes | None) -> str:
    """Where formats look for an event's time first: beside its fields, which a CloudEvent has in `data`."""
    body = parsed(value)
    return "data.ts" if isinstance(body, dict) and "specversion" in body else "ts"


def edited(value: bytes | None, edits: Sequence[Edit]) -> bytes | None:
    """A JSON object with the edits done; the very bytes when they change nothing. Raises CannotMend."""
    body = parsed(value)
    if not isinstance(body, dict):
        raise CannotMend(
            "its value is no JSON object, so it has no fields; "
            "edit its line of `fireline dead-letter ls --json` and give it with --from-file"
        )
    before = json.dumps(body)
    for edit in edits:
        _do(body, edit)
    return value if json.dumps(body) == before else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _do(body: dict[str, object], edit: Edit) -> None:
    match edit:
        case Set(path, value):
            _put(body, path, json.loads(json.dumps(value)))
        case Unset(path):
            for holder, name in _found(body, path):
                _pop(holder, name)
        case Rename(path, to):
            for holder, name in _found(body, path):
                _put(body, to, _pop(holder, name))


def _found(holder: object, path: str) -> Iterator[tuple[dict[str, object] | list[object], str]]:
    """The container and the name in it that a dotted path leads to; a name with dots in it wins over nesting."""
    if (isinstance(holder, dict) and path in holder) or (isinstance(holder, list) and _index(holder, path) is not None):
        yield holder, path
        return
    head, dot, tail = path.partition(".")
    inner = _inner(holder, head)
    if dot and inner is not None:
        yield from _found(inner, tail)


def _index(holder: list[object], name: str) -> int | None:
    return int(name) if name.isdecimal() and len(name) < 9 and int(name) < len(holder) else None


def _inner(holder: object, name: str) -> object:
    if isinstance(holder, dict):
        return holder.get(name)
    if isinstance(holder, list) and (at := _index(holder, name)) is not None:
        return holder[at]
    return None


def _pop(holder: dict[str, object] | list[object], name: str) -> object:
    return holder.pop(name) if isinstance(holder, dict) else holder.pop(int(name))


def _put(body: dict[str, object], path: str, value: object) -> None:
    for holder, name in _found(body, path):
        if isinstance(holder, dict):
            holder[name] = value
        else:
            holder[int(name)] = value
        return
    holder_: object = body
    *way, last = path.split(".")
    for name in way:
        inner = _inner(holder_, name)
        if isinstance(holder_, dict) and not isinstance(inner, dict | list):
            if inner is not None:
                raise CannotMend(f"`{path}` leads through `{name}`, which is no object")
            inner = holder_[name] = {}
        holder_ = inner
    if not isinstance(holder_, dict):
        raise CannotMend(f"`{path}` leads into a list at a place that it does not have")
    holder_[last] = value


def from_line(letter: Letter, line: Mapping[str, object]) -> Mended:
    """The letter as an edited line of `ls --json` wants it: value, key and headers. Raises CannotMend."""
    try:
        key = unheld(line["key"]) if "key" in line else letter.key
        return Mended(letter, bytes_of(line, letter.value), key, _headers(line, letter), letter.timestamp)
    except (ValueError, TypeError) as fault:
        raise CannotMend(f"its line in the file cannot be used: {fault}") from fault


def _headers(line: Mapping[str, object], letter: Letter) -> tuple[tuple[str, bytes], ...]:
    held = line.get("headers")
    if held is None:
        return letter.headers
    if not isinstance(held, list):
        raise ValueError('found headers that are no list; expected [["name", "value"], ...]')
    return tuple((str(name), unheld(value) or b"") for name, value in held)


def then(mended: Mended, edits: Sequence[Edit], as_of: AsOf, now: float) -> Mended:
    """What a file mended, edited further as the options say. Raises CannotMend."""
    again = mend(replace(mended.letter, value=mended.value), edits, as_of, now)
    return replace(mended, value=again.value, timestamp=again.timestamp)
