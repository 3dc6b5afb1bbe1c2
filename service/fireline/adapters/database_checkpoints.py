"""Checkpoints of evaluate: the windows of one partition and the offset they stand for, moved together."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, select

from fireline.adapters.codec import decode_mapping, encode_mapping
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import checkpoints, facts, windows
from fireline.engine.ports import StaleVersion
from fireline.engine.watching import Checkpoint, Claim

BATCH = 500
"""Rows written by one statement."""


class CheckpointRows(Rows):
    """The part of a transaction about checkpoints."""

    def claim(self, topic: str, partition: int, now: float) -> Claim:
        """Take a partition over: every earlier claim on it is outdated from here on."""
        claim = Claim(topic, partition, 1 + self._claimed(topic, partition))
        self._put(facts, {"key": _fact(topic, partition), "at": now, "data": encode_mapping({"number": claim.number})})
        return claim

    def holds(self, claim: Claim) -> bool:
        """Whether nobody has taken the partition over since; nobody can until the end of this transaction."""
        return self._claimed(claim.topic, claim.partition) == claim.number

    def _claimed(self, topic: str, partition: int) -> int:
        self._lock(f"claim\n{topic}\n{partition}")
        kept = self._connection.execute(select(facts.c.data).where(facts.c.key == _fact(topic, partition))).scalar()
        return int(str(decode_mapping(kept)["number"])) if kept is not None else 0

    def load_checkpoint(self, topic: str, partition: int, generation: str) -> Checkpoint | None:
        """The newest state of this generation, all windows; None to start afresh."""
        statement = select(checkpoints).where(_place(checkpoints.c, topic, partition))
        row = self._connection.execute(statement).first()
        if row is None or row.generation != generation:
            return None
        return self._read(row, _place(windows.c, topic, partition))

    def checkpoints_with(self, topic: str, prefix: str) -> list[Checkpoint]:
        """The newest state of all partitions, with those windows alone whose keys begin so."""
        found = self._connection.execute(select(checkpoints).where(checkpoints.c.topic == topic)).all()
        alike = windows.c.key.startswith(prefix, autoescape=True)
        return [self._read(row, and_(_place(windows.c, topic, row.partition), alike)) for row in found]

    def _read(self, row: Row[Any], which: ColumnElement[bool]) -> Checkpoint:
        kept = self._connection.execute(select(windows.c.key, windows.c.data).where(which))
        held = {key: bytes(data) for key, data in kept}
        return Checkpoint(row.topic, row.partition, row.generation, row.position, bytes(row.header), held)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Merge the changed windows and move the offset.

        Another generation's windows go. An offset before the stored one is the belated word of a worker that lost
        its partition: StaleVersion, and nothing is changed.
        """
        topic, partition = checkpoint.topic, checkpoint.partition
        self._lock(f"checkpoint\n{topic}\n{partition}")
        statement = select(checkpoints.c.generation, checkpoints.c.position)
        before = self._connection.execute(statement.where(_place(checkpoints.c, topic, partition))).first()
        if before is not None and before.generation != checkpoint.generation:
            self._connection.execute(delete(windows).where(_place(windows.c, topic, partition)))
        elif before is not None and before.position > checkpoint.offset:
            raise StaleVersion(f"{topic}/{partition}: the checkpoint at {before.position} is newer")
        self._merge(topic, partition, checkpoint.windows)
        self._put(checkpoints, _row(checkpoint))

    def _merge(self, topic: str, partition: int, changed: Mapping[str, bytes | None]) -> None:
        gone = [key for key, data in changed.items() if data is None]
        for start in range(0, len(gone), BATCH):
            some = windows.c.key.in_(gone[start : start + BATCH])
            self._connection.execute(delete(windows).where(and_(_place(windows.c, topic, partition), some)))
        rows = [
            {"topic": topic, "partition": partition, "key": key, "data": data}
            for key, data in changed.items()
            if data is not None
        ]
        statement = self._insert(windows)
        upsert = statement.on_conflict_do_update(
            index_elements=["topic", "partition", "key"], set_={"data": statement.excluded.data}
        )
        if rows:
            self._connection.execute(upsert, rows)


def _fact(topic: str, partition: int) -> str:
    return f"claim:{topic}:{partition}"


def _place(columns: object, topic: str, partition: int) -> ColumnElement[bool]:
    return and_(columns.topic == topic, columns.partition == partition)  # type: ignore[attr-defined]  # either table's


def _row(checkpoint: Checkpoint) -> dict[str, object]:
    return {
        "topic": checkpoint.topic,
        "partition": checkpoint.partition,
        "generation": checkpoint.generation,
        "position": checkpoint.offset,
        "header": checkpoint.header,
    }
