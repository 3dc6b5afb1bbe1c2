"""Exports of other tools, in the shapes their APIs document: who is on call stays so, and what is lost is told."""

import contextlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from fireline.apps.bootstrap import plugins
from fireline.apps.import_draft import Draft
from fireline.apps.import_ics import (
    Happening,
    Period,
    Unreadable,
    happenings,
    holidays,
    person_of,
    take_shifts,
)
from fireline.apps.oncall_import import TOOLS, written
from fireline.domain.oncall import OnCall
from fireline.domain.policies import Policy
from fireline.domain.rota import gaps, who
from fireline.spec.loading import load

OSLO = ZoneInfo("Europe/Oslo")

PAGERDUTY = [
    {
        "users": [
            {
                "id": "PU1",
                "type": "user",
                "name": "Ida Berg",
                "email": "ida@example.com",
                "time_zone": "Europe/Oslo",
                "teams": [{"id": "PT1", "type": "team_reference"}],
                "contact_methods": [
                    {"id": "C1", "type": "email_contact_method", "address": "ida@example.com"},
                    {"id": "C2", "type": "phone_contact_method", "address": "5550100"},
                ],
                "notification_rules": [{"id": "N1", "start_delay_in_minutes": 5}],
            },
            {"id": "PU2", "name": "Jon Dahl", "email": "jon@example.com", "time_zone": "America/New_York"},
        ],
        "limit": 25,
        "more": False,
    },
    {"teams": [{"id": "PT1", "name": "Core"}, {"id": "PT2", "name": "Idle"}]},
    {
        "schedule": {
            "id": "PS1",
            "name": "Core Primary",
            "time_zone": "Europe/Oslo",
            "schedule_layers": [
                {
                    "name": "Nights",
                    "start": "2026-01-05T20:00:00+01:00",
                    "end": None,
                    "rotation_virtual_start": "2026-01-05T20:00:00+01:00",
                    "rotation_turn_length_seconds": 86400,
                    "users": [{"user": {"id": "PU2", "type": "user_reference", "summary": "Jon Dahl"}}],
                    "restrictions": [
                        {"type": "daily_restriction", "start_time_of_day": "20:00:00", "duration_seconds": 43200}
                    ],
                },
                {
                    "name": "Weekly",
                    "start": "2026-02-02T09:00:00+01:00",
                    "end": None,
                    "rotation_virtual_start": "2026-01-05T09:00:00+01:00",
                    "rotation_turn_length_seconds": 604800,
                    "users": [
                        {"user": {"id": "PU1", "type": "user_reference", "summary": "Ida Berg"}},
                        {"user": {"id": "PU9", "type": "user_reference", "summary": "Liv Moe"}},
                    ],
                    "restrictions": [],
                },
                {
                    "name": "Odd",
                    "start": "2026-01-05T09:00:00+01:00",
                    "rotation_virtual_start": "2026-01-05T09:00:00+01:00",
                    "rotation_turn_length_seconds": 5000,
                    "users": [{"user": {"id": "PU1", "type": "user_reference"}}],
                },
            ],
            "overrides_subschedule": {
                "rendered_schedule_entries": [
                    {
                        "start": "2026-02-03T10:00:00+01:00",
                        "end": "2026-02-03T12:00:00+01:00",
                        "user": {"id": "PU2", "type": "user_reference", "summary": "Jon Dahl"},
                    }
                ]
            },
        }
    },
    {
        "escalation_policies": [
            {
                "id": "PP1",
                "name": "Core",
                "num_loops": 2,
                "teams": [{"id": "PT1", "type": "team_reference"}],
                "escalation_rules": [
                    {
                        "escalation_delay_in_minutes": 15,
                        "targets": [{"id": "PS1", "type": "schedule_reference", "summary": "Core Primary"}],
                    },
                    {
                        "escalation_delay_in_minutes": 30,
                        "targets": [
                            {"id": "PU1", "type": "user_reference"},
                            {"id": "PS7", "type": "schedule_reference", "summary": "Lost"},
                        ],
                        "escalation_rule_assignment_strategy": {"type": "round_robin"},
                    },
                ],
            }
        ],
        "services": [],
    },
]

