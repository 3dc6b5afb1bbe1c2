"""The topics that events come on, as the stream workers read them."""

from collections.abc import Mapping

from fireline.apps.settings import Settings
from fireline.domain.events import Source
from fireline.sources import FORMATS


def formats_of(settings: Settings) -> Mapping[str, Source]:
    """The source of each topic, by its name."""
    return {topic: FORMATS[form] for topic, form in settings.topics.items()}
