"""Meaning: what a single condition says that cannot be meant, or will be regretted.

Parts that never or always hold, shares compared with percent, divisions by what may be zero, and equality of
calculated numbers. Nothing is said of what is not known for sure.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fireline.domain.ranges import SHARE, Range
from fireline.spec import codes
from fireline.spec.arithmetic import interval
from fireline.spec.documents import Path
from fireline.spec.facts import Facts
from fireline.spec.faults import SyntaxFault
from fireline.spec.kinds import kind_faults
from fireline.spec.logic import Known, Said, impossible, ways
from fireline.spec.rule_reader import Reader
from fireline.spec.trees import COMPARISONS, Binary, Choice, Literal, Name, Tree, joined, parts, tree_of, walk


@dataclass(frozen=True, slots=True)
class Written:
    """A condition that is understood, and where it is written (within its rule)."""

    text: str
    tree: Tree
    path: Path

    def shown(self, part: Tree | None = None) -> str:
        """A part of it as it is written, or all of it."""
        return self.text if part is None else self.text[part.start : part.end]


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that was found at a part of a condition."""

    part: Tree
    message: str
    hint: str
    code: str
    severity: str = "error"


def written_at(text: str | None, path: Path, facts: Facts) -> Written | None:
    """The condition at a place of a rule; None when there is none, or it is not understood or its kinds do not fit."""
    tree = tree_of(text) if text is not None and len(text) <= LONGEST else None
    if text is None or tree is None or kind_faults(text, tree, facts.kinds):
        return None
    return Written(text, tree, path)


LONGEST = 2_000


def note(written: Written, found: Noted, reader: Reader) -> None:
    """Note it at its place."""
    fault = SyntaxFault(found.message, hint=found.hint, offset=found.part.start)
    path = (*reader.path, *written.path)
    reader.findings.inside(reader.document, path, fault, code=found.code, severity=found.severity)


def check_parts(written: Written, facts: Facts) -> list[Noted]:
    """What the comparisons within a condition say by themselves, each whatever the others say."""
    found = []
    for part in walk(written.tree):
        if isinstance(part, Binary):
            found += [noted for look in (_comparison, _fraction) if (noted := look(written, part, facts)) is not None]
    return found


def check_whole(written: Written, facts: Facts, known: Known, samples: int = 0) -> list[Noted]:
    """Whether a condition whose comparisons are sound can hold, and can fail to, all in all."""
    if impossible(known, Said(written.tree)):
        return [_never(written, facts, known, samples)]
    if impossible(known, Said(written.tree, holds=False)):
        return [_always(written, facts, samples)]
    if "||" not in written.text:
        return []
    return [
        Noted(part, f"`{written.shown(part)}` never holds", _TOGETHER, codes.NEVER_HOLDS)
        for each in walk(written.tree)
        if isinstance(each, Binary) and each.op == "||"
        for part in (each.left, each.right)
        if not (isinstance(part, Binary) and part.op == "||") and impossible(facts.known, Said(part))
    ]


_TOGETHER = "its parts exclude each other"


def _comparison(written: Written, part: Binary, facts: Facts) -> Noted | None:
    if part.op not in COMPARISONS and part.op != "in":
        return None
    never = impossible(facts.known, Said(part))
    if not never and not impossible(facts.known, Said(part, holds=False)):
        return None
    shown, how = written.shown(part), "never" if never else "always"
    share = _share(part, facts)
    if share is not None:
        name, number = share
        hint = f"5 % is 0.05: did you mean `{number / 100:g}`?" if 1 < number <= 100 else "5 % is 0.05"
        return Noted(part, f"`{shown}` {how} holds: `{name}` is a share, 0 to 1", hint, codes.SHARE)
    message = f"`{shown}` {how} holds" + _because(part, facts)
    if never:
        return Noted(part, message, "", codes.NEVER_HOLDS)
    return Noted(part, message, "remove it", codes.ALWAYS_HOLDS, "warning")


def _share(part: Binary, facts: Facts) -> tuple[str, float] | None:
    """The share and the number above one that are compared, where that is what is compared."""
    for name, number in ((part.left, part.right), (part.right, part.left)):
        if isinstance(name, Name) and isinstance(number, Literal) and type(number.value) is float:
            found = facts.ranges.get(name.name)
            if number.value > 1 and found is not None and (found.least, found.most) == (SHARE.least, SHARE.most):
                return name.name, number.value
    return None


def _because(part: Tree, facts: Facts) -> str:
    """Why, where one name is the reason."""
    names = {each.name for each in walk(part) if isinstance(each, Name)}
    said = [_bounds(name, facts) for name in sorted(names)]
    return f": {' and '.join(filter(None, said))}" if any(said) else ""