OPSGENIE = [
    {"data": [{"id": "u1", "username": "ida@example.com", "fullName": "Ida Berg", "timeZone": "Europe/Oslo"}]},
    {
        "data": [
            {
                "id": "s1",
                "name": "Core_schedule",
                "timezone": "Europe/Oslo",
                "enabled": True,
                "rotations": [
                    {
                        "id": "r1",
                        "name": "Office",
                        "startDate": "2026-01-05T08:00:00Z",
                        "type": "daily",
                        "length": 1,
                        "participants": [
                            {"type": "user", "id": "u1", "username": "ida@example.com"},
                            {"type": "user", "id": "u2", "username": "jon@example.com"},
                            {"type": "none"},
                        ],
                        "timeRestriction": {
                            "type": "weekday-and-time-of-day",
                            "restrictions": [
                                {
                                    "startDay": "monday",
                                    "startHour": 8,
                                    "startMin": 30,
                                    "endDay": "wednesday",
                                    "endHour": 18,
                                    "endMin": 0,
                                }
                            ],
                        },
                    },
                    {
                        "id": "r2",
                        "name": "Rest",
                        "startDate": "2026-01-05T08:00:00Z",
                        "endDate": "2026-06-01T08:00:00Z",
                        "type": "hourly",
                        "length": 12,
                        "participants": [{"type": "user", "username": "jon@example.com"}],
                        "timeRestriction": {
                            "type": "time-of-day",
                            "restriction": {"startHour": 18, "startMin": 0, "endHour": 6, "endMin": 0},
                        },
                    },
                ],
            }
        ]
    },
    {
        "data": [
            {
                "id": "e1",
                "name": "Core_escalation",
                "ownerTeam": {"id": "t1", "name": "Core"},
                "rules": [
                    {
                        "condition": "if-not-acked",
                        "notifyType": "default",
                        "delay": {"timeAmount": 0, "timeUnit": "minutes"},
                        "recipient": {"type": "schedule", "id": "s1", "name": "Core_schedule"},
                    },
                    {
                        "condition": "if-not-acked",
                        "notifyType": "next",
                        "delay": {"timeAmount": 5, "timeUnit": "minutes"},
                        "recipient": {"type": "schedule", "id": "s1", "name": "Core_schedule"},
                    },
                    {
                        "condition": "if-not-closed",
                        "notifyType": "default",
                        "delay": {"timeAmount": 1, "timeUnit": "hours"},
                        "recipient": {"type": "user", "username": "jon@example.com"},
                    },
                    {
                        "condition": "if-not-acked",
                        "notifyType": "all",
                        "delay": {"timeAmount": 2, "timeUnit": "hours"},
                        "recipient": {"type": "team", "id": "t1", "name": "Core"},
                    },
                ],
                "repeat": {"waitInterval": 20, "count": 3},
            },
            {"id": "t1", "name": "Core", "members": [{"user": {"id": "u1", "username": "ida@example.com"}}]},
            {
                "alias": "o1",
                "_parent": {"id": "s1", "name": "Core_schedule"},
                "user": {"type": "user", "username": "jon@example.com"},
                "startDate": "2026-01-06T10:00:00Z",
                "endDate": "2026-01-06T11:00:00Z",
                "rotations": [{"id": "r1", "name": "Office"}],
            },
            {"id": "x1", "name": "policy of another kind"},
        ]
    },
]

