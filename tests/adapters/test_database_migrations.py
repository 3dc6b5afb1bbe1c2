"""The migrations build exactly the tables that the code uses, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from fireline.adapters.database import migrate, open_store
from fireline.adapters.database_engines import build_engine
from fireline.adapters.database_migrations import FOLDER, newest, use_wal
from fireline.adapters.database_tables import metadata
from fireline.adapters.database_upgrades import configuration
from fireline.engine.ports import Unavailable


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return f"sqlite:///{tmp_path}/fireline.db"


def test_from_empty_to_newest_is_what_the_code_uses(url: str) -> None:
    migrate(url)
    engine = build_engine(url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        indexes = {i["name"] for table in metadata.tables for i in inspect(connection).get_indexes(table)}
    engine.dispose()
    wanted = {index.name for table in metadata.tables.values() for index in table.indexes}
    assert wanted <= indexes


def test_migrating_again_changes_nothing(url: str) -> None:
    migrate(url)
    store = open_store(url)
    with store.transaction() as tx:
        tx.put_fact("kept", {}, 1.0)
    store.close()
    migrate(url)
    store = open_store(url)
    with store.reading() as tx:
        assert tx.fact("kept") is not None
    store.close()


def test_every_migration_goes_back(url: str) -> None:
    migrate(url)
    engine = build_engine(url)
    with engine.begin() as connection:
        command.downgrade(configuration(FOLDER, connection), "base")
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
        command.upgrade(configuration(FOLDER, connection), "head")
        assert set(metadata.tables) < set(inspect(connection).get_table_names())
    engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(url: str) -> None:
    migrate(url)
    engine = build_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Unavailable, match="another Fireline version"):
        open_store(url)


def test_the_revisions_are_one_line() -> None:
    revisions = list(ScriptDirectory.from_config(configuration(FOLDER)).walk_revisions())
    assert ScriptDirectory.from_config(configuration(FOLDER)).get_heads() == [newest()]
    assert [r.revision for r in reversed(revisions)] == sorted(r.revision for r in revisions)


def test_the_partial_indexes_are_used(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")
    questions = {
        "SELECT data FROM incidents WHERE open IS 1 ORDER BY number DESC": "incidents_open",
        "SELECT lane, min(id) FROM effects WHERE done_at IS NULL GROUP BY lane": "effects_undone",
        "SELECT lane, max(leased_until) FROM effects WHERE leased_until IS NOT NULL GROUP BY lane": "effects_leased",
        "SELECT data FROM runs WHERE active IS 1 ORDER BY number DESC": "runs_active",
    }
    with store._writing() as connection:
        for question, index in questions.items():
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}").all())
            assert index in plan
    store.close()


def test_processes_that_make_a_database_at_once_do_not_meet(tmp_path: Path) -> None:
    """SQLite tells one of two that change the mode of a file at once that it is locked, without waiting."""
    for turn in range(100):
        engines = [build_engine(f"sqlite:///{tmp_path}/{turn}.db") for _ in range(4)]
        together = Barrier(len(engines))
        with ThreadPoolExecutor(len(engines)) as pool:
            told = [pool.submit(_wal_at, together, engine) for engine in engines]
            assert [each.result() for each in told] == ["wal"] * len(engines)
        for engine in engines:
            engine.dispose()


def _wal_at(together: Barrier, engine: Engine) -> object:
    together.wait()
    use_wal(engine)
    with engine.connect() as connection:
        return connection.execute(text("PRAGMA journal_mode")).scalar()
