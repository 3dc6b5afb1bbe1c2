"""The topics that events come on, as the stream workers read them: those of the settings and those of `topics.yaml`.

`configured` is always what `topics.yaml` says of topics. It takes the place of what the settings say of the same one.
"""

from collections.abc import Mapping

from fireline.apps.bootstrap import plugins
from fireline.apps.settings import Settings
from fireline.domain.events import Source
from fireline.domain.topics import Topic
from fireline.sources import source_of
from fireline.spec.loading import load


def configured_topics(settings: Settings) -> Mapping[str, Topic]:
    """What the file says now, for commands; nothing while files have faults, which `fireline check` tells."""
    configuration = load(settings.rules, settings.runbooks, plugins()).configuration
    return configuration.topics if configuration is not None else {}


def topics_of(settings: Settings, configured: Mapping[str, Topic]) -> Mapping[str, Topic]:
    """Every topic by its name."""
    return {name: Topic(name, form) for name, form in settings.topics.items()} | dict(configured)


def formats_of(settings: Settings, configured: Mapping[str, Topic]) -> Mapping[str, Source]:
    """The source of each topic, by its name."""
    return {name: source_of(topic.format, topic.fields) for name, topic in topics_of(settings, configured).items()}


def overruled(settings: Settings, configured: Mapping[str, Topic]) -> list[str]:
    """A sentence for each topic of which both say a format, and not the same one."""
    if "topics" not in settings.model_fields_set:
        return []
    return [
        f"topics.yaml reads {name} as {topic.format}, which takes the place of FIRELINE_TOPICS' {settings.topics[name]}"
        for name, topic in configured.items()
        if settings.topics.get(name, topic.format) != topic.format
    ]