GRAFANA = [
    {
        "count": 2,
        "results": [
            {"id": "U1", "username": "ida", "email": "ida@example.com", "slack": [{"user_id": "W1", "team_id": "T"}]},
            {"id": "U2", "username": "jon", "email": "jon@example.com", "timezone": "Nowhere/Land"},
        ],
    },
    {
        "results": [
            {
                "id": "S1",
                "name": "Core",
                "type": "calendar",
                "team_id": None,
                "time_zone": "Europe/Oslo",
                "shifts": ["H1", "H2", "H3", "H4", "H9"],
            },
            {"id": "S2", "name": "Feed", "type": "ical", "ical_url_primary": "https://example.com/x.ics"},
        ]
    },
    {
        "results": [
            {
                "id": "H1",
                "name": "weekly",
                "type": "rolling_users",
                "level": 1,
                "start": "2026-01-05T09:00:00",
                "duration": 604800,
                "frequency": "weekly",
                "interval": 1,
                "rolling_users": [["U1"], ["U2", "U1"]],
                "start_rotation_from_user_index": 1,
            },
            {
                "id": "H2",
                "name": "evenings",
                "type": "recurrent_event",
                "level": 5,
                "start": "2026-01-05T18:00:00",
                "duration": 10800,
                "frequency": "weekly",
                "by_day": ["MO", "TU"],
                "users": ["U1"],
            },
            {
                "id": "H3",
                "name": "launch",
                "type": "single_event",
                "level": 9,
                "start": "2026-01-08T10:00:00",
                "duration": 7200,
                "users": ["U1"],
            },
            {
                "id": "H4",
                "name": "first of the month",
                "type": "recurrent_event",
                "start": "2026-01-01T10:00:00",
                "duration": 7200,
                "frequency": "monthly",
                "by_monthday": [1],
                "users": ["U1"],
            },
        ]
    },
    {"results": [{"id": "F1", "name": "Core chain", "team_id": None}]},
    {
        "results": [
            {"id": "E2", "escalation_chain_id": "F1", "position": 1, "type": "wait", "duration": 300},
            {
                "id": "E1",
                "escalation_chain_id": "F1",
                "position": 0,
                "type": "notify_on_call_from_schedule",
                "notify_on_call_from_schedule": "S1",
            },
            {
                "id": "E3",
                "escalation_chain_id": "F1",
                "position": 2,
                "type": "notify_persons",
                "persons_to_notify": ["U2"],
            },
            {"id": "E4", "escalation_chain_id": "F1", "position": 3, "type": "trigger_webhook"},
            {"id": "E5", "escalation_chain_id": "F1", "position": 4, "type": "repeat_escalation"},
        ]
    },
]


def taken(tool: str, documents: list[object]) -> Draft:
    draft = Draft()
    TOOLS[tool](json.loads(json.dumps(documents)), draft)
    return draft


def loaded(draft: Draft, folder: Path) -> OnCall:
    """What the loader makes of the written files, once a person has added the contacts that an export lacks."""
    for person in draft.people.values():
        person.setdefault("contacts", {"console": "x"})
    rules, runbooks = folder / "rules", folder / "runbooks"
    rules.mkdir()
    runbooks.mkdir()
    (rules / "oncall.yaml").write_text(written({"schedules": draft.schedules, "policies": draft.policies}, draft.notes))
    teams = draft.teams or {"t": {"name": "T", "policy": next(iter(draft.policies)), "members": []}}
    catalog = {"people": draft.people, "teams": teams, "services": {}}
    (rules / "catalog.yaml").write_text(written(catalog, []))
    found = load(rules, runbooks, plugins())
    problems = [problem for problem in found.problems if problem.severity == "error"]
    assert found.configuration is not None, problems
    return found.configuration.oncall


def on_call(oncall: OnCall, schedule: str, *args: int) -> str | None:
    shift = who(oncall.schedules[schedule], datetime(*args, tzinfo=OSLO))
    return shift.person if shift else None


def told(policy: Policy) -> list[tuple[list[str], float]]:
    return [([str(target) for target in level.targets], level.wait) for level in policy.levels]


def noted(draft: Draft, *words: str) -> bool:
    return any(all(word in note for word in words) for note in draft.notes)


