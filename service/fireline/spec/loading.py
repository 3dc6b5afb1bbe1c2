"""Loading: both directories into one configuration, or every fault of every file in one run."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fireline.domain.catalog import Catalog, Severity
from fireline.domain.configuration import Configuration, Problem, Response
from fireline.domain.oncall import OnCall
from fireline.domain.topics import Topic
from fireline.spec import codes
from fireline.spec.acceptance import settle
from fireline.spec.autonomy import Table, known_names, read_autonomy
from fireline.spec.baselines import FOLDER, Baselines
from fireline.spec.calendars import Calendars, read_calendars
from fireline.spec.catalog import DEFAULT_SEVERITIES, Entries, read_catalog, read_severities
from fireline.spec.crosschecks import World, check
from fireline.spec.documents import MAX_BYTES, START, Document, Fault, Items, plain, read_document
from fireline.spec.findings import Findings
from fireline.spec.oncall import Beside, read_oncall
from fireline.spec.plugins import ActionSchema, FormatSchema, MeasureSchema, Plugins
from fireline.spec.reachability import Ahead
from fireline.spec.rule_reader import Known
from fireline.spec.rules import Placed, read_rules
from fireline.spec.runbook_links import linked, outlines, read_runbook
from fireline.spec.runbook_tests import with_tests
from fireline.spec.runbooks import UnreadableRunbook, read_placed
from fireline.spec.silences import Maintenance, check_maintenance, read_maintenance
from fireline.spec.slos import PlacedSlo, read_slos, slo_rule_names
from fireline.spec.topics import read_topics

__all__ = [
    "ActionSchema",
    "Ahead",
    "FormatSchema",
    "Loaded",
    "MeasureSchema",
    "Placed",
    "Plugins",
    "RulesAlone",
    "UnreadableRunbook",
    "load",
    "load_rules",
    "read_runbook",
]

CATALOG, ONCALL, SEVERITIES, TOPICS = "catalog.yaml", "oncall.yaml", "severities.yaml", "topics.yaml"
CALENDARS, MAINTENANCE, AUTONOMY = "calendars.yaml", "maintenance.yaml", "autonomy.yaml"
_NOT_RULES = frozenset({AUTONOMY, MAINTENANCE, CALENDARS, CATALOG, ONCALL, SEVERITIES, TOPICS})
_SUFFIXES = frozenset({".yaml", ".yml"})
_NOT_RUNBOOKS = frozenset({"templates"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading: the configuration, None when there is any error, and all problems by file and place."""

    configuration: Configuration | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Files:
    """The documents of a directory by their names relative to it."""

    directory: Path
    documents: Mapping[str, Document]

    def get(self, name: str) -> Document | None:
        return self.documents.get(name)

    def absent(self, name: str) -> Document:
        return Document((self.directory / name).as_posix(), "", None)


def load(
    rules_dir: Path, runbooks_dir: Path, plugins: Plugins, today: date | None = None, ahead: Ahead | None = None
) -> Loaded:
    """Read and check both directories; never raises for what is in them.

    `today` is when reviews are judged; without it they are not. With `ahead` it is proven that somebody is reached
    whenever a rule can fire in the days after it. That is for who changes files: a process that runs goes on with files
    that leave a gap, because refusing them would page nobody at all.
    """
    findings = Findings()
    rule_files, runbook_files = _read_all(rules_dir, findings), _read_all(runbooks_dir, findings, _NOT_RUNBOOKS)
    _none_empty(rule_files, findings)
    severities, response = _severities(rule_files, findings)
    catalog = _catalog(rule_files, plugins, findings)
    calendars = _calendars(rule_files, findings)
    oncall = _oncall(rule_files, Beside(catalog, calendars, frozenset(plugins.channels)), findings)
    topics = _topics(rule_files, plugins, catalog, findings)
    documents = [d for name, d in rule_files.documents.items() if name not in _NOT_RULES]
    baselines = Baselines(rules_dir / FOLDER)
    known = Known(plugins, severities, calendars, baselines)
    rules = [rule for document in documents for rule in _rules(document, known, findings)]
    given = outlines(runbook_files.documents.values())
    placed = [found for d in runbook_files.documents.values() if (found := read_placed(d, plugins, findings, given))]
    runbooks = [with_tests(each, plugins, findings) for each in linked(placed, findings, given)]
    world = World(
        rules=rules,
        runbooks=runbooks,
        names=_rule_names(documents),
        runbook_names=_runbook_names(runbook_files.documents.values()),
        catalog=catalog,
        catalog_document=rule_files.get(CATALOG) or rule_files.absent(CATALOG),
        oncall=oncall,
        oncall_document=rule_files.get(ONCALL) or rule_files.absent(ONCALL),
        today=today,
        severities=severities,
        ahead=ahead,
    )
    check(world, findings)
    maintenance = _maintenance(rule_files, world, response, findings)
    autonomy = _autonomy(rule_files, world, calendars, findings)
    documents = [*rule_files.documents.values(), *runbook_files.documents.values()]
    settle(documents, findings, whole=today is not None and ahead is not None)
    if findings.count() or catalog is None or oncall is None or severities is None or topics is None:
        return Loaded(None, findings.sorted())
    texts = _texts(baselines, rule_files, runbook_files)
    configuration = Configuration(
        rules={placed.rule.name: placed.rule for placed in rules},
        runbooks={placed.runbook.name: placed.runbook for placed in runbooks},
        catalog=Catalog(catalog.services, catalog.teams, catalog.people, tuple(severities), catalog.default_team),
        oncall=oncall,
        response=response,
        hash=_hash(texts),
        files=texts,
        topics=topics,
        calendars=known.calendars or {},
        maintenance=maintenance,
        autonomy=autonomy.rows,
        oscillation=autonomy.oscillation,
    )
    return Loaded(configuration, findings.sorted())


