"""Codes: the short stable names of what `fireline check` finds; docs/how-to/check.md explains each of them."""

from collections.abc import Mapping

YAML = "yaml"
UNKNOWN_FIELD = "unknown-field"
MISSING = "missing"
WRONG_VALUE = "wrong-value"
DURATION = "duration"
UNKNOWN_NAME = "unknown-name"
DUPLICATE_NAME = "duplicate-name"
SYNTAX = "syntax"
TYPE = "type"
INVALID = "invalid"
NEVER_HOLDS = "never-holds"
ALWAYS_HOLDS = "always-holds"
SHARE = "share-as-percent"
UNTIL_NEVER = "until-never"
UNTIL_IDLE = "until-idle"
UNREACHABLE = "unreachable-level"
ZERO_DIVISION = "zero-division"
EXACT_FRACTION = "exact-fraction"
DUPLICATE_RULE = "duplicate-rule"
SHADOWED_RULE = "shadowed-rule"
ENTITY_LIMIT = "entity-limit"
RUNBOOK_INPUT = "runbook-input"
NO_FALLBACK = "no-fallback"
NO_SCHEDULE = "no-schedule"
SCHEDULE_GAP = "schedule-gap"
NOBODY = "nobody-reachable"
UNREACHABLE_PERSON = "unreachable-person"
EMPTY_TEAM = "empty-team"
ONE_WAY = "one-way"
REVIEW_OVERDUE = "review-overdue"
CATALOG_GAP = "catalog-gap"
MEMORY = "memory"
NO_EFFECT = "no-effect"
ADDRESS = "address"
GROUPING = "grouping"
ACCEPT = "accept"
NOT_ALLOWED = "not-allowed"

CODES: Mapping[str, str] = {
    YAML: "the file is not YAML, or uses a part of YAML that is not allowed here",
    UNKNOWN_FIELD: "a key that is not known at this place",
    MISSING: "something that must be there is not",
    WRONG_VALUE: "a value of another type, out of its bounds or not among the choices",
    DURATION: "a duration without its unit, or none at all",
    UNKNOWN_NAME: "a name that leads nowhere: a team, service, runbook, measure, label",
    DUPLICATE_NAME: "a name that is taken",
    SYNTAX: "a condition or template that cannot be understood",
    TYPE: "a condition that mixes texts, numbers and truth values",
    INVALID: "parts of a file that do not fit together",
    NEVER_HOLDS: "a condition, or a part of one, that no values fulfil",
    ALWAYS_HOLDS: "a condition, or a part of one, that all values fulfil",
    SHARE: "a share, which is 0 to 1, compared with percent",
    UNTIL_NEVER: "`until` that cannot hold once `when` does not: the level would never clear",
    UNTIL_IDLE: "`until` that holds too soon to make a difference: the level would flap",
    UNREACHABLE: "a level that is never shown, because a higher one fires whenever it does",
    ZERO_DIVISION: "a division by what may be zero",
    EXACT_FRACTION: "a calculated number compared with a fraction by `==` or `!=`",
    DUPLICATE_RULE: "a rule that says the same as another one",
    SHADOWED_RULE: "a rule that fires only when another one does, at the same or a higher severity",
    ENTITY_LIMIT: "a `by` that makes, or may make, more entities than `max_entities`",
    RUNBOOK_INPUT: "an input of a runbook that the rule cannot give",
    NO_FALLBACK: "a runbook that routes to a fallback, for a service that has none",
    NO_SCHEDULE: "a team whose escalation policy asks no schedule",
    SCHEDULE_GAP: "a time at which nobody is on call",
    NOBODY: "a time at which a rule can fire and a page would find nobody",
    UNREACHABLE_PERSON: "somebody who is asked, and has no contact on a configured channel",
    EMPTY_TEAM: "a level of a policy that asks a team without members",
    ONE_WAY: "a time at which all hangs on one channel of one person",
    REVIEW_OVERDUE: "a review that is overdue",
    CATALOG_GAP: "something that a service of this tier has to say",
    MEMORY: "a rule that would keep much, if there were as many entities as it lets in",
    NO_EFFECT: "something that is written and changes nothing",
    ADDRESS: "an address that its channel cannot reach, or that does not look like one of it",
    GROUPING: "rules that name the same `incident` and group in other ways, so that they share none",
    NOT_ALLOWED: "a host or a value of a parameter that is not allowed where this Fireline is set up",
    ACCEPT: "an `accept` that names no code, or has nothing to accept",
}
"""What each code says, in half a sentence."""
