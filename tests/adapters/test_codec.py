"""What is written is read back: exactly, by older and newer versions, whatever text it holds."""

import dataclasses
import math
from enum import StrEnum
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.adapters.codec import (
    Undecodable,
    Unencodable,
    decode,
    decode_effect,
    decode_mapping,
    decode_one_of,
    encode,
    encode_mapping,
)
from fireline.domain.effects import Effect, Say, SendPage, Timer, UpdateCard
from fireline.domain.incidents import Attempt, Entry, Incident, Input, Page, RunRef, Status
from fireline.domain.routes import Lease, Route
from fireline.domain.rules import Evidence, Signal
from fireline.domain.runbooks import Run
from fireline.engine.watching import Watch, WatchAnswer

STORED = (Incident, Run, Route, Timer, Entry, Watch, WatchAnswer, Signal)
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.text(max_size=5), JSON_LIKE, max_size=3)
st.register_type_strategy(float, st.floats(allow_nan=False))


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass: an open field holds JSON-like data, the rest what its type allows."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: filled(hints[field.name]) for field in dataclasses.fields(kind)})


def filled(hint: Any) -> st.SearchStrategy[Any]:
    arguments = get_args(hint)
    if dataclasses.is_dataclass(hint):
        return values(hint)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([filled(one) for one in arguments])
    if arguments and arguments[-1] is object:
        return FIELDS
    if get_origin(hint) is tuple and arguments[-1] is Ellipsis:
        return st.lists(filled(arguments[0]), max_size=2).map(tuple)
    if get_origin(hint) is tuple:
        return st.tuples(*(filled(one) for one in arguments))
    if arguments:
        return st.dictionaries(filled(arguments[0]), filled(arguments[1]), max_size=2)
    return st.none() if hint is type(None) else st.from_type(hint)


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_every_stored_value_comes_back_equal(kind: type[Any]) -> None:
    @settings(max_examples=40, deadline=None)
    @given(values(kind))
    def comes_back(value: object) -> None:
        assert decode(kind, encode(value)) == value

    comes_back()


@pytest.mark.parametrize("union", [Effect, Input], ids=["Effect", "Input"])
def test_every_member_of_a_union_comes_back_as_itself(union: Any) -> None:
    kinds = get_args(union)

    @settings(max_examples=60, deadline=None)
    @given(st.one_of([values(kind) for kind in kinds]))
    def comes_back(value: object) -> None:
        found = decode_one_of(kinds, encode(value))
        assert type(found) is type(value)
        assert found == value

    comes_back()


def test_members_with_the_same_fields_are_told_apart() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class One:
        key: str

    @dataclasses.dataclass(frozen=True, slots=True)
    class Other:
        key: str

    assert type(decode_one_of((One, Other), encode(Other("x")))) is Other


def test_other_types_come_back_exactly() -> None:
    class Colour(StrEnum):
        RED = "red"

    @dataclasses.dataclass(frozen=True, slots=True)
    class Odd:
        names: frozenset[str]
        by_colour: dict[Colour, tuple[int, ...]]
        pair: tuple[float, str | None]

    odd = Odd(frozenset({"a", "b"}), {Colour.RED: (1, 2)}, (math.inf, None))
    assert decode(Odd, encode(odd)) == odd


def test_infinity_and_nan_are_kept() -> None:
    evidence = Evidence({"a": math.inf, "b": -math.inf, "c": math.nan, "d": None}, 1, 0.0, 1.0, "", "")
    measures = decode(Evidence, encode(evidence)).measures
    assert (measures["a"], measures["b"], measures["d"]) == (math.inf, -math.inf, None)
    assert math.isnan(measures["c"] or 0.0)
    assert math.isnan(float(str(decode_mapping(encode_mapping({"x": math.nan}))["x"])))


def test_fields_of_a_newer_version_are_ignored_and_missing_ones_take_defaults() -> None:
    newer = b'["RunRef",{"id":1,"runbook":"r","status":"s","colour":"red","more":{"x":[1]}}]'
    assert decode(RunRef, newer) == RunRef(1, "r", "s")
    older = b'["Attempt",{"channel":"slack","address":"U1","state":"sending","at":1.5}]'
    assert decode(Attempt, older) == Attempt("slack", "U1", "sending", 1.5, "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'["Say"]',
        b'["Sing",{}]',
        b'["Say",{"key":"k"}]',
        b'["Say",{"key":1,"incident":1,"channel":"c","address":"a","text":"t"}]',
        b'["UpdateCard",{"key":"k","incident":1,"channel":"c","address":"a","text":"t"}]\xff',
    ],
)
def test_what_is_no_such_value_is_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_effect(data)


def test_another_kind_is_undecodable_though_its_fields_would_fit() -> None:
    with pytest.raises(Undecodable):
        decode(UpdateCard, encode(Say("k", 1, "slack", "C1", "text")))


def test_what_would_not_be_read_back_is_refused_when_it_is_written() -> None:
    with pytest.raises(Unencodable, match="key"):
        encode(Say(5, 1, "slack", "C1", "text"))  # type: ignore[arg-type]  # the fault under test


def test_near_misses_are_written_as_what_they_mean() -> None:
    route = Route("s", MappingProxyType({"a": 100}), 1, 1, "x", "y", Lease(1, {"a": 1}, "h"))
    assert decode(Route, encode(route)) == Route("s", {"a": 100}, 1, 1.0, "x", "y", Lease(1.0, {"a": 1}, "h"))
    assert decode(RunRef, encode(RunRef(1, "r", Status.RESOLVED))).status == "resolved"
    entry = Entry(1.0, "k", "a", "t", {"set": {1}, "tuple": (1, 2), "proxy": MappingProxyType({"a": 1}), "odd": 1j})
    assert decode(Entry, encode(entry)).data == {"set": [1], "tuple": [1, 2], "proxy": {"a": 1}, "odd": "1j"}


def test_lone_surrogates_are_replaced() -> None:
    assert decode(Say, encode(Say("k", 1, "c", "a", "x\ud800y"))).text == "x?y"
    assert list(decode_mapping(encode_mapping({"\ud800": "\udfff"})).values()) == ["?"]


def test_a_row_reads_without_the_program() -> None:
    tag, fields = orjson.loads(encode(SendPage("page:1", 7, 1, "ann", "slack", "U1")))
    assert tag == "SendPage"
    assert fields == {
        "key": "page:1",
        "incident": 7,
        "page": 1,
        "person": "ann",
        "channel": "slack",
        "address": "U1",
    }


def test_no_stored_dataclass_holds_an_untagged_union_of_dataclasses() -> None:
    """The tag is on the outermost value only; an inner union would have to be told apart by its fields."""
    waiting: list[Any] = [*STORED, *get_args(Effect), *get_args(Input), Page]
    known: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if kind in known or not dataclasses.is_dataclass(kind):
            continue
        known.add(kind)
        for hint in get_type_hints(kind).values():
            members = [one for one in _parts(hint) if dataclasses.is_dataclass(one)]
            if get_origin(hint) in (Union, UnionType):
                assert len(members) <= 1, f"{kind} holds {hint}"
            waiting.extend(members)


def _parts(hint: Any) -> list[Any]:
    return [hint, *(part for inner in get_args(hint) for part in _parts(inner))]
