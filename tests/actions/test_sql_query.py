"""sql.query on real databases: the rows, and no way to change anything."""

import asyncio
import sqlite3
from dataclasses import replace

import psycopg
import pytest

from fireline.actions.schema import Ports
from fireline.actions.sql import QueryOptions, SqlQuery
from fireline.adapters.database_queries import ReadOnlyQueries
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.domain.targets import Database, Targets
from fireline.engine.outward import StepContext

SECRET = "s3cr3t-password"
SECRETS = EnvironmentSecrets(environment={"FIRELINE_SECRET_ORDERS": SECRET})
CONTEXT = StepContext("run-1.ask", 1, "ask", None, 100.0, {}, 100.0)
TABLE = "CREATE TABLE orders (id INTEGER, service TEXT, price NUMERIC(8, 2))"
ROWS = "INSERT INTO orders VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, 'a', NULL)"


def lite(tmp_path):
    file = tmp_path / "orders.db"
    with sqlite3.connect(file) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    connection.close()
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return lite(tmp_path)
    found = request.getfixturevalue("postgres_url").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(found) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    return found


def count(url):
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
        connection.close()
        return found
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM orders").fetchone()[0]


async def ask(url, statement, written=None, password="ORDERS", **more):
    targets = Targets(databases={"orders": Database(url, password)})
    ports = Ports(None, None, None, None, queries=ReadOnlyQueries(SECRETS), targets=targets)
    given = {"database": "orders", "statement": statement, **more}
    context = replace(CONTEXT, written=written or given)
    return await SqlQuery(ports).perform(QueryOptions.model_validate(given), context)


async def test_rows_come_by_the_names_of_their_columns(url):
    outcome = await ask(url, "SELECT id, price FROM orders WHERE service = :s ORDER BY id", parameters={"s": "a"})
    assert outcome == Done(
        {
            "rows": [{"id": 1, "price": 1.5}, {"id": 3, "price": None}],
            "row": {"id": 1, "price": 1.5},
            "count": 2,
            "cut": False,
        }
    )


async def test_what_a_parameter_says_is_a_value(url):
    hostile = "a' OR 1=1; DROP TABLE orders; --"
    outcome = await ask(url, "SELECT id FROM orders WHERE service = :s", parameters={"s": hostile})
    assert outcome.output["count"] == 0
    outcome = await ask(
        url, "SELECT count(*) AS n FROM orders WHERE service = :s OR id > :n", parameters={"s": "%", "n": 2}
    )
    assert outcome.output["row"] == {"n": 1}
    assert count(url) == 3


WRITES = [
    "DELETE FROM orders",
    "INSERT INTO orders VALUES (9, 'x', 1)",
    "UPDATE orders SET price = 0",
    "DROP TABLE orders",
    "CREATE TABLE more (id INTEGER)",
    "SELECT 1; DELETE FROM orders",
    "COMMIT; DELETE FROM orders",
    "ROLLBACK; BEGIN; DELETE FROM orders; COMMIT",
    "COMMIT",
    "BEGIN",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
    "/* SELECT */ DELETE FROM orders",
    "SELECT 1 -- \n; DELETE FROM orders",
]
POSTGRES = [
    "SET TRANSACTION READ WRITE",
    "SET TRANSACTION READ WRITE; DELETE FROM orders; COMMIT",
    "SET default_transaction_read_only = off; COMMIT; DELETE FROM orders",
    "DO $$ BEGIN DELETE FROM orders; END $$",
    "DO $$ BEGIN COMMIT; DELETE FROM orders; COMMIT; END $$",
    "DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM orders; END $$",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "COPY orders FROM PROGRAM 'echo 9'",
    "TRUNCATE orders",
    "SELECT * FROM orders FOR UPDATE",
    "CREATE TEMP TABLE more AS SELECT 1; INSERT INTO orders SELECT 9, 'x', 1",
    "PREPARE t AS DELETE FROM orders",
]
SQLITE = [
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "ATTACH DATABASE '{folder}/other.db' AS other",
    "VACUUM INTO '{folder}/copy.db'",
    "VACUUM",
    "SELECT load_extension('x')",
]


