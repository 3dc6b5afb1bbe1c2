"""Configuration: everything that was read from `rules/` and `runbooks/`, checked, as one immutable value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.autonomy_table import Row
from fireline.domain.calendars import Calendar
from fireline.domain.catalog import Catalog
from fireline.domain.oncall import OnCall
from fireline.domain.rules import Rule
from fireline.domain.runbooks import Oscillation, Runbook
from fireline.domain.silences import Silence
from fireline.domain.topics import Topic


@dataclass(frozen=True, slots=True)
class NoiseBudget:
    """How many pages one person may get in any `per` seconds or, where that is None, in one shift."""

    pages: int
    per: float | None = None


@dataclass(frozen=True, slots=True)
class Flapping:
    """A signal that fires or clears `changes` times `within` so many seconds is flapping; calm when quiet as long."""

    changes: int = 4
    within: float = 600.0


@dataclass(frozen=True, slots=True)
class Response:
    """How incidents behave. Seconds: `settle` clear before resolving, `reopen_within` of a resolve reopens.

    `resolve_while_firing` says what becomes of a person's resolve then: `tell` them what fires, or `refuse` it.
    A downstream incident comes of an upstream one that began up to `impact_within` after it, and pages when it outlives
    that one by `outlives`. A page within `storm` of an unanswered one to the same address is folded into it.
    `noise_budget` is what back-tests hold rules to; live, a page too many is sent all the same.
    """

    settle: float = 60.0
    reopen_within: float = 1800.0
    lease: float = 3600.0
    resolve_while_firing: str = "tell"  # or refuse
    impact_within: float = 120.0
    outlives: float = 120.0
    flapping: Flapping = Flapping()
    storm: float = 30.0
    longest_silence: float = 30 * 86_400.0
    noise_budget: NoiseBudget | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """Rules, runbooks, catalog, on-call and topics; `hash` is over the contents of all files."""

    rules: Mapping[str, Rule]
    runbooks: Mapping[str, Runbook]
    catalog: Catalog
    oncall: OnCall
    response: Response = Response()
    hash: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    maintenance: Mapping[str, Silence] = field(default_factory=dict)
    autonomy: Sequence[Row] = ()
    oscillation: Oscillation = field(default_factory=Oscillation)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of one file: where, what was found, what was expected, how to mend it.

    `severity` is error or warning, `code` its short stable name, one of those in spec/codes.py.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    path: str = ""
    severity: str = "error"
    code: str = ""

    def __str__(self) -> str:
        """`file:line:column: error: message [code]` and the hint."""
        place = f"{self.file}:{self.line}:{self.column}"
        told = f"{place}: {self.severity}: {self.message}" + (f" [{self.code}]" if self.code else "")
        return told + (f"\n  hint: {self.hint}" if self.hint else "")
