"""A condition drawn part by part, each with its value beside it."""

from collections.abc import Iterator

from fireline.spec.explaining import Part

_WIDE = 44
"""Characters of a part before its value is no longer put in the same column."""


def drawn(part: Part) -> list[str]:
    """Lines of a tree: the whole condition first, what it is made of below, indented."""
    lines = list(_lines(part, "", ""))
    wide = min(_WIDE, max(len(text) for text, _ in lines))
    return [f"{text:<{wide}}  {value}" for text, value in lines]


def _lines(part: Part, before: str, below: str) -> Iterator[tuple[str, str]]:
    yield before + part.source, _value(part)
    for number, each in enumerate(part.parts, 1):
        last = number == len(part.parts)
        yield from _lines(each, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))


def _value(part: Part) -> str:
    match part.value:
        case True | False:
            return str(part.value).lower()
        case None:
            return "cannot be told"
        case float() | int():
            return f"{part.value:.6g}"
        case _:
            return repr(part.value)


def part_json(part: Part) -> dict[str, object]:
    """The same for programs."""
    told = {"why": part.why} if part.why else {}
    return {"source": part.source, "value": part.value, **told, "parts": [part_json(each) for each in part.parts]}
