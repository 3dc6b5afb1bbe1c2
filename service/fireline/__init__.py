"""Fireline: from event to recovered traffic, with a named owner on every page."""

__version__ = "0.1.0"
