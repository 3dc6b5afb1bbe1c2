"""Picking values out of an answer in JSON, and asking whether it says what is waited for.

Paths are JSONPath (RFC 9535) without its regular expressions and without `..`, so that no answer can keep us busy.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from pydantic import AfterValidator, Field

from fireline.domain.expressions import EvaluationFault
from fireline.spec.conditions import CelCondition, compile_condition
from fireline.spec.faults import SyntaxFault

LONGEST = 200
"""Characters of a path."""
MOST = 8_192
"""Characters of a value that is kept, as JSON."""


@cache
def _environment() -> JSONPathEnvironment:
    environment = JSONPathEnvironment(strict=True)
    for name in ("match", "search"):
        environment.function_extensions.pop(name, None)
    return environment


@cache
def compiled(text: str) -> JSONPath:
    """The path; raises ValueError with what is wrong with it."""
    if ".." in text:
        raise ValueError("a path goes down step by step; write it without `..`, such as `$.job.id`")
    try:
        path = _environment().compile(text)
    except (JSONPathError, RecursionError) as fault:
        why = str(fault).partition("\n")[0]
        raise ValueError(f"`{text}` is no JSON path: {why}; write one such as `$.job.id`") from None
    if not isinstance(path, JSONPath):
        raise ValueError(f"`{text}` is several paths; write one such as `$.job.id`")
    return path


def _readable(text: str) -> str:
    compiled(text)
    return text


JsonPath = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_readable)]
"""A path such as `$.job.id` or `$.items[0].name`."""


def pick(paths: Mapping[str, str], document: object) -> Mapping[str, object] | str:
    """The values by name, those of a path with several matches as a list; else which path found nothing."""
    found: dict[str, object] = {}
    for name, text in paths.items():
        path = compiled(text)
        try:
            values = path.findall(document) if isinstance(document, (dict, list)) else []
        except (JSONPathError, RecursionError) as fault:
            return f"values.{name}: {text} cannot be read: {str(fault).splitlines()[0]}"
        if path.singular_query() and not values:
            return f"values.{name}: {text} is not there in the answer"
        found[name] = values[0] if path.singular_query() else values
        if len(json.dumps(found[name])) > MOST:
            return f"values.{name}: what is at {text} is longer than {MOST} characters"
    return found


@cache
def condition(text: str, names: frozenset[str]) -> CelCondition:
    """A condition over these names alone; raises ValueError with what is wrong with it."""
    try:
        made = compile_condition(text)
    except SyntaxFault as fault:
        raise ValueError(f"{fault}" + (f"; {fault.hint}" if fault.hint else "")) from None
    if unknown := sorted(made.variables - names):
        raise ValueError(f"`{unknown[0]}` is not known here; there are {', '.join(sorted(names))}")
    return made


def told(text: str, names: frozenset[str], values: Mapping[str, object]) -> bool | str:
    """Whether the condition holds; the reason when that cannot be told."""
    try:
        return condition(text, names).holds(values)
    except EvaluationFault as fault:
        return str(fault)