def _texts(baselines: Baselines, rule_files: _Files, runbook_files: _Files) -> dict[str, str]:
    """What was read, by its path from where both directories are."""
    return {
        **{f"rules/{name}": text for name, text in baselines.texts.items()},
        **{f"rules/{name}": document.text for name, document in rule_files.documents.items()},
        **{f"runbooks/{name}": document.text for name, document in runbook_files.documents.items()},
    }


@dataclass(frozen=True, slots=True)
class RulesAlone:
    """Files of rules without the house around them: the sound rules, what they may name, and all problems."""

    rules: tuple[Placed, ...]
    known: Known
    response: Response
    problems: tuple[Problem, ...]


def load_rules(paths: Sequence[Path], rules_dir: Path, plugins: Plugins) -> RulesAlone:
    """Read files of rules, and directories of them, for their tests: no catalog and no schedules are needed.

    Severities, calendars and baselines are those of `rules_dir`, else the usual ones. Never raises for what is in the
    files.
    """
    findings = Findings()
    own = {name: _read(rules_dir / name) for name in (SEVERITIES, CALENDARS) if (rules_dir / name).is_file()}
    house = _Files(rules_dir, own)
    severities, response = _severities(house, findings)
    documents: dict[str, Document] = {}
    for path in paths:
        if path.is_dir():
            found = _read_all(path, findings)
            documents.update({d.file: d for name, d in found.documents.items() if name not in _NOT_RULES})
        else:
            documents[path.as_posix()] = _read(path)
    known = Known(plugins, severities, _calendars(house, findings), Baselines(rules_dir / FOLDER))
    rules = [rule for document in documents.values() for rule in _rules(document, known, findings)]
    settle(documents.values(), findings, whole=False)
    return RulesAlone(tuple(rules), known, response, findings.sorted())


def load_slos(rules_dir: Path, plugins: Plugins) -> tuple[Sequence[PlacedSlo], tuple[Problem, ...]]:
    """The sound objectives of a directory of rules, and all problems of its objectives; nothing else of it is read."""
    findings = Findings()
    files = _read_all(rules_dir, findings)
    severities, _ = _severities(files, findings)
    known = Known(plugins, severities, _calendars(files, findings), Baselines(rules_dir / FOLDER))
    documents = [document for name, document in files.documents.items() if name not in _NOT_RULES]
    for document in documents:
        findings.form(document)
    slos = [slo for document in documents if document.root for slo in read_slos(document, known, findings)]
    return slos, findings.sorted()


def _read_all(directory: Path, findings: Findings, without: frozenset[str] = frozenset()) -> _Files:
    documents: dict[str, Document] = {}
    if not directory.is_dir():
        message = "there is no such directory"
        document = Document(
            directory.as_posix(),
            "",
            None,
            (Fault(START, message, "name another with `--rules`, `--runbooks` or their variables"),),
        )
        findings.form(document)
        return _Files(directory, documents)
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if any(part.startswith(".") for part in name.parts):
            continue  # editors leave such files, and mounted volumes keep every file in such a directory once more
        if path.suffix in _SUFFIXES and not without.intersection(name.parts) and path.is_file():
            documents[name.as_posix()] = _read(path)
    return _Files(directory, documents)


