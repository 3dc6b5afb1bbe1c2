"""Audit: who did what, when and through what, before and after, in one keyed chain that shows any tampering.

An entry's mac is HMAC-SHA256 over the mac before it, its number, the name of its key and its act as canonical JSON, so
that nobody without the key can change, remove, add or move one. What is cut off at the end leaves a chain that holds:
checkpoints kept elsewhere (`Checkpoint`) show that.
"""

import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

START = "0" * 64
"""The mac before the first entry."""
BLOT = "[secret]"
"""What stands where a secret was."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done. `actor` is a person's id, or `fireline`; `via` is what it came through (slack, api,
    command line, timer ...); `kind` is `incident.acknowledged` and the like; `subject` is `INC-7`, `route:fraud`,
    `run:12`, `configuration` ...; `before` and `after` are what changed, JSON-like.
    """

    at: float
    actor: str
    via: str
    kind: str
    subject: str
    text: str
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One entry of the chain: its number, the name of its key, what it says as canonical JSON, and its mac (hex)."""

    number: int
    key: str
    body: str
    mac: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are wanted: of whom, about what, from (`since`) and before (`until`), the newest `limit`."""

    actor: str = ""
    subject: str = ""
    since: float | None = None
    until: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys by name; `current` is the name of the one that new entries are sealed with."""

    current: str
    secrets: Mapping[str, bytes]

    @classmethod
    def of(cls, secrets: Sequence[str]) -> "Keys":
        """The first of `secrets` seals, the others still verify; without any there is no protection."""
        held = [secret.encode() for secret in secrets if secret] or [b""]
        return cls(name_of(held[0]), {name_of(secret): secret for secret in held})


def name_of(secret: bytes) -> str:
    """The name of a key, which gives nothing of it away: twelve hexadecimal digits."""
    return hashlib.sha256(b"name of a key of Fireline's audit\n" + secret).hexdigest()[:12]


def canonical(value: object) -> str:
    """The one way that a JSON-like value is written: keys in order, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def seal(act: Mapping[str, object], number: int, previous: str, keys: Keys) -> Sealed:
    """The entry after the one whose mac is `previous`."""
    return seal_text(canonical(act), number, previous, keys)


def seal_text(body: str, number: int, previous: str, keys: Keys) -> Sealed:
    """The same of an act as canonical JSON."""
    return Sealed(number, keys.current, body, mac_of(number, keys.current, body, previous, keys.secrets[keys.current]))


def mac_of(number: int, key: str, body: str, previous: str, secret: bytes) -> str:
    """The mac of an entry, in hexadecimal."""
    return hmac.new(secret, f"{previous}\n{number}\n{key}\n{body}".encode(), hashlib.sha256).hexdigest()


def digest(data: bytes) -> str:
    """How an entry names bytes that are kept elsewhere: SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the chain went at `at`: kept outside the database. `chain` is the mac of the chain's first entry."""

    at: float
    database: str  # which one, as a digest of its address
    chain: str
    number: int
    mac: str
    key: str
    seal: str = ""

    def sealed(self, keys: Keys) -> "Checkpoint":
        """The same with its seal, by the current key."""
        named = replace(self, key=keys.current)
        return replace(named, seal=signed(named._said(), keys.current, keys))

    def holds(self, keys: Keys) -> bool:
        """Whether its seal is one of ours."""
        return is_signed(self._said(), self.key, self.seal, keys)

    def _said(self) -> list[object]:
        return ["checkpoint", self.at, self.database, self.chain, self.number, self.mac, self.key]


def signed(value: object, key: str, keys: Keys) -> str:
    """The signature of a JSON-like value by the key of this name, in hexadecimal."""
    return hmac.new(keys.secrets[key], canonical(value).encode(), hashlib.sha256).hexdigest()


def is_signed(value: object, key: str, signature: str, keys: Keys) -> bool:
    """Whether the signature is one of a key of ours."""
    return key in keys.secrets and hmac.compare_digest(signed(value, key, keys).encode(), signature.encode())


