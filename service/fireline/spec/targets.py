"""The targets file: from its form to what actions may reach, or every fault located."""

from fireline.domain.configuration import Problem
from fireline.domain.targets import PLACE, Command, Database, Prometheus, Targets
from fireline.spec import codes
from fireline.spec.documents import Document, read_document
from fireline.spec.findings import Findings
from fireline.spec.reading import read_model
from fireline.spec.target_forms import PARAMETER, CommandForm, TargetsFile


def read_targets(file: str, content: bytes) -> tuple[Targets | None, tuple[Problem, ...]]:
    """What is allowed, None when the file has faults, and all of these."""
    document, findings = read_document(file, content), Findings()
    findings.form(document)
    form = read_model(document, TargetsFile, findings) if document.root is not None and not document.faults else None
    if form is None:
        if not findings.problems:
            hint = "begin it with `commands:`, `databases:`, `prometheus:` or `topics:`"
            findings.error(document, (), "the file is empty", hint, code=codes.MISSING)
        return None, findings.sorted()
    commands = {name: _command(document, name, each, findings) for name, each in form.commands.items()}
    targets = Targets(
        topics=frozenset(form.topics),
        commands=commands,
        databases={name: Database(each.url, _name(each.password)) for name, each in form.databases.items()},
        prometheus={name: Prometheus(each.url, _name(each.bearer)) for name, each in form.prometheus.items()},
    )
    return (targets if not findings.count() else None), findings.sorted()


def _name(secret: str | None) -> str:
    return "" if secret is None else secret.removeprefix("secret:")


def _command(document: Document, name: str, form: CommandForm, findings: Findings) -> Command:
    places = {place for part in form.argv for place in PLACE.findall(part)}
    for unused in sorted(form.parameters.keys() - places):
        findings.error(
            document,
            ("commands", name, "parameters", unused),
            f"no argument takes `{{{unused}}}`",
            "write it into `argv`, or remove the parameter",
            key=True,
            code=codes.NO_EFFECT,
        )
    parameters = {place: form.parameters.get(place, PARAMETER) for place in places}
    return Command(tuple(form.argv), parameters, dict(form.env), form.cwd, form.timeout)
