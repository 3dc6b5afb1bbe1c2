"""The HTTP API of what is asked afterwards: why was somebody paged, or not; and who did what."""

from fastapi import APIRouter

from fireline.apps.audit import told as told_of
from fireline.apps.explain import document
from fireline.apps.explain_page import world_now
from fireline.apps.incidents import Told
from fireline.apps.web_api import Api
from fireline.apps.web_guard import Problem
from fireline.apps.web_json import Answer
from fireline.domain.audit import Sought

MOST = 1000
"""Entries of the audit in one answer."""


def explaining(parts: Api) -> APIRouter:
    """The paths, below /api."""
    router = APIRouter(prefix="/api")

    @router.get("/incidents/{number}/explain", tags=["incidents"])
    def explain(number: str, page: int | None = None, person: str | None = None) -> Answer:
        """Why each page, or one of them, reached its person, worked out again from what was kept; why not others."""
        found = parts.incident(number)
        pages = [each for each in found.pages if page is None or each.number == page]
        if page is not None and not pages:
            raise Problem(404, f"{found.id} has no page {page}")
        since = min((each.at for each in pages), default=found.opened_at)
        with parts.store.reading() as tx:
            told = Told(found, tuple(tx.timeline(found.number)), ())
            world = world_now(parts.settings.current, tx, since)
        return Answer(document(told, pages, world, person))

    @router.get("/audit", tags=["audit"])
    def audit(
        actor: str = "", subject: str = "", since: float | None = None, until: float | None = None, limit: int = 100
    ) -> Answer:
        """Who did what, the oldest first; `since` and `until` in seconds since the epoch."""
        wanted = Sought(actor, subject, since, until, max(1, min(limit, MOST)))
        with parts.store.reading() as tx:
            return Answer({"entries": [told_of(entry) for entry, _ in tx.audit_of(wanted)]})

    return router
