"""What a person may do to runs and routes, from the web or the command line, with the reason of every answer."""

from collections.abc import Mapping

from fireline.apps.bootstrap import Parts, runs_of
from fireline.apps.web_api import Verdict
from fireline.engine.approvals import Reply
from fireline.engine.routes import Refused, change_route, told


class Controls:
    """Satisfies `web_api.Controls`; each act is one transaction, a responder sees it and goes on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._runs = runs_of(parts, {}, "controls")

    def answer_run(self, run: int, step: str | None, person: str, approved: bool, reason: str) -> Verdict:
        """Approve or reject what the run waits for."""
        return _verdict(self._runs.approve(run, step, person, approved, reason))

    def abort_run(self, run: int, person: str, reason: str) -> Verdict:
        """End a run where it stands."""
        return _verdict(self._runs.abort(run, person, reason))

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
        return Verdict(True, f"{service} {what} {told(done.route.weights)} (version {done.route.version})")


def _verdict(reply: Reply) -> Verdict:
    return Verdict(reply.done, str(reply))
