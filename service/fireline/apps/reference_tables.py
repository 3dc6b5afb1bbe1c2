"""Tables of options in Markdown, from the pydantic models that check them: name, type, default, meaning."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, get_args

from pydantic import BaseModel

from fireline.spec.durations import PATTERN, written

Schema = Mapping[str, Any]  # Any: JSON Schema is what it is
NOTHING = "-"
_PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}
_FORMATS = {"date": "date", "password": "secret", "path": "path"}
# a fault says how a missing value looks; a reader of the reference wants to know what it is for
_MEANINGS = {
    ("RuleForm", "on"): "the kind of event that is read",
    ("RuleForm", "window"): "the stretch of event time that is judged, such as `1m`",
    ("NoDataForm", "after"): "silence for so long, such as `5m`",
    ("NoDataForm", "severity"): "the level that then fires",
    ("ExpectForm", "state"): "the verdict",
    ("BudgetForm", "runs"): "at most so many runs",
    ("BudgetForm", "per"): "in so long, such as `1h`",
    ("PolicyLevelForm", "targets"): "who is asked together: `schedule:ID`, `person:ID` or `team:ID`",
    ("PolicyLevelForm", "wait"): "how long one of them has to acknowledge, such as `5m`",
    ("RestrictionForm", "end"): "a time of day; at or before `start` it is on the next day",
    ("InputForm", "type"): "what values are accepted",
}


def cell(text: str) -> str:
    """Text as it may stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are escaped here."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(part) for part in line) + " |" for line in lines)


def title_of(model: type[BaseModel]) -> str:
    """How a model is called in headings: `PolicyLevelForm` is a policy level."""
    words = re.findall(r"[A-Z][a-z]*", model.__name__.removesuffix("Form"))
    return " ".join(words).capitalize()


def anchor(title: str) -> str:
    """The place that a heading makes."""
    return title.lower().replace(" ", "-")


def options(model: type[BaseModel]) -> str:
    """The table of a model's fields; a sentence when it has none."""
    rows = list(option_rows(model))
    return table(("option", "type", "default", "meaning"), rows) if rows else "It has no options."


def option_rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and meaning of each field, under the names that are written."""
    names = {nested.__name__: title_of(nested) for nested in nested_models(model)}
    properties = _properties(model.model_json_schema(by_alias=True))
    for name, info in model.model_fields.items():
        written_as = info.alias or name
        schema = properties[written_as]
        default = "required" if info.is_required() else shown(info.get_default(call_default_factory=True), schema)
        meaning = _MEANINGS.get((model.__name__, name), info.description or "")
        yield f"`{written_as}`", type_of(schema, names), default, meaning


def _properties(schema: Schema) -> Schema:
    """The options of an object, also where a text may be written in its place, and of one that holds itself."""
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    either: Schema = next((each for each in schema.get("anyOf", ()) if "properties" in each), {})
    found: Schema = schema.get("properties") or either.get("properties", {})
    return found


def nested_models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models inside a model, each once, in the order in which they are met."""
    found: dict[type[BaseModel], None] = {model: None}
    _gather(model, found)
    return list(found)[1:]


def _gather(model: type[BaseModel], found: dict[type[BaseModel], None]) -> None:
    """Those below a model that were not met yet: one that holds itself is met once."""
    for info in model.model_fields.values():
        for inner in _models_of(info.annotation):
            if inner not in found:
                found[inner] = None
                _gather(inner, found)


def _models_of(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_of(part)


def type_of(schema: Schema, names: Mapping[str, str]) -> str:
    """The type of a value in words; parts that have tables of their own are linked."""
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(type_of(part, names) for part in parts)
    if "$ref" in schema:
        title = names.get(str(schema["$ref"]).rpartition("/")[2])
        return f"[{title.lower()}](#{anchor(title)})" if title else "anything"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    return _plain(schema, names)


def _plain(schema: Schema, names: Mapping[str, str]) -> str:
    kind = schema.get("type")
    if schema.get("pattern") == PATTERN:
        return "duration"
    if isinstance(kind, list):
        return "value or list of values" if "array" in kind else " or ".join(_PLAIN[part] for part in kind)
    if kind == "array" and schema.get("items"):
        return f"list of {type_of(schema['items'], names)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping to {type_of(schema['additionalProperties'], names)}"
    word = _FORMATS.get(str(schema.get("format")), _PLAIN.get(str(kind), "anything"))
    return word + _bounds(schema)


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    said = [f"above {_number(above)}"] if above is not None else []
    said += [f"{_number(low)} to {_number(high)}"] if low is not None and high is not None else []
    said += [f"at least {_number(low)}"] if low is not None and high is None else []
    said += [f"at most {_number(high)}"] if high is not None and low is None else []
    return "".join(f", {part}" for part in said)


def _number(value: float) -> str:
    return f"{value:,.15g}"


def shown(value: object, schema: Schema) -> str:
    """A default as it would be written; a dash for nothing, and for parts with defaults of their own."""
    if value is None or value in ("", [], {}, ()) or isinstance(value, BaseModel):
        return NOTHING
    if isinstance(value, tuple) and isinstance(schema.get("default"), str):
        return f"`{schema['default']}`"
    if isinstance(value, float) and "duration" in type_of(schema, {}):
        return f"`{written(value)}`"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, PurePath | str):
        return f"`{value}`"
    if isinstance(value, Mapping):
        return ", ".join(f"`{name}={part}`" for name, part in value.items())
    return f"`{json.dumps(value, default=str)}`"
