"""A person's own rules: from their forms to domain rules, checked against the person's contacts."""

from fireline.domain.catalog import ContactRule, ContactStep, DailyHours
from fireline.spec import codes
from fireline.spec.catalog_forms import PersonForm
from fireline.spec.contact_forms import ContactRuleForm, DailyHoursForm
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.wall_times import wall


def rules_of(form: PersonForm) -> tuple[ContactRule, ...]:
    """The rules of a checked form, in order."""
    return tuple(
        ContactRule(tuple(ContactStep(step.channel, step.after) for step in rule.channels), rule.urgency, hours)
        for rule in form.rules
        for hours in [hours_of(rule.hours)]
    )


def hours_of(form: DailyHoursForm | None) -> DailyHours | None:
    """Daily hours of a checked form."""
    return None if form is None else DailyHours(wall(form.start), wall(form.end), form.time_zone or "")


def check_rules(document: Document, path: Path, person: PersonForm, findings: Findings) -> None:
    """Note what does not fit the person's contacts, is out of order, or never comes to be used."""
    for index, rule in enumerate(person.rules):
        place = (*path, "rules", index)
        _check_steps(document, (*place, "channels"), rule, person, findings)
        before = next((i for i, other in enumerate(person.rules[:index]) if _covers(other, rule)), None)
        if before is not None:
            message = f"rule {before + 1} takes everything that this one would"
            findings.error(document, place, message, "put the one for fewer cases first")
    quiet = person.quiet_hours
    if quiet is not None and quiet.start == quiet.end:
        message = "quiet hours from a time to the same time are a whole day, and nothing would ever end them"
        findings.error(document, (*path, "quiet_hours"), message, 'write such as {from: "22:00", to: "07:00"}')


def _check_steps(document: Document, path: Path, rule: ContactRuleForm, person: PersonForm, findings: Findings) -> None:
    if rule.channels[0].after:
        message = "the first channel is not at once, so the page would reach nobody until then"
        findings.error(document, (*path, 0), message, "write its name alone")
    for index, step in enumerate(rule.channels):
        earlier = rule.channels[:index]
        if step.channel not in person.contacts:
            message = f"`{path[1]}` has no contact on `{step.channel}`"
            hint = suggestion(step.channel, person.contacts)
            findings.error(document, (*path, index), message, hint, code=codes.UNKNOWN_NAME)
        elif any(step.channel == other.channel for other in earlier):
            findings.error(document, (*path, index), f"`{step.channel}` is there already", code=codes.DUPLICATE_NAME)
        if earlier and step.after < earlier[-1].after:
            findings.error(
                document, (*path, index), "it comes before the channel above it", "put them in order of time"
            )


def _covers(one: ContactRuleForm, other: ContactRuleForm) -> bool:
    same_hours = one.hours is None or one.hours == other.hours
    return same_hours and (one.urgency is None or one.urgency == other.urgency)
