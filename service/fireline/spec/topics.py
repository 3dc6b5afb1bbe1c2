"""Topics: how events of each topic are read, checked against the formats there are and the catalog."""

from collections.abc import Mapping

from fireline.domain.events import Kind
from fireline.domain.topics import FieldMap, Topic
from fireline.spec import codes
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.plugins import Plugins
from fireline.spec.reading import read_model
from fireline.spec.topic_forms import TopicForm, TopicsFile


def read_topics(
    document: Document, plugins: Plugins, catalog: Entries | None, findings: Findings
) -> Mapping[str, Topic] | None:
    """The topics by name; None when there are faults. No catalog: aliases cannot be told, and are left alone."""
    before = findings.count()
    form = read_model(document, TopicsFile, findings)
    if form is None:
        return None
    aliases = _aliases(catalog)
    for name, topic in form.topics.items():
        path: Path = ("topics", name)
        _check_format(document, path, topic, plugins, findings)
        _check_dropped(document, path, topic, findings)
        if topic.service_aliases and catalog is not None and not aliases:
            message, hint = "no service of the catalog has an alias", "add `aliases: [...]` to services in catalog.yaml"
            findings.warning(document, (*path, "service_aliases"), message, hint, code=codes.NO_EFFECT)
    topics = {name: Topic(name, topic.format, _fields(topic, aliases)) for name, topic in form.topics.items()}
    return topics if findings.count() == before else None


def _aliases(catalog: Entries | None) -> Mapping[str, str]:
    services = catalog.services.values() if catalog is not None else ()
    return {alias: service.id for service in services for alias in service.aliases}


def _check_format(document: Document, path: Path, topic: TopicForm, plugins: Plugins, findings: Findings) -> None:
    known = plugins.formats.get(topic.format)
    if known is None:
        hint = suggestion(topic.format, plugins.formats)
        findings.error(
            document, (*path, "format"), f"there is no format `{topic.format}`", hint, code=codes.UNKNOWN_NAME
        )
        return
    for word in ("kind", "time"):
        if getattr(topic, word) is not None and not known.bodies:
            message = f"`{word}` has no effect: events of `{topic.format}` tell it themselves"
            findings.error(document, (*path, word), message, "remove it", key=True, code=codes.NO_EFFECT)


def _check_dropped(document: Document, path: Path, topic: TopicForm, findings: Findings) -> None:
    for index, name in enumerate(topic.drop):
        if name in topic.labels:
            message = f"`{name}` is given by `labels` and dropped again"
            hint = "remove it here: `labels` takes the place of what an event says"
            findings.error(document, (*path, "drop", index), message, hint)


def _fields(form: TopicForm, aliases: Mapping[str, str]) -> FieldMap | None:
    made = FieldMap(
        labels={label: tuple(theirs) for label, theirs in form.labels.items()},
        drop=frozenset(form.drop),
        key=form.key,
        add=dict(form.add),
        services=aliases if form.service_aliases else {},
        kind=None if form.kind is None else Kind(form.kind),
        time=tuple(form.time or ()),
    )
    return None if made == FieldMap() else made
