"""Approvals as they are written: their form at a runbook's start, and whether those who are to approve exist at all."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from fireline.domain.approving import KINDS, OWNER, Approval, OnTimeout
from fireline.domain.catalog import Person, Team
from fireline.domain.incident_records import Role
from fireline.domain.oncall import OnCall
from fireline.spec import codes
from fireline.spec.approval_owners import Owners
from fireline.spec.documents import Document, Entries, Items, Node, Path, Scalar
from fireline.spec.durations import PositiveDuration
from fireline.spec.findings import Findings, suggestion
from fireline.spec.reading import Name, Part

_FORMS = "`owner`, `team:NAME`, `person:NAME`, `schedule:NAME` or `role:commander`"
_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _known_kind(value: str) -> str:
    kind, colon, name = value.partition(":")
    if (colon and (kind not in KINDS or not name)) or not value:
        raise ValueError(f"`{value[:40]}` is nobody: write {_FORMS}")
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Approvers = Annotated[
    list[Annotated[str, AfterValidator(_known_kind)]], BeforeValidator(_listed), WithJsonSchema(_LIST)
]


class InsteadForm(Part):
    """What is started where nobody let this one start in time."""

    runbook: Name = Field(description="a runbook; its inputs of the same names get the values of this one's")


class ApprovalForm(Part):
    """Who lets it start, where it has to ask."""

    of: Approvers = Field([OWNER], min_length=1, max_length=20, description=f"who may: {_FORMS}, or a list of them")
    count: int = Field(1, ge=1, le=20, description="how many people have to approve; one who rejects ends it")
    four_eyes: bool = Field(True, description="whether who asked for the run may not be the only one that approves")
    timeout: PositiveDuration = Field(3600.0, description="how long to wait; then it does not start any more")
    on_timeout: Literal["refuse", "escalate"] | InsteadForm = Field(
        "refuse",
        description="when too few approved in time: `refuse`, `escalate` (`escalate_to` is asked too, the incident's "
        "next level is paged, and it is refused when that time is over as well) or `{runbook: NAME}` instead",
    )
    escalate_to: Approvers = Field([], max_length=20, description="who may approve too, once it is escalated")

    @model_validator(mode="after")
    def _sound(self) -> "ApprovalForm":
        if (self.on_timeout == "escalate") != bool(self.escalate_to):
            raise ValueError("`on_timeout: escalate` and `escalate_to` belong together")
        return self

    def terms(self) -> Approval:
        """As it is decided on."""
        instead = self.on_timeout.runbook if isinstance(self.on_timeout, InsteadForm) else ""
        silence = OnTimeout.ESCALATE if self.on_timeout == "escalate" else OnTimeout.REFUSE
        of, more = tuple(self.of), tuple(self.escalate_to)
        return Approval(of, self.count, self.four_eyes, self.timeout, silence, more, instead)


@dataclass(frozen=True, slots=True)
class Known:
    """Who there is; None where the file that says it cannot be read."""

    teams: Mapping[str, Team]
    people: Mapping[str, Person]
    oncall: OnCall | None
    owners: Callable[[], Owners]

    def names(self, kind: str) -> Collection[str] | None:
        """What there is of a kind."""
        schedules = None if self.oncall is None else self.oncall.schedules
        return {"team": self.teams, "person": self.people, "role": [*Role]}.get(kind, schedules)


def check_approvals(document: Document, known: Known, runbooks: Collection[str] | None, findings: Findings) -> None:
    """Note who is to approve and is not known, and approvals that nobody could ever give."""
    for place in _places(document.root, ()):
        _check(document, place, known, findings)
    path: Path = ("start", "approval", "on_timeout", "runbook")
    instead, itself = document.node(path), document.node(("name",))
    if not isinstance(instead, Scalar):
        return
    if runbooks is not None and instead.text not in runbooks:
        message, hint = f"there is no runbook `{instead.text}`", suggestion(instead.text, runbooks)
        findings.error(document, path, message, hint, code=codes.UNKNOWN_NAME)
    if isinstance(itself, Scalar) and itself.text == instead.text:
        message = "it would ask again and again: this is the runbook that nobody let start"
        findings.error(document, path, message, "name another one, or say `on_timeout: escalate`")


def _places(node: Node | None, path: Path) -> Iterator[Path]:
    """Where approvals are written: at the start, and in `with` of steps."""
    match node:
        case Entries(nodes=nodes):
            uses = nodes.get("uses")
            if (isinstance(uses, Scalar) and uses.text == "approval") and "with" in nodes:
                yield (*path, "with")
            for key, part in nodes.items():
                if path == ("start",) and key == "approval":
                    yield (*path, key)
                elif key not in ("with", "tests"):
                    yield from _places(part, (*path, key))
        case Items(nodes=items):
            for index, part in enumerate(items):
                yield from _places(part, (*path, index))
        case _:
            return


def _check(document: Document, path: Path, known: Known, findings: Findings) -> None:
    sound = True
    for option in ("of", "escalate_to"):
        for place, written in _written(document, (*path, option)):
            message = _unknown(written, known)
            if message is not None:
                sound = False
                kind, colon, name = written.partition(":")
                names = known.names(kind if colon else "team") or ()
                hint = suggestion(name if colon else kind, names) or f"write {_FORMS}"
                findings.error(document, place, message, hint, code=codes.UNKNOWN_NAME)
    if sound:
        _check_numbers(document, path, known, findings)


def _written(document: Document, path: Path) -> Iterator[tuple[Path, str]]:
    """Those who are named, without templates: what these come to is known when the run asks."""
    match document.node(path):
        case Scalar(text=text) if "{{" not in text:
            yield path, text
        case Items(nodes=nodes):
            for index, node in enumerate(nodes):
                if isinstance(node, Scalar) and "{{" not in node.text:
                    yield (*path, index), node.text


def _unknown(written: str, known: Known) -> str | None:
    kind, colon, name = written.partition(":")
    if written == OWNER:
        return None
    if not colon:
        kind, name = "team", written
    if kind not in KINDS:
        return f"`{written[:60]}` is nobody who could approve"
    names = known.names(kind)
    return None if names is None or name in names else f"there is no {kind} `{name[:60]}`"


def _check_numbers(document: Document, path: Path, known: Known, findings: Findings) -> None:
    of, more = _named(document, (*path, "of")), _named(document, (*path, "escalate_to"))
    if of is None or more is None:
        return  # a template: who it means is known when the run asks
    of = [*(of or [OWNER]), *more]
    people, others = _possible(of, known)
    if others is None:
        return
    most, count, eyes = len(people) + others, document.node((*path, "count")), document.node((*path, "four_eyes"))
    if OWNER in of:
        if isinstance(count, Scalar) and isinstance(count.value, int):
            _check_owner(document, (*path, "count"), known.owners(), (count.value, people, others), findings=findings)
        return
    if isinstance(count, Scalar) and isinstance(count.value, int) and count.value > most:
        message = f"{count.value} people have to approve, and there {'is' if most == 1 else 'are'} {most} who may"
        findings.error(document, (*path, "count"), message, "lower `count`, or name more in `of`")
    if isinstance(eyes, Scalar) and eyes.value is True and most == 1:
        message = "with `four_eyes`, and one person who may approve, that person can never ask for the run"
        findings.error(document, (*path, "four_eyes"), message, "name more in `of`, or say `four_eyes: false`")


def _named(document: Document, path: Path) -> list[str] | None:
    """Those who are named; None where a template is among them."""
    node, named = document.node(path), [text for _, text in _written(document, path)]
    whole = 0 if node is None else len(node.nodes) if isinstance(node, Items) else 1
    return named if len(named) == whole else None


def _check_owner(
    document: Document, path: Path, owners: Owners, asked: tuple[int, set[str], int], *, findings: Findings
) -> None:
    """Note a count that `owner`, and those asked beside, can never reach, or not where it is known what starts it."""
    count, people, others = asked
    most = max((len(people | each) + others for each in owners.possible), default=0)
    if most < count:
        message = f"{count} people have to approve, and `owner` never means more than {most} in this catalog"
        message = message if len(people) + others == 0 else f"{message}, those named beside it included"
        findings.error(document, path, message, "lower `count`, name more in `of`, or add members to the owning team")
        return
    short = [each for each in owners.likely if len(people | each.people) + others < count]
    if short:
        whom, more = ", ".join(sorted(people | short[0].people)) or "nobody", len(short) - 1
        message = f"{count} people have to approve, and when it is started {short[0].when}, only {whom} may"
        message += f" ({more} more like that)" if more else ""
        findings.warning(document, path, message, "lower `count`, name more in `of`, or add members to the owning team")


def _possible(of: list[str], known: Known) -> tuple[set[str], int | None]:
    """The people named, and how many more may approve whom nobody can name before; None: no end of them.

    Whom `owner` means is not among them.
    """
    people: set[str] = set()
    others = 0
    for written in of:
        kind, colon, name = written.partition(":")
        if written == f"role:{Role.RESPONDER}":
            return people, None
        if written == OWNER:
            continue
        if kind == "person":
            people.add(name)
        elif kind in ("schedule", "role"):
            others += 1  # exactly one person is on call on a schedule, and one commands
        else:
            people |= set(known.teams[name if colon else written].members)
    return people, others
