"""Names that steps write out in full: services and their targets, teams, people, severities, measures, labels.

They are held to the catalog and to the rules when all files are known. What a template fills in is left to the run,
except for a name within it that is written out (`catalog.services['fraud-scoring']`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.catalog import Service
from fireline.domain.rules import Rule
from fireline.spec import codes
from fireline.spec.catalog import Entries as CatalogEntries
from fireline.spec.documents import Document, Entries, Items, Node, Path, Scalar
from fireline.spec.faults import SyntaxFault
from fireline.spec.findings import Findings, suggestion
from fireline.spec.templates import compile_template
from fireline.spec.trees import Binary, Listed, Literal, Name, Tree, tree_of, walk

_ROUTES = frozenset({"route.get", "route.set", "route.ramp"})
_TEAMS: Mapping[str, frozenset[str]] = {"notify": frozenset({"owner", "incident"}), "page": frozenset({"next"})}
"""Actions whose `to` is a team, and the words that may stand there besides."""
_SEVERITY = frozenset({"severity", "incident.severity"})


@dataclass(frozen=True, slots=True)
class Known:
    """What names are held to; what could not be read is None, and is not claimed about."""

    catalog: CatalogEntries | None
    severities: Collection[str] | None
    rules: Sequence[Rule]

    def service(self, name: str) -> Service | None:
        """The service of an id or of another name of it."""
        found = () if self.catalog is None else self.catalog.services.values()
        return next((each for each in found if name == each.id or name in each.aliases), None)

    def rule(self, name: str) -> Rule | None:
        """The rule of a name."""
        return next((each for each in self.rules if each.name == name), None)


def check_written_names(document: Document, known: Known, findings: Findings) -> None:
    """Note each name that is written out in steps or conditions of a runbook, and is not there."""
    checker = _Checker(document, known, findings)
    for part in ("steps", "finally"):
        checker.walk((part,), document.node((part,)))
    checker.condition(("start", "when"), document.node(("start", "when")))


@dataclass(frozen=True, slots=True)
class _Checker:
    document: Document
    known: Known
    findings: Findings

    def walk(self, path: Path, node: Node | None) -> None:
        """All steps at or below `path`, with those of branches and undos."""
        match node:
            case Entries():
                uses, options = node.nodes.get("uses"), node.nodes.get("with")
                if isinstance(uses, Scalar) and isinstance(options, Entries):
                    self._step(uses.text, (*path, "with"), options)
                self.condition((*path, "if"), node.nodes.get("if"))
                for key, part in node.nodes.items():
                    self.walk((*path, key), part)
            case Items():
                for index, part in enumerate(node.nodes):
                    self.walk((*path, index), part)
            case Scalar():
                self._template(path, node.text)
            case None:
                return

    def _step(self, uses: str, path: Path, options: Entries) -> None:
        if uses in _ROUTES and self.known.catalog is not None:
            self._route(path, options)
        if uses in _TEAMS and self.known.catalog is not None and (to := _text(options, "to")) not in _TEAMS[uses]:
            self._name((*path, "to"), "team", to, self.known.catalog.teams)
        if uses == "incident.task" and self.known.catalog is not None:
            self._name((*path, "assignee"), "person", _text(options, "assignee"), self.known.catalog.people)
        if uses == "incident.severity" and self.known.severities is not None:
            self._name((*path, "severity"), "severity", _text(options, "severity"), [*self.known.severities, "auto"])
        self._judged(path, options)

    def _route(self, path: Path, options: Entries) -> None:
        assert self.known.catalog is not None
        named = _text(options, "service")
        service = self.known.service(named) if named else None
        if service is None:
            self._name((*path, "service"), "service", named, self.known.catalog.services)
        weights = options.nodes.get("to")
        if not isinstance(weights, Entries) or any("{{" in key for key in weights.nodes):
            return
        targets = {} if service is None else {target.name: target for target in service.targets}
        for name in weights.nodes if targets else ():
            self._name((*path, "to", name), f"target of {named}", name, targets, key=True)
        shares = [part.value for part in weights.nodes.values() if isinstance(part, Scalar)]
        if all(isinstance(share, int) for share in shares) and sum(_whole(shares)) != 100:
            message = f"percentages add up to {sum(_whole(shares))}, and all of the traffic is 100"
            self.findings.error(self.document, (*path, "to"), message, "name each target with its part")

    def _judged(self, path: Path, options: Entries) -> None:
        """The labels and the measure of a rule that is asked."""
        judge = options.nodes.get("abort_if")
        if isinstance(judge, Entries):
            self._judged((*path, "abort_if"), judge)
        rule = self.known.rule(_text(options, "rule"))
        if rule is None:
            return
        self._name((*path, "measure"), f"measure of {rule.name}", _text(options, "measure"), _measures(rule))
        entity = options.nodes.get("entity")
        for label in entity.nodes if isinstance(entity, Entries) else ():
            self._name((*path, "entity", label), f"label that {rule.name} tells apart", label, rule.by, key=True)

    def _name(self, path: Path, what: str, name: str, known: Collection[str], *, key: bool = False) -> None:
        if name and "{{" not in name and name not in known:
            said = f"`{name[:100]}` is no {what}" if " " in what else f"there is no {what} `{name[:100]}`"
            message, hint = said, suggestion(name, known)
            self.findings.error(self.document, path, message, hint, key=key, code=codes.UNKNOWN_NAME)

    def condition(self, path: Path, node: Node | None) -> None:
        """The severities that a condition compares with."""
        severities = self.known.severities
        if not isinstance(node, Scalar) or severities is None or (tree := tree_of(node.text)) is None:
            return
        for literal in _compared(tree):
            if isinstance(literal.value, str) and literal.value not in {"", *severities}:
                hint = suggestion(literal.value, severities)
                fault = SyntaxFault(f"there is no severity `{literal.value[:60]}`", hint=hint, offset=literal.start)
                self.findings.inside(self.document, path, fault, code=codes.UNKNOWN_NAME, severity="warning")

    def _template(self, path: Path, text: str) -> None:
        if "catalog.services" not in text or self.known.catalog is None:
            return
        try:
            variables = compile_template(text).variables
        except SyntaxFault:
            return
        for variable in sorted(variables):
            if variable.startswith("catalog.services.") and self.known.service(name := variable.split(".")[2]) is None:
                self._name(path, "service", name if name != "*" else "", self.known.catalog.services)


def _text(options: Entries, name: str) -> str:
    node = options.nodes.get(name)
    return node.text if isinstance(node, Scalar) else ""


def _whole(shares: Sequence[object]) -> list[int]:
    return [share for share in shares if isinstance(share, int)]


def _measures(rule: Rule) -> list[str]:
    return [measure.name for measure in rule.measures]


def _compared(tree: Tree) -> Iterator[Literal]:
    """The literals that stand beside a severity, on either side of a comparison or in a list."""
    for part in walk(tree):
        if isinstance(part, Binary) and part.op in {"==", "!=", "in"}:
            for one, other in ((part.left, part.right), (part.right, part.left)):
                if isinstance(one, Name) and one.name in _SEVERITY:
                    yield from (each for each in _each(other) if isinstance(each, Literal))


def _each(tree: Tree) -> Sequence[Tree]:
    return tree.parts if isinstance(tree, Listed) else (tree,)