def changes(before: object, after: object) -> tuple[dict[str, object], dict[str, object]]:
    """What differs between two values, JSON-like: fields of dataclasses, keys of mappings, places of lists by number.

    What is the same is left out on both sides; a value that was not there (None) has no `before`.
    """
    old, new = _parts(before), _parts(after)
    was: dict[str, object] = {}
    now: dict[str, object] = {}
    for name in [*old, *(name for name in new if name not in old)]:
        one, other = old.get(name), new.get(name)
        if one is other or one == other:  # the most of an incident is the very same after a decision
            continue
        if _nests(one) and _nests(other):
            was[name], now[name] = changes(one, other)
            continue
        if name in old:
            was[name] = plain(one)
        if name in new:
            now[name] = plain(other)
    return was, now


def _nests(value: object) -> bool:
    return _names(value) is not None or isinstance(value, Mapping | list | tuple)


def _names(value: object) -> tuple[str, ...] | None:
    """The names of the fields of a dataclass; None of anything else."""
    kind: Any = type(value)
    return _names_of(kind)


@cache
def _names_of(kind: Any) -> tuple[str, ...] | None:
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else None


def _parts(value: object) -> dict[str, object]:
    if (names := _names(value)) is not None:
        return {name: getattr(value, name) for name in names}
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, list | tuple):
        return {str(place): part for place, part in enumerate(value)}
    return {} if value is None else {"value": value}


def plain(value: object) -> object:
    """A value as JSON can say it: dataclasses as objects, what JSON does not know as its text."""
    kind: Any = type(value)
    if kind in _SAID_AS_THEY_ARE:
        return value
    if kind is tuple or kind is list:
        return [plain(part) for part in value]  # type: ignore[attr-defined]  # its exact type is known
    if (names := _names_of(kind)) is not None:
        return {name: plain(getattr(value, name)) for name in names}
    return _plain_of_others(value)


def _plain_of_others(value: object) -> object:
    match value:
        case Enum():
            found = plain(value.value)
        case str() | int():
            found = value
        case float():
            found = value if math.isfinite(value) else str(value)
        case list() | tuple():
            found = [plain(part) for part in value]
        case set() | frozenset():
            found = sorted((plain(part) for part in value), key=str)
        case Mapping():
            found = {str(key): plain(part) for key, part in value.items()}
        case _:
            found = str(value)
    return found


_SAID_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
"""The types of most parts of an act, told apart from the rest in one look."""


class Blots:
    """Takes known secrets out of what is put down."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        held = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, held))) if held else None
        written = "|".join(re.escape(canonical(secret)[1:-1]) for secret in held)
        self._in_json = re.compile(written) if held else None

    def written(self, act: Act, timeline: Mapping[str, str]) -> tuple[dict[str, object], str]:
        """What an entry says (`body_of`) without them, and that as canonical JSON.

        What decisions put down is plain as it comes and most of it has no secret, which the JSON as a whole tells.
        """
        body = {**_parts(act), "timeline": timeline} if timeline else _parts(act)
        try:
            text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        except (TypeError, ValueError):
            text = canonical(body := body_of(act, timeline))
        if self._in_json is None or self._in_json.search(text) is None:
            return body, text
        clean = self.out_of(body_of(act, timeline))
        return clean, canonical(clean)

    def out_of(self, value: Any) -> Any:
        """The JSON-like value without them, in keys as in texts."""
        if self._found is None:
            return value
        if isinstance(value, str):
            return self._found.sub(BLOT, value)
        if isinstance(value, dict):
            return {self.out_of(name): self.out_of(part) for name, part in value.items()}
        return [self.out_of(part) for part in value] if isinstance(value, list) else value


def body_of(act: Act, timeline: Mapping[str, str] | None = None) -> dict[str, object]:
    """What an entry says: the act, and the digests of the lines of timelines that were written with it."""
    said = {**_parts(act), "before": plain(act.before), "after": plain(act.after)}
    return {**said, "timeline": dict(timeline)} if timeline else said