def _none_empty(files: _Files, findings: Findings) -> None:
    """A file that is saved half way is no wish to have no rules, no silences or no limits of what acts by itself."""
    for name, document in files.documents.items():
        if name not in {CATALOG, ONCALL} and not document.faults and not document.text.strip():
            findings.error(document, (), "the file is empty", "write it, or remove it", code=codes.MISSING)


def _read(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or error}"
        return Document(path.as_posix(), "", None, (Fault(START, message),))
    return read_document(path.as_posix(), content)


def _severities(files: _Files, findings: Findings) -> tuple[Sequence[Severity] | None, Response]:
    document = files.get(SEVERITIES)
    if document is None:
        return DEFAULT_SEVERITIES, Response()
    findings.form(document)
    read = read_severities(document, findings) if document.root is not None else None
    if read is None and document.root is None and not document.faults:
        return DEFAULT_SEVERITIES, Response()
    return read or (None, Response())


def _catalog(files: _Files, plugins: Plugins, findings: Findings) -> Entries | None:
    document = files.get(CATALOG)
    if document is None:
        message = "the catalog is missing: an incident needs somebody who answers for it"
        findings.error(
            files.absent(CATALOG), (), message, "write `people:`, `teams:` and `services:`", code=codes.MISSING
        )
        return None
    findings.form(document)
    if document.root is None:
        if not document.faults:
            findings.error(
                document, (), "the catalog is empty", "write `people:`, `teams:` and `services:`", code=codes.MISSING
            )
        return None
    return read_catalog(document, plugins, findings)


def _oncall(files: _Files, beside: Beside, findings: Findings) -> OnCall | None:
    document = files.get(ONCALL)
    if document is None:
        message = "the on-call file is missing: nobody would be paged"
        findings.error(files.absent(ONCALL), (), message, "write `schedules:` and `policies:`", code=codes.MISSING)
        return None
    findings.form(document)
    if document.root is None:
        if not document.faults:
            findings.error(
                document, (), "the on-call file is empty", "write `schedules:` and `policies:`", code=codes.MISSING
            )
        return None
    return read_oncall(document, beside, findings)


def _topics(files: _Files, plugins: Plugins, catalog: Entries | None, findings: Findings) -> Mapping[str, Topic] | None:
    document = files.get(TOPICS)
    if document is None:
        return {}
    findings.form(document)
    if document.root is None:
        return None if document.faults else {}
    return read_topics(document, plugins, catalog, findings)


def _calendars(files: _Files, findings: Findings) -> Calendars | None:
    document = files.get(CALENDARS)
    if document is None:
        return {}
    findings.form(document)
    return None if document.root is None else read_calendars(document, findings)


def _maintenance(files: _Files, world: World, response: Response, findings: Findings) -> Maintenance:
    document = files.get(MAINTENANCE)
    if document is None:
        return {}
    findings.form(document)
    if document.root is None:
        return {}
    found = read_maintenance(document, world.catalog, response.longest_silence, findings)
    if found is not None and world.catalog is not None:
        check_maintenance(document, found, [placed.rule for placed in world.rules], world.catalog, findings)
    return found or {}


def _autonomy(files: _Files, world: World, calendars: Calendars | None, findings: Findings) -> Table:
    document = files.get(AUTONOMY)
    if document is None:
        return Table()
    findings.form(document)
    if document.root is None:
        return Table()
    return read_autonomy(
        document, calendars, known_names(world.severities, world.catalog, world.runbook_names), findings
    )


def _rules(document: Document, known: Known, findings: Findings) -> list[Placed]:
    findings.form(document)
    if document.root is None:
        return []
    slos = read_slos(document, known, findings)
    return [*read_rules(document, known, findings), *(rule for slo in slos for rule in slo.rules)]


def _rule_names(documents: Sequence[Document]) -> frozenset[str] | None:
    names: list[object] = []
    for document in documents:
        rules, made = document.node(("rules",)), slo_rule_names(document)
        if made is None or not (isinstance(rules, Items) or (rules is None and made)):
            return None
        names += made
        written = range(len(rules.nodes)) if rules is not None else ()
        names += [plain(document.node(("rules", index, "name"))) for index in written]
    return _all_texts(names)


def _runbook_names(documents: Iterable[Document]) -> frozenset[str] | None:
    return _all_texts([plain(document.node(("name",))) for document in documents])


def _all_texts(names: Sequence[object]) -> frozenset[str] | None:
    texts = [name for name in names if isinstance(name, str)]
    return frozenset(texts) if len(texts) == len(names) else None


def _hash(texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\n{hashlib.sha256(text.encode()).hexdigest()}\n".encode())
    return digest.hexdigest()
