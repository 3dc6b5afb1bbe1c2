"""The notation of matchers, that of Prometheus and Alertmanager: `service="x", region=~"eu.*", rule!="y"`. Pure.

A label that a signal does not have is the empty text. Regular expressions must match the whole value. The name of a
label is quoted where it has blanks or signs of the notation in it: `"app version"="2"`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from fireline.domain.rules import Match, Matcher

MOST = 50
"""Matchers of one silence."""
LONGEST = 500
"""Characters of one value."""

OPERATORS = {"=": Match.ANY_OF, "!=": Match.NONE_OF, "=~": Match.REGEX, "!~": Match.NOT_REGEX}
_SIGNS = {how: sign for sign, how in OPERATORS.items()}
_LABEL = re.compile(r"[^\s,\"'`{}=!~\\]+")
_OPERATOR = re.compile(r"\s*(=~|!~|!=|=)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"[^\s,\"{}]+")
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}
EXAMPLE = 'service="checkout", severity=~"degraded|notice"'


class MatcherFault(ValueError):  # noqa: N818 - named for what it is of a text
    """What is wrong with a text of matchers: `hint` says how to mend it, `offset` is the character where it is."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.offset, self.hint = offset, hint or f"write such as {EXAMPLE}"


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers of a text, braces around it or not; raises MatcherFault."""
    start, end = 0, len(text.rstrip())
    start += len(text) - len(text.lstrip())
    if text[start : start + 1] == "{" and text[end - 1 : end] == "}":
        start, end = start + 1, end - 1
    found: list[Matcher] = []
    position = _blank(text, start)
    while position < end:
        matcher, position = _matcher(text, position, end)
        found.append(matcher)
        position = _blank(text, position)
        if position < end:
            if text[position] != ",":
                raise MatcherFault(f"`,` was expected, found `{text[position : position + 20]}`", position)
            position = _blank(text, position + 1)
    if not found:
        raise MatcherFault("there is no matcher: it would match everything", 0)
    if len(found) > MOST:
        raise MatcherFault(f"there are {len(found)} matchers, at most {MOST} are allowed", 0)
    return tuple(found)


def _blank(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _matcher(text: str, position: int, end: int) -> tuple[Matcher, int]:
    label, behind = _label(text, position, end)
    operator = _OPERATOR.match(text, behind, end)
    if operator is None:
        raise MatcherFault(f"`{label}` is followed by none of = != =~ !~", behind)
    value, after = _value(text, operator.end(), end)
    if len(value) > LONGEST:
        raise MatcherFault(f"the value of `{label}` is longer than {LONGEST} characters", operator.end())
    how = OPERATORS[operator[1]]
    if how in {Match.REGEX, Match.NOT_REGEX}:
        _check_pattern(label, value, operator.end())
    return Matcher(label, how, (value,)), after


def _label(text: str, position: int, end: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, position, end)
    found = quoted or _LABEL.match(text, position, end)
    if found is None or found.end() == position + 2 * (quoted is not None):
        raise MatcherFault(f"a label was expected, found `{text[position : position + 20]}`", position)
    return found[0] if quoted is None else _unescaped(quoted[1]), found.end()


def _value(text: str, position: int, end: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, position, end)
    if quoted is not None:
        return _unescaped(quoted[1]), quoted.end()
    if text[position : position + 1] == '"':
        raise MatcherFault("a quote is not closed", position, 'end the value with `"`')
    bare = _BARE.match(text, position, end)
    if bare is None:
        raise MatcherFault("a value was expected", position)
    return bare[0], bare.end()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text, flags=re.DOTALL)


def _check_pattern(label: str, pattern: str, offset: int) -> None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        message = f"`{pattern[:60]}` of `{label}` is not a regular expression: {error}"
        raise MatcherFault(
            message, offset, "test it alone, and escape what is meant as it stands with `\\\\`"
        ) from None


def written(matchers: Sequence[Matcher]) -> str:
    """The matchers as a text that `parse` reads back."""
    return ", ".join(f"{_name(each.label)}{_SIGNS[each.how]}{_quoted(each.values[0])}" for each in matchers)


def _name(label: str) -> str:
    return label if _LABEL.fullmatch(label) else _quoted(label)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def fits(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of the matchers fit the labels."""
    return all(_fits(each, labels.get(each.label, "")) for each in matchers)


def _fits(matcher: Matcher, value: str) -> bool:
    match matcher.how:
        case Match.ANY_OF:
            return value in matcher.values
        case Match.NONE_OF:
            return value not in matcher.values
        case Match.REGEX | Match.NOT_REGEX:
            found = any(_compiled(pattern).fullmatch(value) for pattern in matcher.values)
            return found is (matcher.how is Match.REGEX)


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
