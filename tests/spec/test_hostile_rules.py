"""Rule files that were made by changing the schema's own examples crash nothing; bombs and giants cost nothing."""

import json
import os
import random
import tracemalloc
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fireline.spec.documents import MAX_BYTES, plain, read_document
from fireline.spec.schemas import schemas
from tests.spec.test_hostile import check, loaded_with
from tests.spec.world import RULES

EXAMPLES = 500 if os.environ.get("FIRELINE_FAULTS") == "long" else 60
SCHEMA = schemas()["rules"]
SOUND = plain(read_document("rules", RULES.encode()).root)
WORDS = ["p99", "n", "service", "outage", "metric", "1m", "30", "eu", "", "{{ service }}", "~a", "!b", "\u2028", "é"]
NUMBERS = [0, -1, 1, 0.5, 1e308, 10**30, 20_000]
CONDITIONS = st.recursive(
    st.sampled_from(
        ["p99", "n", "service", "true", "null", "0", "1", "0.5", "'x'", "1e400", "[1, 'a']", "p99.x", "x()"]
    ),
    lambda inner: (
        st.builds(
            "{} {} {}".format,
            inner,
            st.sampled_from(
                ["&&", "||", "<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/", "%", "in", "?", ":", "="]
            ),
            inner,
        )
        | inner.map("({})".format)
        | inner.map("!{}".format)
        | inner.map("-{}".format)
        | st.builds("{} ? {} : {}".format, inner, inner, inner)
        | st.builds("{}.contains({})".format, inner, inner)
        | st.builds("size({})[{}]".format, inner, inner)
    ),
    max_leaves=8,
)


def resolved(schema: dict) -> dict:
    """A schema that is a reference, or one of several, as one that is neither."""
    if "$ref" in schema:
        return resolved(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    kinds = [part for part in schema.get("anyOf", []) if part.get("type") != "null"]
    return resolved(kinds[0]) if kinds else schema


def value_of(schema: dict, rng: random.Random, conditions: list[str], depth: int = 0) -> object:
    """A value that the schema allows, or nearly."""
    schema = resolved(schema)
    if rng.random() < 0.04:
        return rng.choice([None, True, {}, [], *WORDS, *NUMBERS])
    if "enum" in schema or "const" in schema:
        return rng.choice(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "string")
    match rng.choice(kind) if isinstance(kind, list) else kind:
        case "object" if depth < 8:
            return object_of(schema, rng, conditions, depth)
        case "array" if depth < 8:
            return [value_of(schema.get("items", {}), rng, conditions, depth + 1) for _ in range(rng.randrange(3))]
        case "integer" | "number":
            return rng.choice(NUMBERS)
        case "boolean":
            return rng.random() < 0.5
        case _:
            return rng.choice([*WORDS, *schema.get("examples", []), *conditions])


def object_of(schema: dict, rng: random.Random, conditions: list[str], depth: int) -> dict[str, object]:
    named = schema.get("properties", {})
    chosen = [name for name in named if name in schema.get("required", []) or rng.random() < 0.3]
    found = {name: value_of(named[name], rng, conditions, depth + 1) for name in chosen}
    if isinstance(more := schema.get("additionalProperties"), dict):
        found |= {rng.choice(WORDS): value_of(more, rng, conditions, depth + 1) for _ in range(rng.randrange(1, 3))}
    return found


def changed(node: object, rng: random.Random, conditions: list[str]) -> object:
    """A sound file with some of its parts exchanged for others of the schema, dropped, or put elsewhere."""
    roll = rng.random()
    if roll < 0.03:
        return value_of(rng.choice(list(SCHEMA["$defs"].values())), rng, conditions)
    if isinstance(node, dict):
        kept = {key: changed(part, rng, conditions) for key, part in node.items() if rng.random() > 0.01}
        return {**kept, rng.choice(WORDS): rng.choice(list(kept.values()))} if roll < 0.06 and kept else kept
    if isinstance(node, list):
        return [changed(part, rng, conditions) for part in node for _ in range(2 if rng.random() < 0.03 else 1)]
    if isinstance(node, str) and (" > " in node or " < " in node):
        return rng.choice([*conditions, node])
    return rng.choice([*WORDS, *NUMBERS]) if roll < 0.08 else node


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.lists(CONDITIONS, min_size=1, max_size=4), st.booleans())
def test_files_of_the_shape_of_rules(seed: int, conditions: list[str], whole: bool) -> None:
    rng = random.Random(seed)
    data = value_of(SCHEMA, rng, conditions) if whole else changed(SOUND, rng, conditions)
    check(loaded_with("rules/checkout.yaml", json.dumps(data)))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONDITIONS, CONDITIONS)
def test_conditions_of_any_shape(when: str, until: str) -> None:
    level = f"outage: {{when: {json.dumps(when)}, until: {json.dumps(until)}}}"
    text = RULES.partition("      outage:")[0] + f"      {level}\n"
    check(loaded_with("rules/checkout.yaml", text))


def laughs(levels: int) -> str:
    """A file that would be a thousand million texts if aliases were allowed."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


HEAD = RULES.partition("    severity:")[0] + "    severity:\n"
GIANTS = {
    "aliases that multiply": (laughs(10), "anchors and aliases"),
    "merges that multiply": ("rules:\n  - &a {name: x}\n  - {<<: *a, on: metric}\n", "anchors and aliases"),
    "ten megabytes": ("rules:\n" + "  - {name: x}\n" * 800_000, f"at most {MAX_BYTES} are allowed"),
    "ten megabytes in one line": ("x" * 10_000_000, f"at most {MAX_BYTES} are allowed"),
    "nesting": ("rules: " + "[" * 100_000, "nested deeper than"),
    "nesting of mappings": ("rules: " + "{a: " * 60_000, "nested deeper than"),
    "a key many times": ("rules:\n" + "  x: 1\n" * 5_000, "`x` is here twice"),
    "a key of a rule twice": (
        RULES.replace("    window: 1m", "    window: 1m\n    window: 2m"),
        "`window` is here twice",
    ),
    "as many rules as fit": ("rules:\n" + "  - {name: x}\n" * 4_000, "is missing"),
    "brackets in a condition": (HEAD + '      outage: {when: "' + "(" * 1_900 + '"}\n', "nested too deeply"),
    "a chain of conditions": (
        HEAD + '      outage: {when: "' + " && ".join(["(p99 > 1 || n > 1)"] * 90) + '"}\n',
        "",
    ),
    "a condition beyond its length": (
        HEAD + '      outage: {when: "' + "n > 1 && " * 300 + 'n > 2"}\n',
        "at most 2000",
    ),
    "a regular expression": (
        RULES.replace("service: checkout", 'service: "~' + "(" * 5_000 + '"'),
        "regular expression",
    ),
}


@pytest.mark.parametrize("name", sorted(GIANTS))
def test_giants_cost_little(name: str) -> None:
    text, expected = GIANTS[name]
    tracemalloc.start()
    began = process_time()
    try:
        loaded = loaded_with("rules/checkout.yaml", text)
        took, (_, peak) = process_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    check(loaded)
    assert any(expected in problem.message for problem in loaded.problems) or not expected
    assert took < 20, "with the tracing of memory; a few seconds without"
    assert peak < 200e6
