"""What a person may do to runs and routes, from the web or the command line, with the reason of every answer."""

from collections.abc import Mapping
from typing import assert_never

from fireline.apps.bootstrap import Parts, runs_of
from fireline.apps.run_asking import AskedRun, OnRun, RunAct, Verdict
from fireline.engine.approvals import Reply
from fireline.engine.routes import Refused, change_route, told
from fireline.engine.starting import Wanted


class Controls:
    """Satisfies `web_api.Controls`; each act is one transaction, a responder sees it and goes on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._runs = runs_of(parts, {}, "controls")

    def answer_run(self, run: int, step: str | None, person: str, approved: bool, reason: str) -> Verdict:
        """Approve or reject what the run waits for."""
        return _verdict(self._runs.approve(run, step, person, approved, reason))

    def fill_run(self, run: int, step: str | None, person: str, values: Mapping[str, object]) -> Verdict:
        """Fill in the form that a step waits for."""
        return _verdict(self._runs.approve(run, step, person, True, values=values))

    def abort_run(self, run: int, person: str, reason: str, *, undo: bool = False) -> Verdict:
        """End a run where it stands, or undo first what it did."""
        return _verdict(self._runs.abort(run, person, reason, undo=undo))

    def act_on_run(self, act: RunAct, run: int, person: str, asked: OnRun) -> Verdict:
        """Pause it, let it go on, pass over a step, or go on from one that failed."""
        match act:
            case "pause":
                reply = self._runs.pause(run, person, asked.reason, version=asked.version)
            case "resume":
                reply = self._runs.resume(run, person, version=asked.version)
            case "skip":
                reply = self._runs.skip(run, asked.step or "", person, asked.reason, version=asked.version)
            case "retry":
                reply = self._runs.retry(run, asked.step or "", person, asked.reason, version=asked.version)
            case _:
                assert_never(act)
        return _verdict(reply)

    def start_run(self, name: str, person: str, asked: AskedRun) -> tuple[int | None, str]:
        """Start a run as this person; its number, None where there is none, and the reason either way."""
        key = f"person/{person}/{asked.key or self._parts.clock.token()}"
        wanted = Wanted(key, name, asked.incident, asked.inputs, person, reason=asked.reason, overrule=asked.overrule)
        started = self._runs.request(wanted)
        return (None if started.run is None else started.run.id), started.reason

    def change_route(self, service: str, weights: Mapping[str, int], person: str, reason: str) -> Verdict:
        """Send traffic elsewhere by hand; off the primary it is a lease that ends."""
        parts, by = self._parts, f"person:{person}"
        now = parts.clock.now()
        with parts.store.transaction() as tx:
            done = change_route(tx, parts.files.current, service, weights, by=by, reason=reason, now=now)
        if isinstance(done, Refused):
            return Verdict(False, done.reason)
        if done.report is not None:
            parts.responder.handle(done.report)
        what = "now goes to" if done.changed else "goes to, as before,"
        said = f"{service} {what} {told(done.route.weights)} (version {done.route.version})"
        return Verdict(True, "; ".join((said, *done.notes)))


def _verdict(reply: Reply) -> Verdict:
    return Verdict(reply.done, str(reply))