def test_pagerduty(tmp_path):
    draft = taken("pagerduty", PAGERDUTY)
    oncall = loaded(draft, tmp_path)
    assert draft.people["ida-berg"] == {
        "name": "Ida Berg",
        "time_zone": "Europe/Oslo",
        "contacts": {"email": "ida@example.com"},
    }
    assert draft.teams["core"] == {"name": "Core", "policy": "core", "members": ["ida-berg"]}
    name = "core-primary"
    assert on_call(oncall, name, 2026, 2, 2, 21) == "jon-dahl", "the layer that is listed first wins"
    assert on_call(oncall, name, 2026, 2, 3, 7, 59) == "jon-dahl"
    assert on_call(oncall, name, 2026, 2, 2, 12) == "ida-berg", "four turns after the virtual start"
    assert on_call(oncall, name, 2026, 2, 9, 12) == "liv-moe"
    assert on_call(oncall, name, 2026, 2, 2, 8, 30) is None, "the layer counts from its start, not its virtual start"
    assert on_call(oncall, name, 2026, 2, 3, 11) == "jon-dahl", "the override wins"
    assert told(oncall.policies["core"]) == [(["schedule:core-primary"], 900.0), (["person:ida-berg"], 1800.0)]
    assert oncall.policies["core"].repeat == 2
    for words in (
        ("Ida Berg", "phone contact method"),
        ("Ida Berg", "notification rules"),
        ("Liv Moe", "no contact"),
        ("layer Odd", "5000 s"),
        ("level 2", "round robin"),
        ("level 2", "Lost"),
        ("team Idle", "left out"),
        ("`services`",),
    ):
        assert noted(draft, *words), words


def test_opsgenie(tmp_path):
    draft = taken("opsgenie", OPSGENIE)
    oncall = loaded(draft, tmp_path)
    name = "core-schedule"
    assert [on_call(oncall, name, 2026, 1, day, 10) for day in (5, 6, 7, 8)] == ["ida-berg", "jon", None, None]
    assert on_call(oncall, name, 2026, 1, 5, 23) == "ida-berg", "hours that run over several days"
    assert on_call(oncall, name, 2026, 1, 6, 11, 30) == "jon", "the override, which is in UTC there"
    assert on_call(oncall, name, 2026, 1, 9, 2) == "jon"
    assert on_call(oncall, name, 2026, 6, 5, 2) is None, "the rotation has ended"
    assert told(oncall.policies["core-escalation"]) == [
        (["schedule:core-schedule"], 300.0),
        (["next:core-schedule"], 3300.0),
        (["person:jon"], 1200.0),
    ]
    assert oncall.policies["core-escalation"].repeat == 3
    assert draft.teams["core"]["policy"] == "core-escalation"
    for words in (
        ("the override", "Office alone"),
        ("rotations overlap",),
        ("if-not-closed",),
        ("all of team Core",),
        ("jon@example.com", "not among the users"),
        ("policy of another kind",),
    ):
        assert noted(draft, *words), words


def test_grafana_oncall(tmp_path):
    draft = taken("grafana-oncall", GRAFANA)
    oncall = loaded(draft, tmp_path)
    assert draft.people["ida"]["contacts"] == {"slack": "W1", "email": "ida@example.com"}
    assert on_call(oncall, "core", 2026, 1, 5, 10) == "jon", "the rotation starts with the second user"
    assert on_call(oncall, "core", 2026, 1, 12, 10) == "ida"
    assert on_call(oncall, "core", 2026, 1, 6, 19) == "ida", "a higher level wins"
    assert on_call(oncall, "core", 2026, 1, 7, 19) == "jon", "not on a day that it does not name"
    assert on_call(oncall, "core", 2026, 1, 8, 11) == "ida", "a single event"
    assert told(oncall.policies["core-chain"]) == [(["schedule:core"], 300.0), (["person:jon"], 600.0)]
    assert oncall.policies["core-chain"].repeat == 5
    for words in (
        ("jon", "Nowhere/Land"),
        ("Feed", "ics"),
        ("H9", "not in the export"),
        ("several users share",),
        ("first of the month", "months"),
        ("trigger_webhook",),
        ("last step", "10m"),
    ):
        assert noted(draft, *words), words


