"""The work behind `fireline slo`: listing objectives, showing their rules, and reading those of OpenSLO."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from fireline.apps.bootstrap import plugins, settings_with
from fireline.apps.output import err, print_json, say, table
from fireline.domain.configuration import Problem
from fireline.spec.durations import written
from fireline.spec.findings import suggestion
from fireline.spec.loading import load_slos
from fireline.spec.openslo import read_openslo
from fireline.spec.slos import PlacedSlo


def _read(rules: Path | None) -> tuple[Sequence[PlacedSlo], bool]:
    """The sound objectives, and whether there are others; their faults are told."""
    slos, problems = load_slos(settings_with(rules).rules, plugins())
    return slos, not _tell(problems)


def _tell(problems: Iterable[Problem]) -> bool:
    """Tell problems on standard error; False when one of them is an error."""
    told = list(problems)
    for problem in told:
        say(str(problem), "bold red" if problem.severity == "error" else "yellow", to=err())
    return not any(problem.severity == "error" for problem in told)


def ls(rules: Path | None, as_json: bool) -> int:
    """List objectives; 1 when some are unsound."""
    slos, unsound = _read(rules)
    if as_json:
        print_json([_listed(slo) for slo in slos])
    else:
        rows = [row for slo in slos for row in _rows(slo)]
        table(["objective", "good", "period", "alert", "windows", "faster than", "severity"], rows, "no objectives")
    return 1 if unsound else 0


def _goal(slo: PlacedSlo) -> str:
    budget = slo.objective.form.budget
    if budget is not None:
        return f"{budget.amount:g} of {budget.of}"
    return f"{slo.objective.target:g} %"


def _rows(slo: PlacedSlo) -> list[list[str]]:
    head = [slo.name, _goal(slo), written(slo.objective.period)]
    rows = [
        [alert.name, f"{written(alert.window)}, {written(alert.short)}", f"{alert.factor:g}", alert.severity]
        for alert in slo.alerts
    ]
    last = slo.exhausted
    rows.append([last.name, written(last.window), "nothing left", last.severity])
    return [[*(head if n == 0 else ["", "", ""]), *row] for n, row in enumerate(rows)]


def _listed(slo: PlacedSlo) -> Mapping[str, object]:
    form = slo.objective.form
    budget = None if form.budget is None else {"amount": form.budget.amount, "of": form.budget.of}
    return {
        "name": slo.name,
        "objective": slo.objective.target,
        "budget": budget,
        "period": slo.objective.period,
        "legs": dict(slo.objective.legs),
        "file": slo.rules[0].rule.where_file,
        "alerts": [
            {
                "rule": f"{slo.name}_{alert.name}",
                "windows": [alert.window, alert.short],
                "factor": alert.factor,
                "severity": alert.severity,
                "min_samples": alert.min_samples,
            }
            for alert in (*slo.alerts, slo.exhausted)
        ],
    }


def show(name: str, rules: Path | None) -> int:
    """Print the rules of one objective."""
    slos, _ = _read(rules)
    found = next((slo for slo in slos if slo.name == name), None)
    if found is None:
        hint = suggestion(name, [slo.name for slo in slos])
        say(f"there is no sound objective `{name}`: {hint}", "bold red", to=err())
        return 1
    texts = [{key: value for key, value in text.items() if value not in ([], {}, "")} for text in found.texts]
    _print_yaml({"rules": texts})
    return 0


def import_(files: Sequence[Path]) -> int:
    """Print objectives of OpenSLO as YAML; 1 when one could not be taken over."""
    read = [read_openslo(file.as_posix(), file.read_bytes()) for file in files]
    sound = _tell(problem for each in read for problem in each.problems)
    slos = [slo for each in read for slo in each.slos]
    if slos:
        _print_yaml({"slos": slos})
    return 0 if sound else 1


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: Fireline's files know no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _print_yaml(value: object) -> None:
    say(yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120).rstrip())