@pytest.mark.parametrize("statement", WRITES)
async def test_nothing_is_changed_whatever_is_written(url, statement, tmp_path):
    await _holds(url, statement)


@pytest.mark.parametrize("statement", POSTGRES)
async def test_postgresql_keeps_it_read_only(postgres_url, statement):
    url = postgres_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    await _holds(url, statement)


@pytest.mark.parametrize("statement", SQLITE)
async def test_sqlite_keeps_to_its_file(tmp_path, statement):
    url = lite(tmp_path)
    outcome = await ask(url, statement.format(folder=tmp_path), password="")
    assert isinstance(outcome, Failed)
    assert {path.name for path in tmp_path.iterdir()} == {"orders.db"}
    assert count(url) == 3


async def _holds(url, statement):
    outcome = await ask(url, statement)
    assert isinstance(outcome, (Done, Failed))
    if ("DELETE" in statement or "orders SET" in statement or "DROP" in statement) and "PREPARE" not in statement:
        assert isinstance(outcome, Failed), outcome
    assert count(url) == 3


async def test_rows_and_sizes_have_bounds(url):
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT x FROM n"
    outcome = await ask(url, many, max_rows=5)
    assert outcome.output["count"] == 5
    assert outcome.output["cut"] is True
    wide = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 900) SELECT x, :long AS long FROM n"
    )
    outcome = await ask(url, wide, max_rows=1000, parameters={"long": "y" * 9_000})
    assert outcome.output["cut"] is True
    assert len(str(outcome.output["rows"])) < 80_000
    assert len(outcome.output["row"]["long"]) == 4_000


async def test_one_that_takes_too_long_is_ended_in_the_database(url):
    forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    outcome = await ask(url, forever, timeout="300ms")
    assert isinstance(outcome, Failed), outcome


async def test_who_is_cancelled_ends_it(url):
    forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    doing = asyncio.create_task(ask(url, forever, timeout="1m"))
    await asyncio.sleep(0.2)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(doing, 60)
    assert count(url) == 3


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [("SELECT :missing", {}), ("SELECT nothing FROM nowhere", {}), ("SELEC 1", {}), ("", None)],
)
async def test_a_question_that_cannot_be_asked_is_told(url, statement, parameters):
    if not statement:
        with pytest.raises(ValueError, match="statement"):
            QueryOptions(database="orders", statement="")
        return
    outcome = await ask(url, statement, parameters=parameters)
    assert isinstance(outcome, Failed)
    assert outcome.reason
    assert SECRET not in str(outcome)


async def test_data_is_no_part_of_a_statement():
    for written in ({"statement": "SELECT '{{ inputs.x }}'"}, {}, None):
        ports = Ports(None, None, None, None, targets=Targets(databases={"orders": Database("sqlite:///x")}))
        outcome = await SqlQuery(ports).perform(
            QueryOptions(database="orders", statement="SELECT 'x'"), replace(CONTEXT, written=written)
        )
        assert isinstance(outcome, Failed)
        assert "parameter" in outcome.reason


async def test_a_database_that_is_away_is_tried_again_and_its_password_is_not_told():
    outcome = await ask("postgresql://reader@127.0.0.1:9/orders", "SELECT 1")
    assert isinstance(outcome, RetryLater)
    assert SECRET not in str(outcome)
    missing = await ask("postgresql://reader@127.0.0.1:9/orders", "SELECT 1", password="NOBODY")
    assert missing == Failed("there is no secret NOBODY")
    gone = await ask("sqlite:////nowhere/at/all.db", "SELECT 1")
    assert isinstance(gone, Failed)


async def test_a_database_that_is_not_listed_is_not_asked():
    outcome = await SqlQuery(Ports(None, None, None, None)).perform(
        QueryOptions(database="orders", statement="SELECT 1"), CONTEXT
    )
    assert isinstance(outcome, Failed)
    assert "targets file" in outcome.reason
