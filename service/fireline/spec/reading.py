"""Reading: a document's tree into a pydantic model, or each of its faults with place, found, expected and a hint."""

import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from fireline.spec import codes
from fireline.spec.documents import Document, Entries, Items, Node, Path, Scalar, plain
from fireline.spec.findings import Findings, suggestion


class Part(BaseModel):
    """A mapping of a YAML file: unknown keys are faults, and values keep the type that they were written with.

    `later` are keys that will be known one day, with what to do until then; `elsewhere` keys of other tools, with what
    is written here instead. A model is built when a file of its kind is first read (`defer_build`): no command reads
    all kinds.
    """

    later: ClassVar[Mapping[str, str]] = {}
    elsewhere: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False, defer_build=True)


def label(value: object) -> str:
    """Labels are compared as texts: `14` and `true` stand for the texts they look like."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError("a text or a number was expected; write `{LABEL: VALUE}`")


def _name(value: str) -> str:
    if not value or len(value) > 100 or not all(c.isalnum() or c in "_-./:" for c in value):
        raise ValueError("a name has 1 to 100 letters, digits or `_ - . / :`")
    return value


def _identifier(value: str) -> str:
    if not value.isidentifier() or not value.isascii():
        said = f"`{value[:40]}` is not a name that expressions can use: letters, digits and `_`"
        raise ValueError(f"{said}; write `{_usable(value)}`")
    return value


def _usable(value: str) -> str:
    """The nearest name that expressions can use."""
    word = re.sub(r"[^a-z0-9]+", "_", value[:40].lower()).strip("_")
    return f"_{word}" if not word or word[0].isdigit() else word


Label = Annotated[str, BeforeValidator(label), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Name = Annotated[str, AfterValidator(_name)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Text = Annotated[str, AfterValidator(lambda value: value.strip())]
Model = TypeVar("Model", bound=BaseModel)


def read_model(document: Document, model: type[Model], findings: Findings, path: Path = ()) -> Model | None:
    """The node at `path` as a `model`; None when it has faults, all of which are noted."""
    node = document.node(path)
    return validated(document, model, plain(node), findings, path)


def validated(
    document: Document,
    model: type[Model],
    data: object,
    findings: Findings,
    path: Path = (),
    *,
    skip: Callable[[Path], bool] | None = None,
) -> Model | None:
    """`data`, read from `path` of the document, as a `model`; None when it has faults.

    `skip` tells of which places a value is not known yet: what is wrong with it there is no fault.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            known = detail["type"] in {"missing", "extra_forbidden"}
            if known or skip is None or not skip(_located(document, path, detail["loc"])):
                _note(document, model, detail, findings, path)
        return None


def _note(document: Document, model: type[BaseModel], detail: ErrorDetails, findings: Findings, path: Path) -> None:
    of_key = detail["loc"][-1:] == (_OF_KEY,)
    loc = _located(document, path, detail["loc"][:-1] if of_key else detail["loc"])
    match detail["type"]:
        case "missing":
            name = str(loc[-1])
            findings.error(
                document, loc[:-1], f"`{name}` is missing", _described(model, detail["loc"]), code=codes.MISSING
            )
        case "extra_forbidden":
            _note_unknown(document, loc, _model_at(model, detail["loc"][:-1]), findings)
        case "value_error":
            message, hint = _split(str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"])
            code = codes.DURATION if "duration" in message else codes.WRONG_VALUE
            findings.error(document, loc, message, hint, key=of_key, code=code)
        case "literal_error" | "enum":
            _note_choice(document, loc, detail, findings)
        case kind:
            found = _found(document.node(loc))
            message = f"{_expected(kind, detail)} was expected, found {found}"
            hint = _hint(kind, found) or _written(kind, _model_at(model, detail["loc"]))
            if kind in {"less_than", "less_than_equal"} and 1 in detail.get("ctx", {}).values():
                hint = "it is a share: 99 % is 0.99"
            if kind == "string_pattern_mismatch":
                hint = _described(model, detail["loc"])
            findings.error(document, loc, message, hint, code=codes.WRONG_VALUE)


def _note_unknown(document: Document, loc: Path, owner: type[BaseModel] | None, findings: Findings) -> None:
    key = str(loc[-1])
    if owner is not None and issubclass(owner, Part) and key in owner.later:
        findings.error(
            document, loc, f"`{key}` is not supported yet", owner.later[key], key=True, code=codes.UNKNOWN_FIELD
        )
        return
    known = [info.alias or name for name, info in owner.model_fields.items()] if owner else []
    message = f"`{key}` is not known here"
    meant = owner.elsewhere.get(key, "") if owner is not None and issubclass(owner, Part) else ""
    findings.error(document, loc, message, meant or suggestion(key, known), key=True, code=codes.UNKNOWN_FIELD)


def _note_choice(document: Document, loc: Path, detail: ErrorDetails, findings: Findings) -> None:
    choices = _choices(str(detail.get("ctx", {}).get("expected", "")))
    found = _found(document.node(loc))
    findings.error(
        document,
        loc,
        f"one of {', '.join(choices)} was expected, found {found}",
        suggestion(str(detail["input"]), choices) if isinstance(detail["input"], str) else "",
        code=codes.WRONG_VALUE,
    )


def _choices(expected: str) -> list[str]:
    return [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(", ") if word.strip()]


def _split(message: str) -> tuple[str, str]:
    message, _, hint = message.partition("; ")
    return message, hint


def _located(document: Document, path: Path, loc: tuple[int | str, ...]) -> Path:
    """The part of pydantic's location that is in the document: tags of unions and validators are left out."""
    found: list[int | str] = []
    for count, part in enumerate(loc):
        node = document.node((*path, *found))
        last = count == len(loc) - 1
        if isinstance(node, Entries) and (part in node.nodes or last):
            found.append(str(part))
        elif isinstance(node, Items) and isinstance(part, int):
            found.append(part)
    return (*path, *found)


_OF_KEY = "[key]"
"""How pydantic ends the location of a key of a mapping."""

_TYPES = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "too_short": "a list or mapping that is not empty",
    "finite_number": "a finite number",
}
_LIMITS = {
    "greater_than": ("gt", "a number above"),
    "greater_than_equal": ("ge", "a number of at least"),
    "less_than": ("lt", "a number below"),
    "less_than_equal": ("le", "a number of at most"),
}


