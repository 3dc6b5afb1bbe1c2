"""What the web role needs of the database beside the port: to read without waiting for those who write."""

from contextlib import AbstractContextManager
from typing import Protocol

from fireline.engine.ports import Store, Transaction


class WebStore(Store, Protocol):
    """The store, with a view for readers."""

    def reading(self) -> AbstractContextManager[Transaction]:
        """A consistent view that locks nothing and cannot write."""
        ...
