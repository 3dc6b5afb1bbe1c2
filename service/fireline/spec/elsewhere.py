"""Words of other tools that people write here out of habit, and how the same is said in a runbook."""

from collections.abc import Mapping


def _all(words: str, said: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), said)


RUNBOOK: Mapping[str, str] = {
    **_all("States actions jobs stages tasks", "write `steps:`, a list"),
    **_all("on trigger triggers when", "write `start: {when: CONDITION}`"),
    **_all("input params parameters vars", "write `inputs: {NAME: {type: string}}`"),
    "always": "write `finally:`, a list of steps",
    "timeout": "write `deadline`",
}
STEP: Mapping[str, str] = {
    **_all("action call do module type", "write `uses: ACTION`"),
    **_all("args config options params parameters", "write `with: {...}`"),
    **_all("cmd command exec run script shell", "write `uses: command.run`, with a command of the targets file"),
    **_all("compensate compensation revert rollback", "write `undo: {uses: ACTION, with: {...}}`"),
    **_all("condition only_if when", "write `if: CONDITION`"),
    **_all("continue-on-error continue_on_error ignore_error ignore_errors", "write `on_failure: continue`"),
    **_all(
        "catch error_handler on_error rescue", "write `on_failure`; steps that always come last stand under `finally`"
    ),
    **_all("after depends_on dependsOn requires", "write `needs: [ID]`"),
    **_all("for_each items loop with_items", "write `foreach: [a, b]`, and `{{ item }}` in `with`"),
    **_all("approval http notify page wait", "write `uses:` with an action (`fireline runbook actions`)"),
    **_all("always ensure", "write `finally:` beside `steps:`"),
    "inputs": "write `with: {...}`",
    "max_parallel": "write `concurrency`",
    "name": "write `id`, a name that expressions can use, and `description`",
    "retries": "write `retry: {attempts: ...}`",
}
RETRY: Mapping[str, str] = {
    **_all("count limit max max_attempts retries times", "write `attempts`, which counts the first one too"),
    **_all("delay interval wait", "write `backoff`, such as `backoff: 5s`"),
}
ACTIONS: Mapping[str, str] = {
    **_all("http.delete http.patch http.post http.put", "write `uses: http.request`, with `method`"),
    **_all("curl webhook", "write `uses: http.request`, or `http.get`, which only reads"),
    **_all("bash cmd command exec run script shell", "write `uses: command.run`, with a command of the targets file"),
    **_all("kubectl kubernetes", "write `uses: kubernetes.restart` or another one of `fireline runbook actions`"),
    **_all("delay pause sleep", "write `uses: wait`"),
    **_all("email message say slack teams", "write `uses: notify`, which tells the rooms of the owner"),
    **_all("approve confirm manual", "write `uses: approval`"),
    **_all("sql query", "write `uses: sql.query` or `metric.query`"),
    **_all("rollback", "write `uses: kubernetes.rollout_undo`, `mlflow.roll_back` or `route.set`"),
}
FUNCTIONS: Mapping[str, str] = {
    "always": "steps that are always done stand under `finally`",
    "failure": "let the step say `on_failure: continue`, and write `steps.ID.outcome == 'failed'`",
    "success": "leave it out: a step is done once those before it are",
}
"""Functions of conditions."""
