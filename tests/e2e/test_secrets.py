"""A secret in every place that may hold one, and everything that Fireline says searched for it, faults included."""

import contextlib
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from tests.e2e.outside import Outside, eventually
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(1800)]

CANARY = "c4n4ry"
API_TOKEN = f"api-{CANARY}-token"
RUNBOOK = """\
name: call-out
owner: payments-ml
reviewed: 2026-11-01
review_every: 90d
start: {when: "severity in ['outage', 'safety']", mode: auto}
steps:
  - id: ask
    uses: http.get
    with:
      url: "http://127.0.0.1:1/status"
      headers: {Authorization: "Bearer secret:DEPLOY"}
      timeout: 2s
    on_failure: continue
  - id: other
    uses: http.get
    with:
      url: "http://127.0.0.1:1/status"
      headers: {Authorization: "Bearer secret:ABSENT"}
    on_failure: continue
"""


def database_text(url: str) -> str:
    """Everything that is stored."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return "\n".join(str(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in tables)


def ask(fireline: Outside, path: str, token: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{fireline.port}{path}")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        with contextlib.closing(refused):
            return f"{refused.code} {refused.headers} {refused.read().decode()}"


@pytest.mark.parametrize("level", [pytest.param("info", marks=pytest.mark.long), "debug"])
def test_no_secret_is_ever_said(tmp_path: Path, repository: Path, postgres_server: PostgresServer, level: str):
    plain = postgres_server.new_database()
    url = plain.replace("fireline@", f"fireline:pass-{CANARY}-%40word@")
    runbooks = tmp_path / "runbooks"
    runbooks.mkdir()
    for path in (repository / "runbooks").glob("*.yaml"):
        (runbooks / path.name).write_text(path.read_text())
    (runbooks / "call-out.yaml").write_text(RUNBOOK)
    environment = {
        "FIRELINE_DATABASE": url,
        "FIRELINE_RUNBOOKS": str(runbooks),
        "FIRELINE_SLACK_BOT_TOKEN": f"xoxb-{CANARY}-bot",
        "FIRELINE_SLACK_APP_TOKEN": f"xapp-{CANARY}-app",
        "FIRELINE_SLACK_BASE_URL": "http://127.0.0.1:1/api/",
        "FIRELINE_KAFKA_PASSWORD": f"kafka-{CANARY}",
        "FIRELINE_API_TOKEN": API_TOKEN,
        "FIRELINE_SECRET_DEPLOY": f"deploy-{CANARY}",
        "FIRELINE_HTTP_ALLOW": "127.0.0.1",
        "FIRELINE_LOG_LEVEL": level,
    }
    fireline = Outside(tmp_path, repository, environment)
    rules = tmp_path / "rules" / "fraud.yaml"
    rules.write_text(rules.read_text().replace("runbooks: [route-to-fallback]", "runbooks: [call-out]"))
    said = []
    with fireline:
        fireline.bad_predictions()
        eventually("an incident is open", fireline.incidents, 30)
        eventually("the run ended", lambda: [run for run in fireline.runs() if run.over], 40)
        steps = {step.id: step for step in fireline.runs()[0].steps}
        assert "no connection" in steps["ask"].error
        assert "there is no secret ABSENT" in steps["other"].error
        assert "INC-1" in ask(fireline, "/api/incidents", API_TOKEN), "the token is the one that is wanted"
        for path in (
            "/api/incidents/1",
            "/api/incidents/x",
            "/api/runs/1",
            "/",
            "/metrics",
            "/healthz",
            "/openapi.json",
        ):
            said.append(ask(fireline, path, API_TOKEN))
            said.append(ask(fireline, path, API_TOKEN + "-wrong"))
        for words in (
            ["doctor"],
            ["doctor", "--json"],
            ["explain", "1"],
            ["incidents", "show", "1", "--json"],
            ["runs", "show", "1", "--json"],
            ["check"],
        ):
            done = fireline.command(*words)
            said += [done.stdout, done.stderr]
        wrong = fireline.command("incidents", "ls", FIRELINE_DATABASE=url.replace("127.0.0.1", "127.0.0.1:x:"))
        assert wrong.returncode == 2
        said += [wrong.stdout, wrong.stderr]
        said.append(database_text(plain))
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fireline'"
            )
        eventually("a lost connection is told", lambda: fireline.lines("WARNING", "terminating"), 20)
        fireline.store.close()
    said.append(fireline.log.read_text())
    for text in said:
        at = text.find(CANARY)
        assert at < 0, text[max(0, at - 300) : at + 100]
    postgres_server.drop_database(plain)
