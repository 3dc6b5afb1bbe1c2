"""aiokafka says ten times a second that a broker is away; once in a while is enough to know it."""

import logging


class Sparing(logging.Filter):
    """Lets the same complaint of the same logger through once in `every` seconds of its records' own time."""

    def __init__(self, every: float = 10.0) -> None:
        super().__init__()
        self._every = every
        self._said: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Complaints are alike when their text without arguments is."""
        alike = (record.name, record.msg)
        before = self._said.get(alike)
        if before is not None and 0 <= record.created - before < self._every:
            return False
        self._said[alike] = record.created
        return True


def spare_logs(every: float = 10.0) -> None:
    """Put the filter on every logger of aiokafka that exists now."""
    sparing = Sparing(every)
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "aiokafka"]:
        logger = logging.getLogger(name)
        if not any(isinstance(known, Sparing) for known in logger.filters):
            logger.addFilter(sparing)