def of_grafana(folder: Path, **shift: object) -> tuple[Draft, OnCall | None]:
    """One shift of the users a, b and c (each a turn), from Thursday 1 January 2026 on, and what comes of it."""
    rolling = {"type": "rolling_users", "rolling_users": [["a"], ["b"], ["c"]]}
    given = {"id": "O1", "name": "o", "start": "2026-01-01T09:00:00", "duration": 28_800, **rolling, **shift}
    step = {"id": "E1", "escalation_chain_id": "F1", "type": "notify_persons", "persons_to_notify": ["a"]}
    documents: list[object] = [
        {"results": [{"id": name, "username": name, "email": f"{name}@example.com"} for name in "abc"]},
        {"results": [{"id": "S1", "name": "s", "type": "web", "time_zone": "Europe/Oslo", "shifts": ["O1"]}]},
        {"results": [given, {"id": "F1", "name": "chain"}, step]},
    ]
    draft = taken("grafana-oncall", documents)
    return draft, loaded(draft, folder) if draft.schedules else None


WEEK = ["MO", "TU", "WE", "TH", "FR"]


@pytest.mark.parametrize(
    ("shift", "wanted"),
    [
        ({"frequency": "daily"}, "abcabcabcabcabcab"),
        ({"frequency": "daily", "interval": 2}, "a-b-c-a-b-c-a-b-c"),
        ({"frequency": "daily", "interval": 3, "duration": 172_800}, "aa-bb-cc-aa-bb-cc"),
        ({"frequency": "daily", "by_day": WEEK}, "ab--cabca--bcabc-"),
        ({"frequency": "daily", "interval": 2, "by_day": WEEK}, "aa--bbcca--abbcc-"),
        ({"frequency": "daily", "week_start": "MO", "by_day": ["SA", "SU"]}, "--ab-----ca-----b"),
        ({"frequency": "weekly", "week_start": "MO", "by_day": WEEK}, "aa--bbbbb--ccccc-"),
        ({"frequency": "weekly", "week_start": "FR", "by_day": WEEK}, "ab--bbbbc--cccca-"),
        ({"frequency": "weekly", "week_start": "MO", "interval": 2, "by_day": ["TH", "SA"]}, "a-a-----------b-b"),
        ({"frequency": "weekly", "week_start": "MO", "by_day": ["SA", "SU"]}, "--aa-----bb-----c"),
        ({"frequency": "weekly", "by_day": ["SA", "SU"]}, "---a-----ab-----b"),
        ({"frequency": "weekly", "interval": 2, "duration": 604_800}, "aaaaaaa-------bbb"),
        ({"frequency": "weekly", "by_day": ["TH"], "rotation_start": "2026-01-02T00:00:00"}, "-------b------c--"),
        ({"frequency": "daily", "start_rotation_from_user_index": 2, "by_day": WEEK}, "ca--bcabc--abcab-"),
        (
            {"type": "recurrent_event", "users": ["b"], "rolling_users": None, "frequency": "daily", "interval": 2},
            "b-" * 8,
        ),
        (
            {"type": "recurrent_event", "users": ["b"], "rolling_users": None, "frequency": "daily", "interval": 2}
            | {"by_day": ["TH", "SA", "SU"]},
            "b-b-------b---b-b",
        ),
        ({"frequency": "monthly", "week_start": "MO", "start": "2026-01-29T09:00:00", "by_day": WEEK}, "aa--bbbbb"),
        ({"frequency": "monthly", "duration": 2_592_000}, "aaaaaaaaa"),
        ({"frequency": "hourly", "interval": 12, "duration": 21_600}, "acbacbacbacbacbac"),
    ],
)
def test_shifts_of_grafana_have_the_turns_that_they_had(tmp_path, shift, wanted):
    draft, oncall = of_grafana(tmp_path, **shift)
    assert oncall is not None, draft.notes
    first = datetime.fromisoformat(str(shift.get("start", "2026-01-01T09:00:00"))).replace(hour=12, tzinfo=OSLO)
    found = [who(oncall.schedules["s"], first + timedelta(days=day)) for day in range(len(wanted))]
    assert "".join(each.person if each else "-" for each in found) == wanted


