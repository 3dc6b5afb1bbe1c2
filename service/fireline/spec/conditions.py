"""Conditions: typed expressions in CEL, compiled once and evaluated many times.

CEL compares whole numbers with fractions, but does not calculate with both (`p99 - 1` is an error when `p99` is a
double). Authors do not think of that, so whole-number literals and values are taken as doubles throughout.
Loops (`.map`, `.exists` ...) are refused: the work of one evaluation is then bounded by the length of the text.
"""

import re
from collections.abc import Mapping, Sequence

from fireline.domain.expressions import EvaluationFault
from fireline.spec import cel_library as cel
from fireline.spec.faults import SyntaxFault

MAX_LENGTH = 2_000
_TOKEN = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
      |(?P<number>(?<![\w.])\d+(?![\w.]))
      |(?P<other>\d[\w.]*|\.\d\w*)
      |(?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)(?P<call>\s*\()?
      |(?P<mark>\S)""",
    re.VERBOSE,
)
_LOOPS = frozenset({"map", "filter", "all", "exists", "exists_one"})
_WORDS = frozenset({"true", "false", "null", "in"})
_FOUND = re.compile(r"<input>:\d+:(\d+): (?:Syntax error: )?(.*)")
_HINTS = (
    (re.compile("[\u2018\u2019\u201c\u201d]"), "write plain quotes, ' or \""),
    (re.compile(r"\band\b", re.IGNORECASE), "write `&&` for and"),
    (re.compile(r"\bor\b", re.IGNORECASE), "write `||` for or"),
    (re.compile(r"\bnot\b", re.IGNORECASE), "write `!` for not, as in `!(n > 5)`"),
    (re.compile(r"\bbetween\b", re.IGNORECASE), "write `n >= 1 && n <= 5`"),
    (re.compile(r"\bis\b", re.IGNORECASE), "write `==` or `!=` to compare"),
    (re.compile(r"\d[_,]\d"), "write numbers without separators: 2000"),
    (re.compile(r"=>"), "write `>=`"),
    (re.compile(r"=<"), "write `<=`"),
    (re.compile(r"=!"), "write `!=` for not equal"),
    (re.compile(r"==="), "write `==` to compare"),
    (re.compile(r"<>"), "write `!=` for not equal"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "write `==` to compare"),
    (re.compile(r"(?<!&)&(?!&)"), "write `&&` for and"),
    (re.compile(r"(?<!\|)\|(?!\|)"), "write `||` for or"),
    (re.compile(r"\d\s*%"), "write a share as a number: 5 % is 0.05"),
    (re.compile(r"\d(ms|s|m|h|d)\b"), "a condition compares plain numbers; write the unit of the measure only"),
)


class CelCondition:
    """A compiled condition; `names` are the dotted names it refers to (`steps.ask.approved`)."""

    __slots__ = ("_program", "names", "source", "variables")

    def __init__(self, source: str, program: cel.Program, names: frozenset[str]) -> None:
        self.source = source
        self.names = names
        self.variables = frozenset(name.partition(".")[0] for name in names)
        self._program = program

    def __repr__(self) -> str:
        return f"CelCondition({self.source!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CelCondition) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives of `values`, be it true, a number or a text; raises `EvaluationFault` for nothing."""
        known = {name: _plain(values[name]) for name in self.variables if name in values}
        try:
            return self._program.execute(known)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the native library is no Exception
            raise EvaluationFault(self._why(known, error)) from error

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether it holds for `values`; raises `EvaluationFault` when that cannot be told."""
        result = self.value(values)
        if result is True or result is False:
            return result
        raise EvaluationFault(f"`{self.source}` gives {_shown(result)}, not true or false")

    def _why(self, known: Mapping[str, object], error: BaseException) -> str:
        for name in sorted(self.names):
            value, missing = _reach(known, name)
            if missing:
                return f"`{self.source}` cannot be told: `{missing}` is not there"
            if value is None:
                return f"`{self.source}` cannot be told: `{name}` has no value"
        found = ", ".join(f"{name} is {_shown(_reach(known, name)[0])}" for name in sorted(self.names))
        reason = _reason(str(error).partition("\n")[0])
        return f"`{self.source}` cannot be told: {reason}" + (f" ({found})" if found else "")


def compile_condition(text: str) -> CelCondition:
    """Compile one condition; raises `SyntaxFault` with what is wrong, where, and how to write it."""
    if len(text) > MAX_LENGTH:
        raise SyntaxFault(f"the condition is {len(text)} characters long, at most {MAX_LENGTH} are allowed")
    if not text.strip():
        raise SyntaxFault("the condition is empty", hint="write one such as `p99 > 800.0 && n >= 50`")
    _refuse_template(text)
    program = _parse(text)
    names, doubles = _names(text), _as_doubles(text)
    return CelCondition(text, program if doubles == text else _parse(doubles), names)


def _refuse_template(text: str) -> None:
    offset = _bare(text).find("{{")
    if offset >= 0:
        raise SyntaxFault(
            "conditions are not templates", hint="write the expression alone, without `{{ }}`", offset=offset
        )


def _bare(text: str) -> str:
    """The condition with its quoted texts blanked out."""
    return _TOKEN.sub(lambda token: " " * len(token[0]) if token["text"] else token[0], text)


def _parse(text: str) -> cel.Program:
    try:
        return cel.compile(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the native library is no Exception
        raise _syntax_fault(text, str(error)) from error


def _syntax_fault(text: str, report: str) -> SyntaxFault:
    found = _FOUND.search(report)
    if found is None:
        return SyntaxFault("the condition is not valid text", hint="write one such as `p99 > 800.0 && n >= 50`")
    offset = max(0, min(int(found[1]) - 1, len(text)))
    bare = _bare(text)
    places = [
        (min(abs(found.start() - offset) for found in pattern.finditer(bare)), hint)
        for pattern, hint in _HINTS
        if pattern.search(bare)
    ]
    hint = min(places, key=lambda each: each[0], default=(0, ""))[1]
    return SyntaxFault(_message(text, offset, found[2]), hint=hint, offset=offset)


def _message(text: str, offset: int, report: str) -> str:
    if "ecursion limit" in report:
        return "the condition is nested too deeply"
    rest = text[offset:].strip()
    if not rest:
        missing = re.search(r"missing '(.)'", report)
        return "the condition ends too early" + (f": `{missing[1]}` is missing" if missing else "")
    if rest[0] in "'\"":
        return f"a text that begins with {rest[0]} is not closed, or has an unknown escape: `{rest[:20]}`"
    if "invalid int literal" in report:
        return f"the number `{rest[:24]}` is too large"
    word = re.match(r"\w+|\S+", rest)
    return f"`{word[0] if word else rest[:10]}` is not expected at character {offset + 1} of `{_short(text)}`"


def _names(text: str) -> frozenset[str]:
    names = set()
    for token in _TOKEN.finditer(text):
        if not token["name"]:
            continue
        parts = re.split(r"\s*\.\s*", token["name"])
        follows_value = text[: token.start()].rstrip()[-1:] == "."
        if token["call"]:
            _refuse_loop(parts[-1], token.start())
            parts = parts[:-1]
        if parts and not follows_value and parts[0] not in _WORDS:
            names.add(".".join(parts))
    return frozenset(names)


def _refuse_loop(function: str, offset: int) -> None:
    if function in _LOOPS:
        raise SyntaxFault(
            f"`{function}` is a loop, and conditions have none",
            hint="compare with `in`, or count the events with a measure of its own",
            offset=offset,
        )


def _as_doubles(text: str) -> str:
    def double(token: re.Match[str]) -> str:
        before = text[: token.start()].rstrip()
        is_index = before.endswith("[") and re.search(r"[\w)\]]\s*\[$", before) and not before.endswith("in [")
        if token["number"] is None or is_index or before.endswith("%"):
            return token[0]
        return f"{token[0]}.0"

    return _TOKEN.sub(double, text)


def _plain(value: object) -> object:
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return float(value) if abs(value) < 1 << 1000 else value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(part) for part in value]
    return str(value)


def _reason(report: str) -> str:
    if report.startswith(("No such overload", "Unsupported operation")):
        return "kinds of values do not fit together"
    return report.partition(". ")[0]


def _reach(values: Mapping[str, object], name: str) -> tuple[object, str]:
    """The value of a dotted name, and the part of the name that is missing."""
    value: object = values
    parts = name.split(".")
    for count, part in enumerate(parts, 1):
        if value is None:
            return None, ""
        if not isinstance(value, Mapping) or part not in value:
            return None, ".".join(parts[:count])
        value = value[part]
    return value, ""


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    words = {bool: "truth value", str: "text", float: "number", int: "number", dict: "mapping", list: "list"}
    return f"the {words.get(type(value), type(value).__name__)} {_short(repr(value))}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
