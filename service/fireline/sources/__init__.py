"""One file, one wire format: bytes and headers into events, or the reason why not."""

from collections.abc import Mapping

from fireline.domain.events import Source
from fireline.sources.native import Native

FORMATS: Mapping[str, Source] = {"native": Native()}
"""Every format, by the name a topic's setting uses."""
