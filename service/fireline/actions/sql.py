"""sql.query: ask a database, without changing anything.

`sql.query` asks `database`, which the targets file (`FIRELINE_TARGETS`) names with its address and the secret that is
its password, one `statement`. The database itself sees to it that nothing is changed: PostgreSQL in a read-only
transaction that is rolled back, SQLite on a file that is opened read only. Give it a user who may read no more than
runbooks need: functions that act outside of transactions are kept from it by rights alone.

`parameters` are handed over beside the statement (`:name`), never pasted into it; a statement with `{{ }}` is refused.
At most `max_rows` rows and 64 kB are kept, and `timeout` ends it in the database. A query that fails for a moment is
tried again as the step's `retry` says.
"""

from collections.abc import Mapping

from pydantic import Field, JsonValue, field_validator

from fireline.actions.schema import ActionKind, Options, Output, Ports
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.domain.targets import unknown
from fireline.engine.outgoing import NotSent, Query
from fireline.engine.outward import StepContext
from fireline.spec.durations import PositiveDuration

EXAMPLE = """\
id: open_orders
uses: sql.query
with:
  database: orders
  statement: "SELECT count(*) AS n FROM orders WHERE service = :service AND settled IS NULL"
  parameters: {service: fraud-scoring}
"""


class QueryOptions(Options):
    """What is asked of which database."""

    database: str = Field(min_length=1, max_length=100, description="a database of the targets file")
    statement: str = Field(min_length=1, max_length=10_000, description="one statement, without `{{ }}`")
    parameters: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, max_length=50, description="values for the `:name` of the statement"
    )
    max_rows: int = Field(100, ge=1, le=1_000, description="rows that are kept")
    timeout: PositiveDuration = Field(10.0, le=300, description="how long it may take")

    @field_validator("parameters", mode="before")
    @classmethod
    def _plain(cls, value: JsonValue) -> JsonValue:
        if isinstance(value, dict) and any(isinstance(part, (list, dict)) for part in value.values()):
            raise ValueError("a parameter is a text, a number, true, false or null")
        return value


class SqlQuery:
    """Asks once."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._databases = ports.targets.databases
        self._queries = ports.queries

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """The rows."""
        assert isinstance(options, QueryOptions)
        database = self._databases.get(options.database)
        if database is None:
            return Failed(unknown("database", options.database, self._databases))
        if _pasted(options, context.written):
            return Failed(
                "statement: what data says is a parameter, and no part of the statement: write it without {{ }}"
            )
        if context.dry_run:
            return Done({"rows": [], "row": None, "count": 0, "cut": False})
        if self._queries is None:
            return Failed("databases are not set up in this process")
        asked = Query(
            database.url, database.password, options.statement, options.parameters, options.max_rows, options.timeout
        )
        answer = await self._queries(asked)
        if isinstance(answer, NotSent):
            return Failed(answer.reason) if answer.final else RetryLater(1.0, answer.reason)
        rows = [dict(row) for row in answer.rows]
        return Done({"rows": rows, "row": rows[0] if rows else None, "count": len(rows), "cut": answer.cut})


def _pasted(options: QueryOptions, written: object) -> bool:
    """Whether the statement is another than the author wrote, as places in it were filled."""
    return (
        not isinstance(written, Mapping) or written.get("statement") != options.statement or "{{" in options.statement
    )


KINDS = {
    "sql.query": ActionKind(
        options=QueryOptions,
        outputs={
            "rows": Output("list", "the rows, each by the names of its columns"),
            "row": Output("mapping", "the first row, nothing when there is none"),
            "count": Output("int", "how many rows are here"),
            "cut": Output("bool", "whether there were more"),
        },
        mutates=False,
        build=SqlQuery,
        page=__doc__,
        example=EXAMPLE,
    )
}