def _bounds(name: str, facts: Facts) -> str:
    found = facts.ranges.get(name)
    if found is not None and found != Range(exact=found.exact):
        if (found.least, found.most) == (0.0, float("inf")):
            return f"`{name}` is never negative"
        if math.isinf(found.most) or math.isinf(found.least):
            return (
                f"`{name}` is at least {found.least:g}"
                if math.isinf(found.most)
                else f"`{name}` is at most {found.most:g}"
            )
        return f"`{name}` is {found.least:g} to {found.most:g}"
    extent = facts.known.get(name)
    if extent is not None and extent.texts and not extent.but:
        return f"`where` lets through {', '.join(sorted(extent.texts))} alone"
    return ""


def _fraction(written: Written, part: Binary, facts: Facts) -> Noted | None:
    if part.op not in {"==", "!="}:
        return None
    for name, number in ((part.left, part.right), (part.right, part.left)):
        if not isinstance(name, Name) or not isinstance(number, Literal) or type(number.value) is not float:
            continue
        found = facts.ranges.get(name.name)
        if found is not None and not found.exact and not number.value.is_integer():
            message = f"`{name.name}` is calculated, and equals {number.value:g} by accident only"
            return Noted(part, message, "compare with `<` or `>`", codes.EXACT_FRACTION, "warning")
    return None


def _never(written: Written, facts: Facts, known: Known, samples: int) -> Noted:
    if not impossible(facts.known, Said(written.tree)):
        message = f"`{written.shown()}` never holds: with fewer than {samples} samples the verdict is unknown"
        hint = "write `min_samples: 0`, or say with `no_data` what silence means"
        return Noted(written.tree, message, hint, codes.NEVER_HOLDS)
    pair = _pair(joined(written.tree, "&&"), known)
    if pair is None:
        return Noted(written.tree, f"`{written.shown()}` never holds", _TOGETHER, codes.NEVER_HOLDS)
    message = f"`{written.shown(pair[0])}` and `{written.shown(pair[1])}` never hold together"
    return Noted(pair[1], message, "did you mean `||`?", codes.NEVER_HOLDS)


def _pair(found: Sequence[Tree], known: Known) -> tuple[Tree, Tree] | None:
    pairs = ((a, b) for place, a in enumerate(found) for b in found[place + 1 :])
    return next(((a, b) for a, b in pairs if impossible(known, Said(a), Said(b))), None)


def _always(written: Written, facts: Facts, samples: int) -> Noted:
    message, hint = f"`{written.shown()}` always holds", "compare with what is no longer good"
    if not impossible(facts.known, Said(written.tree, holds=False)):
        message += f" once it is told: with fewer than {samples} samples the verdict is unknown, so it never clears"
        hint = "write `min_samples: 0`, so that an empty window is judged too"
    return Noted(written.tree, message, hint, codes.ALWAYS_HOLDS, "warning")


def check_divisions(written: Written, known: Known) -> list[Noted]:
    """Divisions by what is known to reach zero, unless what stands beside them keeps it away."""
    return list(_divisions(written, written.tree, (), known)) if "/" in written.text else []


def _divisions(written: Written, tree: Tree, given: tuple[Said, ...], known: Known) -> Iterator[Noted]:
    if isinstance(tree, Binary) and tree.op in {"&&", "||"}:
        found = joined(tree, tree.op)
        for part in found:
            others = tuple(Said(other, tree.op == "&&") for other in found if other is not part)
            yield from _divisions(written, part, (*given, *others), known)
        return
    if isinstance(tree, Choice):
        yield from _divisions(written, tree.condition, given, known)
        yield from _divisions(written, tree.then, (*given, Said(tree.condition)), known)
        yield from _divisions(written, tree.otherwise, (*given, Said(tree.condition, holds=False)), known)
        return
    if isinstance(tree, Binary) and tree.op == "/" and _may_be_zero(tree.right, given, known):
        shown = written.shown(tree.right)
        message = f"`{shown}` may be 0, and what is divided by it then is infinite or has no value"
        yield Noted(tree.right, message, f"add `{shown} > 0 &&`", codes.ZERO_DIVISION, "warning")
    for part in parts(tree):
        yield from _divisions(written, part, given, known)


def _may_be_zero(divisor: Tree, given: Sequence[Said], known: Known) -> bool:
    zero = Binary("==", divisor, Literal(0.0, 0, 0), divisor.start, divisor.end, divisor.start)
    for way in ways((*given, Said(zero)), known) or ():
        low, high = interval(divisor, way.numbers)
        if low <= 0.0 <= high and _bounded(divisor, known):
            return True
    return False


def _bounded(divisor: Tree, known: Known) -> bool:
    """Whether it is known how low it can be; of anything else it is not said that it may be zero."""
    names = [part.name for part in walk(divisor) if isinstance(part, Name)]
    extents = [known.get(name) for name in names]
    return bool(names) and all(e is not None and e.numbers is not None and e.numbers.low > -1e300 for e in extents)
