"""What can be shown afterwards of a story: its audit is whole, and each page is worked out again from what was kept."""

import json

from fireline.adapters.database import DatabaseStore
from fireline.apps.explain_page import checked
from fireline.domain.audit import Keys
from fireline.domain.audit_checking import Outside, check


def unexplained(store: DatabaseStore) -> list[str]:
    """What cannot be shown, in words."""
    wrong = []
    with store.reading() as tx:
        entries = list(tx.audit_chain())
        found = check(entries, Keys.of(()), Outside(tx.audit_head()))
        if found.damage is not None:
            wrong.append(f"the audit is not whole: {found.damage}")
        digests = {name: d for entry in entries for name, d in json.loads(entry.body).get("timeline", {}).items()}
        if digests != {f"{incident}/{place}": digest for incident, place, digest in tx.timeline_digests()}:
            wrong.append("the audit and the timelines do not speak of the same lines")
        for incident in tx.incidents(limit=10_000):
            timeline = tx.timeline(incident.number)
            for page in incident.pages:
                again = checked(incident, page, timeline, None)
                if not again.same:
                    wrong.append(f"page {page.number} of {incident.id} comes out otherwise: {again.kept}")
    return wrong
