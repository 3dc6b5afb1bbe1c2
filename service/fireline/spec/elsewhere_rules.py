"""Words of other tools that people write in files of rules out of habit, and how the same is said here."""

from collections.abc import Mapping


def _all(words: str, said: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), said)


_LEVEL = "it belongs to a level: `severity: {outage: {when: ..., for: 5m}}`"
_CONDITION = 'write `measures:`, and the condition in a level: `severity: {outage: {when: "p99 > 800"}}`'
_QUANTILE = "write `{agg: quantile, q: 0.99}`"

FILE: Mapping[str, str] = {
    "groups": "rules of Prometheus or Grafana are written anew: each a `- name: ...` under `rules:`, with `measures` "
    "and `severity: {LEVEL: {when: ..., for: ...}}`",
    **_all(
        "apiVersion kind metadata spec",
        "`fireline slo import FILE` reads objectives of OpenSLO; rules of others are written anew, under `rules:`",
    ),
    "version": "rules and objectives of others are written anew, under `rules:` and `slos:`",
    **_all("evaluation_interval rule_files tests", "tests stand beside each rule, as its `tests:`"),
    **_all("alert alerts rule", "write `rules:`, a list"),
    **_all("slo objectives", "write `slos:`, a list"),
    **_all(
        "name on where window measures severity", "a rule is an entry of `rules:`: begin with `- name: ...` under it"
    ),
}
"""Of a whole file."""
RULE: Mapping[str, str] = {
    **_all("alert id record title", "write `name`, which expressions can use, and `description`"),
    **_all("condition expr expression query threshold", _CONDITION),
    **_all("for keep_firing_for until when", _LEVEL),
    **_all("level priority severities", "write `severity: {outage: {when: ...}}`"),
    **_all("annotations message text", "write `summary:`, and `description:`"),
    **_all("filter labels match matchers selector", "write `where: {LABEL: VALUE}`, and `by: [LABEL]`"),
    **_all("metric metric_name series", "write `on: metric` and `where: {name: ...}`"),
    **_all("event kind source stream type", "write `on:` with the kind of event"),
    **_all("aggregation agg function measure", "write `measures: {NAME: {agg: ...}}`"),
    **_all("group_labels keys per", "write `by: [LABEL]`, the labels that tell entities apart"),
    **_all("evaluate_every interval", "leave it out: a rule is judged whenever its windows change"),
    **_all("period range timeframe", "write `window`"),
    **_all("channel channels notify receiver receivers", "who is paged says the owner's policy in `oncall.yaml`"),
    **_all("disabled dry_run enabled", "write `mode: shadow`, which judges and pages nobody"),
    **_all("actions action runbook runbook_url", "write `runbooks: [NAME]`"),
    **_all("noData no_data_state nodata", "write `no_data: {after: 5m, severity: ...}`"),
    "team": "write `owner`",
}
LEVEL: Mapping[str, str] = {
    **_all("condition expr expression if", "write `when`"),
    **_all("threshold value", 'write `when: "NAME > 800"`, with the name of a measure'),
    **_all("duration pending_period", "write `for`"),
    **_all("recover resolve_when", "write `until`"),
}
MEASURE: Mapping[str, str] = {
    **_all("column field label metric path value", "write `of`, the field that is measured"),
    **_all("expr expression filter if", "write `condition: \"error != ''\"`, or `where: {LABEL: VALUE}`"),
    **_all("p percentile quantile", "write `q`, a share: 0.99 for the 99th percentile"),
    **_all("range period", "write `window`"),
    **_all("func function op type", "write `agg`"),
}
"""Of the settings of a measure."""
FAMILIES: Mapping[str, str] = {
    **_all("average avg_over_time mean", "write `avg`"),
    **_all("count_over_time total", "write `count`, or `sum` of a field"),
    **_all("sum_over_time", "write `sum`"),
    **_all("max_over_time maximum", "write `max`"),
    **_all("min_over_time minimum", "write `min`"),
    **_all("gauge last_over_time latest value", "write `last`"),
    **_all("median p50", "write `{agg: quantile, q: 0.5}`"),
    **_all("p75 p90 p95 p99 p999 percentile quantile_over_time", _QUANTILE),
    **_all("std stddev_over_time stdev variance", "write `stddev`; with `variance: true` its square"),
    **_all("irate per_second", "write `rate` of events, `increase_rate` of counters"),
    **_all("delta deriv derivative slope", "write `change`"),
    **_all("cardinality count_distinct nunique unique uniq", "write `distinct`"),
    **_all("percentage share", "write `ratio`, with `condition`"),
    **_all("js jensenshannon jsd", "write `jensen_shannon`"),
    **_all("kl kl_divergence population_stability_index", "write `psi`, or `jensen_shannon`"),
    **_all("kolmogorov_smirnov ks_test", "write `ks`"),
    **_all("accuracy f1 precision recall", "write `agreement`"),
    **_all("brier brier_score calibration_error ece", "write `calibration`"),
    **_all("null_ratio nulls", "write `missing`"),
    **_all("absent absent_over_time no_data", "write `no_data: {after: 5m, severity: ...}` in the rule"),
}
"""Of measures by their names."""
SLO: Mapping[str, str] = {
    **_all("indicator sli", "write `good:`, a condition over one event, or `counters:`"),
    **_all("target", "write `objective`, in percent: 99.9"),
    **_all("rolling time_window timeWindow window", "write `period: 30d`"),
    **_all("alerting alert_policies alertPolicies", "write `alerts:`, or nothing: those of the SRE workbook are there"),
    **_all("id title", "write `name`"),
    **_all("total", "write `counters: {total: ..., bad: ...}`"),
    **_all("error_budget", "it follows from `objective`; `budget` is of money"),
}
TEST: Mapping[str, str] = {
    **_all("evaluation_interval interval", "write `every`"),
    **_all("input input_series", "write `series: [{fields: {service: ...}, values: ...}]`"),
    **_all("alert_rule_test exp_alerts expected", "write `expect: [{at: 5m, state: firing}]`, or `signals:`"),
    **_all("exp_samples promql_expr_test", "write `expect: [{at: 5m, state: clear, evidence: {p99: 80}}]`"),
    **_all("description title", "write `name`"),
    "external_labels": "leave it out: there are none",
}
"""Of tests of rules."""
SERIES: Mapping[str, str] = {
    **_all("labels metric series", "write `fields: {LABEL: VALUE}`, those of every event"),
    "interval": "write `every`",
    "value": "write `values`",
}
EXPECTED: Mapping[str, str] = {
    **_all("eval_time time", "write `at`"),
    **_all("alertname alert", "leave it out: a test is of the rule that it stands beside"),
    **_all("exp_labels labels", "write `entity: {LABEL: VALUE}`"),
    **_all("annotations exp_annotations", "write `evidence: {summary: ...}`"),
    **_all("measures value values", "write `evidence: {p99: 80}`"),
    **_all("exp_alerts firing", "write `state: firing`"),
}
"""Of what a test expects."""
STATES: Mapping[str, str] = {
    "pending": "write `clear`: what waits for its `for` does not fire yet",
    **_all("inactive normal ok resolved", "write `clear`"),
    **_all("active alerting fired triggered", "write `firing`"),
    **_all("no_data nodata silent", "write `unknown`, or `firing` where `no_data` of the rule fires"),
}
