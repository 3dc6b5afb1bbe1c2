"""The house that latency is measured in: a service, a person, a team and a room for every trial.

Slack takes about one message a second and room. With a person and a room for each trial no trial waits for that limit
on account of another one; what is measured is the way to Slack, not a queue that Slack asks for.
"""

import json
from dataclasses import dataclass
from pathlib import Path

BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-bench", "xapp-bench", "bench-signing-secret"

RULES = {
    "rules": [
        {
            "name": "slow",
            "on": "metric",
            "where": {"name": "latency_ms"},
            "by": ["service"],
            "window": "10s",
            "measures": {"p99": {"agg": "quantile", "q": 0.99, "of": "value"}, "n": {"agg": "count"}},
            "severity": {"outage": {"when": "p99 > 800.0 && n >= 1", "for": "0s"}},
            "summary": "p99 of {{ service }} is {{ measures.p99 | round }} ms",
        },
        {
            "name": "failing",
            "on": "metric",
            "where": {"name": "error_share"},
            "by": ["service"],
            "window": "10s",
            "measures": {"share": {"agg": "max", "of": "value"}},
            "severity": {"outage": {"when": "share > 0.2", "for": "0s"}},
            "summary": "{{ measures.share | percent }} of the requests to {{ service }} fail",
            "runbooks": ["to-fallback"],
        },
        *(
            {
                "name": f"quiet_{number}",
                "on": "metric",
                "where": {"name": "latency_ms", "region": region},
                "by": ["service", "region"],
                "window": window,
                "measures": {"p95": {"agg": "quantile", "q": 0.95, "of": "value"}, "n": {"agg": "count"}},
                "severity": {"degraded": {"when": f"p95 > {5000 + number}.0 && n >= 50", "for": "30s"}},
                "summary": "slow",
            }
            for number, (region, window) in enumerate((("eu", "1m"), ("us", "1m"), ("eu", "5m"), ("us", "5m")))
        ),
    ]
}

RUNBOOK = {
    "name": "to-fallback",
    "owner": "crowd",
    "reviewed": "2026-11-01",
    "review_every": "900d",
    "inputs": {"service": {"type": "string"}},
    "start": {"when": "severity in ['outage', 'safety']", "mode": "auto"},
    "guards": {"lock": "service:{{ inputs.service }}", "budget": {"runs": 3, "per": "1h"}},
    "steps": [
        {"id": "before", "uses": "route.get", "with": {"service": "{{ inputs.service }}"}},
        {
            "id": "reroute",
            "uses": "route.set",
            "with": {"service": "{{ inputs.service }}", "to": {"fallback": 100}},
            "undo": {
                "uses": "route.set",
                "with": {"service": "{{ inputs.service }}", "to": "{{ steps.before.route }}"},
            },
        },
    ],
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where one trial happens."""

    number: int

    @property
    def service(self) -> str:
        """Its service in the catalog."""
        return f"svc-{self.number:04d}"

    @property
    def user(self) -> str:
        """The Slack member who is paged."""
        return f"U{self.number:04d}"

    @property
    def room(self) -> str:
        """The Slack channel of the card."""
        return f"C{self.number:04d}"


def write(home: Path, places: list[Place], *, waits: list[str], load: int) -> None:
    """Rules, catalog, rota and runbook in `home`; each policy asks its one person, once for each of `waits`."""
    rules, runbooks = home / "rules", home / "runbooks"
    rules.mkdir()
    runbooks.mkdir()
    people = {
        f"p{p.number}": {"name": f"Person {p.number}", "contacts": {"slack": p.user, "console": "c"}} for p in places
    }
    teams: dict[str, object] = {
        f"t{p.number}": {
            "name": f"Team {p.number}",
            "policy": f"t{p.number}",
            "members": [f"p{p.number}"],
            "channels": {"slack": p.room},
        }
        for p in places
    }
    policies: dict[str, object] = {
        f"t{p.number}": {"levels": [{"targets": [f"schedule:s{p.number}"], "wait": wait} for wait in waits]}
        for p in places
    }
    layer = {"name": "always", "starts": "2026-01-05", "at": "09:00", "every": "7d"}
    schedules = {
        f"s{p.number}": {"time_zone": "UTC", "layers": [{**layer, "people": [f"p{p.number}"]}]} for p in places
    }
    services = {p.service: _service(f"t{p.number}") for p in places}
    services |= {f"load-{number:02d}": _service("crowd") for number in range(load)}
    teams["crowd"] = {"name": "Crowd", "policy": "crowd", "members": [f"p{places[0].number}"]}
    policies["crowd"] = {"levels": [{"targets": [f"person:p{places[0].number}"], "wait": "30m"}]}
    catalog = {"default_team": "crowd", "people": people, "teams": teams, "services": services}
    severities = {"severities": {"safety": {}, "outage": {}, "degraded": {}, "notice": {"pages": False}}}
    for name, content in {
        "catalog": catalog,
        "oncall": {"schedules": schedules, "policies": policies},
        "severities": severities,
        "latency": RULES,
    }.items():
        (rules / f"{name}.yaml").write_text(json.dumps(content, indent=1))
    (runbooks / "to-fallback.yaml").write_text(json.dumps(RUNBOOK, indent=1))


def _service(team: str) -> dict[str, object]:
    return {
        "owner": team,
        "what": "Answers trials.",
        "primary": "primary",
        "fallback": "fallback",
        "targets": {"primary": {}, "fallback": {}},
        "rollback": "There is nothing to roll back.",
    }


def slack_world(places: list[Place]) -> dict[str, object]:
    """The configuration of the local Slack: a member and a room for each trial."""
    return {
        "workspace": {"name": "Bench", "domain": "bench", "teamId": "T0BENCH"},
        "app": {
            "appId": "A0FIRE",
            "botUserId": "U0FIRE",
            "botName": "Fireline",
            "botToken": BOT_TOKEN,
            "appToken": APP_TOKEN,
            "signingSecret": SECRET,
            "mode": "socket",
        },
        "users": [
            {"id": p.user, "name": f"p{p.number}", "real_name": f"Person {p.number}", "email": f"p{p.number}@x.org"}
            for p in places
        ],
        "channels": [{"id": p.room, "name": f"room-{p.number}", "members": [p.user]} for p in places],
    }
