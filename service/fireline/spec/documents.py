"""Documents: YAML files as trees of nodes that know where they stand.

A safe subset of YAML: no anchors, aliases, tags or duplicate keys, bounded size and depth. Only `true` and `false`
are truth values, so `NO`, `on` and `12:30` stay the texts they look like.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
Path = tuple[str | int, ...]
"""The way from the root of a document to one of its nodes: keys and indexes."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"[-+]?([0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40}|[0-9]{1,40}(?=[eE]))([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Place(NamedTuple):  # a tuple, because there are two in every line of every file
    """A position in a file, both counted from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One plain value; `text` as written, `exact` when its characters stand one by one in the file (no escapes)."""

    place: Place
    value: object
    text: str
    quoted: bool = False
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping; keys are always text, and unique."""

    place: Place
    keys: dict[str, Place]
    nodes: dict[str, "Node"]


Node = Scalar | Items | Entries


@dataclass(frozen=True, slots=True)
class Fault:
    """Something a document may not contain."""

    place: Place
    message: str
    hint: str = ""
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its name, text, tree (None when it cannot be read) and what is wrong with its form."""

    file: str
    text: str
    root: Node | None
    faults: tuple[Fault, ...] = ()

    def node(self, path: Path) -> Node | None:
        """The node at `path`; None when there is none."""
        node = self.root
        for part in path:
            node = _child(node, part)
        return node

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where `path` stands, or the nearest part of it that is there; `key` asks for the key, not the value."""
        while path:
            parent = self.node(path[:-1])
            if key and isinstance(parent, Entries) and path[-1] in parent.keys:
                return parent.keys[str(path[-1])]
            found = _child(parent, path[-1])
            if found is not None:
                return found.place
            path, key = path[:-1], False
        return self.root.place if self.root is not None else START


def plain(node: Node | None) -> object:
    """The tree as dicts, lists and plain values."""
    match node:
        case None:
            return None
        case Scalar():
            return node.value
        case Items():
            return [plain(part) for part in node.nodes]
        case Entries():
            return {key: plain(part) for key, part in node.nodes.items()}


def read_document(file: str, content: bytes) -> Document:
    """Read one file; never raises for what is in it."""
    if len(content) > MAX_BYTES:
        message = f"the file has {len(content)} bytes, at most {MAX_BYTES} are allowed"
        return Document(file, "", None, (Fault(START, message, "split it into several files"),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Document(file, "", None, (_undecodable(content, error.start),))
    root, faults = _composed(text)
    return Document(file, text, root, faults)


@lru_cache(128)
def _composed(text: str) -> tuple[Node | None, tuple[Fault, ...]]:
    """The tree of a text; kept, as of many files that are read anew few have changed."""
    composer = _Composer()
    root = composer.compose(text)
    return root, tuple(composer.faults)


def _undecodable(content: bytes, start: int) -> Fault:
    before = content[:start].decode("utf-8-sig", errors="replace")
    place = Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    return Fault(place, f"the byte 0x{content[start]:02x} is not UTF-8", "save the file with the encoding UTF-8")


def _child(node: Node | None, part: str | int) -> Node | None:
    if isinstance(node, Entries):
        return node.nodes.get(str(part))
    if isinstance(node, Items) and isinstance(part, int) and 0 <= part < len(node.nodes):
        return node.nodes[part]
    return None


class _Stop(Exception):  # noqa: N818 - ends the reading of a file whose rest cannot be understood
    """There is no use in reading on; the fault is noted."""


@dataclass(slots=True)
class _Composer:
    """Builds the tree from YAML events, so that nothing is resolved that is not allowed."""

    faults: list[Fault] = field(default_factory=list)

    def compose(self, text: str) -> Node | None:
        events = yaml.parse(text, Loader=yaml.CSafeLoader)
        try:
            return self._documents(events)
        except _Stop:
            return None
        except yaml.YAMLError as error:
            self.faults.append(_syntax(error, text))
            return None
        except UnicodeEncodeError as error:
            self.faults.append(Fault(START, f"the text cannot be read: {error.reason}"))
            return None

    def _documents(self, events: Iterator[yaml.Event]) -> Node | None:
        root = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._note(event, "a second document begins", "one file holds one document: remove the `---`")
                    raise _Stop
                root = self._node(next(events), events, ())
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Node:
        self._check(event, path)
        place = _place(event)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(place, events, path)
        return self._entries(place, events, path)

    def _items(self, place: Place, events: Iterator[yaml.Event], path: Path) -> Items:
        nodes: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, events, (*path, len(nodes))))
        return Items(place, tuple(nodes))

    def _entries(self, place: Place, events: Iterator[yaml.Event], path: Path) -> Entries:
        keys: dict[str, Place] = {}
        nodes: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._note(event, "a key must be a text", 'put templates in quotes: "{{ ... }}"', path)
                raise _Stop
            self._check(event, path)
            key, key_place = str(event.value), _place(event)
            value = self._node(next(events), events, (*path, key))
            if key in keys:
                first = keys[key].line
                self._note(event, f"`{key}` is here twice; the first is in line {first}", "", (*path, key))
                continue
            keys[key], nodes[key] = key_place, value
        return Entries(place, keys, nodes)

    def _check(self, event: yaml.Event, path: Path) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._note(event, "anchors and aliases (`&`, `*`) are not allowed", _quote_hint(event), path)
            raise _Stop
        if len(path) > MAX_DEPTH:
            self._note(event, f"this is nested deeper than {MAX_DEPTH} levels", "", path)
            raise _Stop
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._note(event, f"the tag `{tag}` is not allowed", _quote_hint(event), path)

    def _note(self, event: yaml.Event, message: str, hint: str = "", path: Path = ()) -> None:
        self.faults.append(Fault(_place(event), message, hint, path))


def _quote_hint(event: yaml.Event) -> str:
    if isinstance(event, yaml.AliasEvent):
        return "write the value out, or put a text that begins with `*` in quotes"
    return "write the value out, or put a text that begins with `&` or `!` in quotes"


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark is not None else START


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    text = str(event.value)
    style = getattr(event, "style", None)
    quoted = style in {"'", '"'}
    start, end = event.start_mark, event.end_mark
    exact = False
    if start is not None and end is not None:
        exact = start.line == end.line and end.column - start.column - (2 if quoted else 0) == len(text)
    value = text if style is not None and style != "" else _value(text)
    return Scalar(place, value, text, quoted, exact)


def _value(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _syntax(error: yaml.YAMLError, text: str) -> Fault:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _unreadable(error, text)
    message, hint = _told(str(error.problem or ""))
    began = error.context_mark if "not closed" in message else None
    mark = began or error.problem_mark
    return Fault(Place(mark.line + 1, mark.column + 1), message, hint)


def _unreadable(error: yaml.YAMLError, text: str) -> Fault:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if found is None:
        return Fault(START, f"the file cannot be read: {error}")
    before = text[: found.start()]
    place = Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    return Fault(place, f"the character U+{ord(found[0]):04X} is not allowed", "remove it, or write it as an escape")


def _told(problem: str) -> tuple[str, str]:
    """YAML's words for a fault in words that say what to do."""
    known = (
        ("character that cannot start any token", "this character cannot begin a value", _START_HINT),
        ("mapping values are not allowed", "a `:` is not expected here", 'put a text that holds ": " in quotes'),
        ("could not find expected ':'", "a `:` is missing after a key", "a line is `key: value` or `- value`"),
        ("did not find expected key", "a key was expected here", "look at the indentation of this line and the last"),
        (
            "did not find expected '-' indicator",
            "a `- ` was expected here",
            "entries of a list begin in one column, and the keys of an entry too",
        ),
        ("did not find expected ',' or ']'", "the list `[` is not closed", "write a `,` or the closing `]`"),
        ("did not find expected ',' or '}'", "the mapping `{` is not closed", "write a `,` or the closing `}`"),
        ("found unexpected end of stream", "a quoted text is not closed", "write the closing quote"),
        ("found unknown escape character", "an unknown escape in a text", r"write `\\` for a backslash"),
        ("expected alphabetic or numeric", "a name was expected here", "put a text that begins with * or & in quotes"),
        ("found a tab character", "a tab is used for indentation", "indent with spaces"),
        (
            "did not find expected node content",
            "a value was expected here",
            "put a text with such characters in quotes",
        ),
        ("found undefined tag handle", "a tag is not allowed here", "put a text that begins with `!` in quotes"),
    )
    for words, message, hint in known:
        if words in problem:
            return message, hint
    return f"this is not valid YAML: {problem}", ""


_START_HINT = "indent with spaces, not tabs, and put texts that begin with one of @ ` % in quotes"