def _expected(kind: str, detail: ErrorDetails) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "string_pattern_mismatch":
        return f"a text that matches `{detail.get('ctx', {}).get('pattern')}`"
    if kind in _LIMITS:
        bound, words = _LIMITS[kind]
        return f"{words} {detail.get('ctx', {}).get(bound)}"
    return detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")


_TEXTS = ("the text", "the number", "the truth")
_HINTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "string_type": (("the number", "the truth"), "put it in quotes"),
    **dict.fromkeys(
        ("float_type", "int_type", "float_parsing", "int_parsing"),
        (("the text",), "write it without quotes and without a unit"),
    ),
    "list_type": ((*_TEXTS, "a mapping"), "write it in brackets: [a, b]"),
    "tuple_type": (_TEXTS, "write it in brackets: [a, b]"),
    "dict_type": ((*_TEXTS, "a list", "nothing"), "give each a name: `{one: ..., another: ...}`"),
}
"""By pydantic's word for what was expected: where it was found to be one of these, how to mend it."""


def _hint(kind: str, found: str) -> str:
    instead, hint = _HINTS.get(kind, ((), ""))
    return hint if found.startswith(instead) else ""


def _written(kind: str, model: type[BaseModel] | None) -> str:
    """How a mapping is written that has to have certain keys, or that has few."""
    if kind not in {"model_type", "model_attributes_type"} or model is None:
        return ""
    fields = {info.alias or name: info.is_required() for name, info in model.model_fields.items()}
    names = [name for name, required in fields.items() if required] or list(fields)[:4]
    return f"write `{{{', '.join(f'{name}: ...' for name in names)}}}`"


def _found(node: Node | None) -> str:
    match node:
        case None:
            return "nothing"
        case Items():
            return "a list"
        case Entries():
            return "a mapping"
        case Scalar():
            return _found_scalar(node)


def _found_scalar(node: Scalar) -> str:
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return f"the truth value {node.text}"
    return f"the text `{node.text[:60]}`" if isinstance(node.value, str) else f"the number {node.text}"


def _described(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    owner = _model_at(model, loc[:-1])
    for name, info in owner.model_fields.items() if owner else ():
        if loc[-1] in {name, info.alias}:
            return info.description or ""
    return ""


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that a location of pydantic's leads to."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = next((f for n, f in current.model_fields.items() if part in {n, f.alias}), None)
            current = _inner(field.annotation) if field else None
        else:
            current = _inner(current, entered=True)
    current = _inner(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _inner(annotation: Any, *, entered: bool = False) -> Any:
    """What an optional, annotated (or, when `entered`, a container) type holds."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inner(arguments[0], entered=entered)
    if origin in {typing.Union, types.UnionType}:
        kept = [a for a in arguments if a is not type(None)]
        return _inner(kept[0], entered=entered) if len(kept) == 1 else annotation
    if entered and origin in {list, tuple}:
        return _inner(arguments[0])
    if entered and origin in {dict, Mapping}:
        return _inner(arguments[1])
    return annotation