@pytest.mark.parametrize(
    ("shift", "why"),
    [
        ({"frequency": "monthly", "by_monthday": [1]}, "days of the month"),
        ({"frequency": "monthly", "by_day": ["1MO"]}, "1MO"),
        ({"frequency": "monthly"}, "monthly frequency"),
        ({"frequency": "hourly", "duration": 600}, "part of its hours"),
        ({"frequency": "daily", "interval": 3, "duration": 100_000}, "part of its hours or days"),
        ({"frequency": "daily", "interval": 7, "by_day": WEEK}, "turns of 7 days"),
        ({"frequency": "weekly", "by_day": ["MO", "TU"], "duration": 100_000}, "several days"),
        ({"frequency": "monthly", "by_day": ["MO"], "duration": 100_000}, "more than a day"),
        ({"frequency": None}, "without a frequency"),
        ({"frequency": None, "by_day": ["MO"]}, "without a frequency"),
    ],
)
def test_what_no_layer_can_say_is_left_out_and_told(tmp_path, shift, why):
    draft, oncall = of_grafana(tmp_path, **shift)
    assert oncall is None
    assert noted(draft, "shift o", why, "left out"), draft.notes


def test_of_shifts_and_overrides_of_grafana_the_higher_level_wins(tmp_path):
    def shift(name: str, user: str, hours: tuple[float, float], **more: object) -> dict[str, object]:
        start = datetime(2026, 1, 5) + timedelta(hours=hours[0])
        rolling = {"type": "rolling_users", "frequency": "daily", "rolling_users": [[user]]}
        return {"id": name, "start": start.isoformat(), "duration": int(hours[1] * 3600), **rolling, **more}

    single = {"type": "override", "frequency": None}
    shifts = [
        shift("O1", "a", (8, 8), level=1),
        shift("O2", "b", (12, 2), level=2),
        shift("O3", "a", (20, 1), level=1, **single),
        shift("O4", "c", (19, 3), level=0, until="2026-01-05T21:30:00", **single),
    ]
    documents: list[object] = [
        {"results": [{"id": name, "username": name, "email": f"{name}@example.com"} for name in "abc"]},
        {"results": [{"id": "S1", "name": "s", "type": "web", "shifts": [each["id"] for each in shifts]}]},
        {"results": shifts},
    ]
    draft = taken("grafana-oncall", documents)
    draft.policies["p"] = {"levels": [{"targets": ["schedule:s"], "wait": "5m"}]}
    schedule = loaded(draft, tmp_path).schedules["s"]
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    found = [who(schedule, begin + timedelta(hours=hour)) for hour in (7, 8, 12, 14, 16, 19, 20, 21, 21.5)]
    assert "".join(each.person if each else "-" for each in found) == "-aba-cac-"


def test_waits_of_grafana_that_follow_each_other_add_up():
    steps = [
        ("notify_persons", None),
        ("wait", 300),
        ("trigger_webhook", None),
        ("wait", 600),
        ("notify_persons", None),
    ]
    made = [
        {"id": f"E{i}", "escalation_chain_id": "F1", "position": i, "type": kind, "duration": wait}
        | ({"persons_to_notify": ["a"]} if kind == "notify_persons" else {})
        for i, (kind, wait) in enumerate(steps)
    ]
    draft = taken("grafana-oncall", [{"results": [{"id": "F1", "name": "chain"}, *made]}])
    assert [level["wait"] for level in draft.policies["chain"]["levels"]] == ["900s", "10m"]


def test_who_takes_turns_by_incident_in_grafana_is_asked_each_time():
    turns = {"type": "notify_person_next_each_time", "persons_to_notify_next_each_time": ["a", "b"]}
    step = {"id": "E1", "escalation_chain_id": "F1", "position": 0, **turns}
    draft = taken("grafana-oncall", [{"results": [{"id": "F1", "name": "chain"}, step]}])
    assert draft.policies["chain"]["levels"] == [{"targets": ["person:a", "person:b"], "wait": "10m"}]
    assert noted(draft, "step 0", "taking turns by incident", "all of them")


