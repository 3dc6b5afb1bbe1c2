"""Guards of runbooks as they are written: limits that no run is within, and what `stop_if` may name."""

import pytest

from fireline.domain.runbooks import BlastRadius, Oscillation
from tests.spec.world import RUNBOOK, load_files, told

MOVE = """\
  - id: move
    uses: route.set
    with: {service: "{{ inputs.service }}", to: {"{{ inputs.target }}": 100}}
"""


def guarded(directory, guards="", steps=""):
    text = RUNBOOK.replace('  stop_if: "fallbacks_active > 5"\n', f"  {guards}\n" if guards else "")
    loaded = load_files(directory, {"runbooks/reroute.yaml": text.replace(MOVE, steps + MOVE)})
    return loaded, told(directory, loaded)


def moves(*services, to="{spare: 100}"):
    step = """\
  - id: m{place}
    uses: route.set
    with: {{service: {service}, to: {to}}}
    undo: {{uses: route.set, with: {{service: {service}, to: {{primary: 100}}}}}}
"""
    return "".join(step.format(place=place, service=service, to=to) for place, service in enumerate(services))


def test_guards_become_what_was_written(tmp_path):
    guards = "oscillation: {reversals: 5, per: 2h}\n  blast_radius: {targets: 2, share: 50, if_more: ask}"
    loaded, problems = guarded(tmp_path, guards)
    assert problems == ""
    book = loaded.configuration.runbooks["reroute"]
    assert book.oscillation == Oscillation(5, 7200.0)
    assert book.blast_radius == BlastRadius(2, None, 50, asks=True)
    assert loaded.configuration.oscillation == Oscillation(3, 3600.0)


def test_the_file_of_the_table_says_how_often_is_too_often(tmp_path):
    table = "autonomy:\n  - {name: all, at_most: auto}\noscillation: {reversals: 2, per: 30m}\n"
    loaded = load_files(tmp_path, {"rules/autonomy.yaml": table})
    assert loaded.problems == ()
    assert loaded.configuration.oscillation == Oscillation(2, 1800.0)
    assert [row.name for row in loaded.configuration.autonomy] == ["all"]


@pytest.mark.parametrize(
    ("guards", "steps", "said"),
    [
        ("blast_radius: {}", "", "a blast radius has at least one of `targets`, `services` and `share`"),
        ("blast_radius: {target: 2}", "", "did you mean `targets`?"),
        ("oscillation: {reversals: 0}", "", "a number of at least 1 was expected, found the number 0"),
        (
            "blast_radius: {services: 1}",
            moves("checkout", "billing"),
            "no run ever starts: its steps touch 2 services (billing, checkout), at most 1",
        ),
        (
            "blast_radius: {targets: 1}",
            moves("checkout", "billing"),
            "no run ever starts: its steps touch 2 targets (route of billing, route of checkout), at most 1",
        ),
        (
            "blast_radius: {services: 1, if_more: ask}",
            moves("checkout", "billing"),
            "warning: every run asks a person: its steps touch 2 services",
        ),
        (
            "blast_radius: {share: 40}",
            moves("checkout"),
            "no run ever starts: m0 moves 100 % of checkout off its primary, at most 40 %",
        ),
    ],
)
def test_a_limit_that_no_run_is_within_is_told_when_it_is_read(tmp_path, guards, steps, said):
    _, problems = guarded(tmp_path, guards, steps)
    assert said in problems


def test_items_that_are_written_count_one_by_one(tmp_path):
    each = moves('"{{ item }}"').replace("    uses: route.set\n", "    uses: route.set\n    foreach: [a, b, c]\n", 1)
    _, problems = guarded(tmp_path, "blast_radius: {targets: 2}", each)
    assert "its steps touch 3 targets (route of a, route of b, route of c), at most 2" in problems


@pytest.mark.parametrize(
    ("guards", "steps"),
    [
        ("blast_radius: {services: 1, targets: 1}", ""),
        ("blast_radius: {targets: 1}", moves("checkout", "checkout")),
        ("blast_radius: {targets: 1, services: 1}", moves('"{{ inputs.service }}"', '"{{ inputs.service }}"')),
        ("blast_radius: {share: 40}", moves("checkout", to="{primary: 60, spare: 40}")),
    ],
)
def test_a_limit_that_some_run_is_within_is_none_to_tell_of(tmp_path, guards, steps):
    assert "ever starts" not in guarded(tmp_path, guards, steps)[1]


@pytest.mark.parametrize(
    "condition",
    [
        "fallbacks_active > 5 || runs_active >= 3 || incidents_open > 10",
        "rules.slow.firing && rules.slow.severity == 'outage' && rules.slow.measures.p99 > 5000",
        "rules['slow'].entities > 2",
        "run.seconds > 600 || run.steps_undone > 0 || run.steps_failed > 1 || run.steps_done > 9",
        "route.off_primary > 50 && route.on_fallback && route.changes > 7",
        "!targets.spare.healthy || targets[inputs.target].share > 90",
        "severity == 'notice' && inputs.service == 'checkout'",
    ],
)
def test_a_stop_condition_may_name_what_goes_on(tmp_path, condition):
    assert guarded(tmp_path, f'stop_if: "{condition}"')[1] == ""


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("fallback_active > 5", "did you mean `fallbacks_active`?"),
        ("run.second > 5", "did you mean `run.seconds`?"),
        ("rules.slow.firin", "did you mean `rules.slow.firing`?"),
        ("rules['slow'].firin", "did you mean `firing`?"),
        ("rules.slo.firing", "there is no rule `slo` [unknown-name]\n  hint: did you mean `slow`?"),
        ("rules['sloow'].firing", "there is no rule `sloow`"),
        ("rules.slow.measures.p9 > 5", "the rule `slow` has no measure `p9`"),
        ("rules['slow'].measures.p9 > 5", "the rule `slow` has no measure `p9`"),
        ("targets.spare.health", "did you mean `targets.spare.healthy`?"),
        ("route.off_primary == 'much'", "`route.off_primary` is a number and `'much'` is a text"),
        ("rules.slow.firing > 2", "is true or false"),
        ("rules.slow.measures.p99 == 'slow'", "is a number and `'slow'` is a text"),
        ("run.seconds", "`run.seconds` is a number, not true or false"),
        ("inputs.service > 3", "`inputs.service` is a text and `3` is a number"),
        ("steps.before.weights == 1", "`steps` is not known here"),
    ],
)
def test_what_it_cannot_name_or_compare_is_told_where_it_stands(tmp_path, condition, said):
    problems = guarded(tmp_path, f'stop_if: "{condition}"')[1]
    assert "runbooks/reroute.yaml:10:13: error: " in problems
    assert said in problems