def test_nobody_is_no_name_for_a_person():
    draft = taken("pagerduty", [{"users": [{"id": "U1", "name": "Nobody"}]}])
    assert list(draft.people) == ["nobody-2"], "a layer would leave the turn open"


CALENDAR = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
BEGIN:VEVENT\r
UID:1\r
DTSTAMP:20260101T000000Z\r
DTSTART;TZID=Europe/Oslo:20260323T090000\r
DTEND;TZID=Europe/Oslo:20260324T090000\r
RRULE:FREQ=WEEKLY;COUNT=3\r
EXDATE;TZID=Europe/Oslo:20260330T090000\r
SUMMARY:On call: Ida Berg\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:2\r
DTSTAMP:20260101T000000Z\r
DTSTART:20260325T080000Z\r
DTEND:20260325T160000Z\r
SUMMARY:cover\r
ATTENDEE:mailto:jon@example.com\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:3\r
DTSTAMP:20260101T000000Z\r
DTSTART;VALUE=DATE:20260501\r
DTEND;VALUE=DATE:20260503\r
SUMMARY:Spring feast\r
END:VEVENT\r
END:VCALENDAR\r
"""
PERIOD = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), "Europe/Oslo")
PEOPLE = {"ida": ("Ida Berg", "ida@example.com"), "jon": ("Jon Dahl", "jon@example.com")}


def test_shifts_of_a_calendar_are_unrolled_over_a_clock_change(tmp_path):
    draft = Draft()
    take_shifts(CALENDAR, PERIOD, PEOPLE, "Core", draft)
    draft.people.update({name: {"name": full} for name, (full, _) in PEOPLE.items()})
    draft.policies["p"] = {"levels": [{"targets": ["schedule:core"], "wait": "5m"}]}
    oncall = loaded(draft, tmp_path)
    assert [on_call(oncall, "core", 2026, 3, day, 12) for day in (23, 24, 25, 30)] == ["ida", None, "jon", None]
    assert [on_call(oncall, "core", 2026, 4, 6, hour) for hour in (8, 9)] == [None, "ida"]
    assert on_call(oncall, "core", 2026, 4, 7, 8) == "ida"
    assert noted(draft, "Spring feast", "nobody")


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("ida", "ida"),
        ("[L1] @Ida", "ida"),
        ("On Call - Jon Dahl - Core Primary", "jon"),
        ("IDA@example.com", "ida"),
        ("<jon@example.com>", "jon"),
        ("ida@example.org", None),
        ("ida-marie", None),
        ("ida.berg", None),
        ("friday", None),
        ("ida, jon", None),
        ("", None),
    ],
)
def test_whose_shift_it_is_the_title_tells(title, wanted):
    happening = Happening(title, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), False, "")
    assert person_of(happening, PEOPLE) == wanted


def test_what_was_called_off_is_no_shift():
    cancelled = CALENDAR.replace(b"SUMMARY:cover", b"STATUS:CANCELLED\r\nSUMMARY:cover")
    summaries = [[each.summary for each in happenings(text, PERIOD, Draft())] for text in (CALENDAR, cancelled)]
    assert [each.count("cover") for each in summaries] == [1, 0]
    assert len(summaries[0]) == len(summaries[1]) + 1


def test_a_recurrence_that_cannot_be_read_is_told_and_the_rest_is_taken():
    draft = Draft()
    found = happenings(CALENDAR.replace(b"FREQ=WEEKLY;COUNT=3", b"FREQ=WEEKLY;BYDAY=XX"), PERIOD, draft)
    assert [each.summary for each in found] == ["cover", "Spring feast"]
    assert noted(draft, "recurrence cannot be read", "left out")


def test_shifts_that_end_a_second_before_the_hour_leave_no_gap(tmp_path):
    _, oncall = of_grafana(tmp_path, frequency="daily", duration=86_399)
    assert oncall is not None
    begin = datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert gaps(oncall.schedules["s"], begin, begin + timedelta(days=9)) == []


def test_holidays_of_a_calendar_are_whole_days():
    draft = Draft()
    assert holidays(CALENDAR, PERIOD, draft) == ["2026-05-01", "2026-05-02"]
    assert noted(draft, "cover", "no whole day")
    assert date.fromisoformat("2026-05-01") in map(date.fromisoformat, holidays(CALENDAR, PERIOD, draft))


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"\xff\xfe", CALENDAR[:100], CALENDAR.replace(b"20260325T080000Z", b"x")]
)
def test_what_is_no_calendar_is_told_and_not_raised_otherwise(text):
    with contextlib.suppress(Unreadable):
        assert len(happenings(text, PERIOD, Draft())) <= 4


def test_the_command_writes_files_and_does_not_overwrite_them(house):
    path = house.home / "export.json"
    path.write_text(json.dumps({**PAGERDUTY[0], **PAGERDUTY[1], **PAGERDUTY[2], **PAGERDUTY[3]}))
    said = house("oncall", "import", "pagerduty", str(path), "-o", str(house.home / "out"))
    assert said.code == 0, said.err
    assert "not as it was: Ida Berg: the phone contact method" in said.err
    text = (house.home / "out" / "oncall.yaml").read_text()
    assert "# not as it was: schedule Core Primary, layer Odd" in text
    assert list(yaml.safe_load(text)["schedules"]) == ["core-primary"]
    assert "ida-berg" in (house.home / "out" / "catalog-part.yaml").read_text()
    again = house("oncall", "import", "pagerduty", str(path), "-o", str(house.home / "out"))
    assert again.code != 0
    assert "not overwritten" in again.err


@pytest.mark.parametrize(
    ("tool", "text", "expected"),
    [
        ("victorops", "{}", "pagerduty, opsgenie, grafana-oncall, ics"),
        ("pagerduty", "{", "no JSON"),
        ("pagerduty", "[]", "no schedule and no policy"),
        ("pagerduty", '{"users": [{"id": 1}]}', "users.0.id"),
        (
            "pagerduty",
            '{"schedules": [{"id": "S1", "name": "Core"}]}',
            "Core: it has no layers in the export; fetch it as",
        ),
        ("pagerduty", '{"users": [], "more": true}', "one page of several"),
        ("opsgenie", '{"data": [{"rotations": 1}]}', "no export of opsgenie"),
        (
            "opsgenie",
            '{"data": [{"name": "Core", "timezone": "UTC"}]}',
            "Core: it has no rotations in the export; fetch it",
        ),
        ("opsgenie", '{"data": [], "paging": {"next": "https://x.example"}}', "one page of several"),
        ("grafana-oncall", '{"next": "https://x.example", "results": []}', "one page of several"),
        ("ics", "nonsense", "iCalendar"),
    ],
)
def test_what_is_no_export_is_told(house, tool, text, expected):
    path = house.home / "export.json"
    path.write_text(text)
    said = house("oncall", "import", tool, str(path))
    assert said.code != 0
    assert expected in said.err


def test_ics_on_the_command_line(house):
    path = house.home / "x.ics"
    soon = datetime.now(UTC).strftime("%Y%m%dT%H0000Z").encode()
    path.write_bytes(CALENDAR.replace(b"20260325T080000Z", soon).replace(b"DTEND:20260325T160000Z", b"DURATION:PT8H"))
    path.write_bytes(path.read_bytes().replace(b"SUMMARY:cover", b"SUMMARY:ann on call"))
    said = house("oncall", "import", "ics", str(path), "--schedule", "web", "--time-zone", "Europe/Oslo", "--json")
    files = json.loads(said.out)["files"]
    (layer,) = yaml.safe_load(files["oncall-part.yaml"])["schedules"]["web"]["layers"]
    assert [shift["person"] for shift in layer["shifts"]] == ["ann"]
