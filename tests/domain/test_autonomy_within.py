"""An irreversible step is asked about wherever it stands: in a branch, in another runbook, beside, or last."""

import pytest

from fireline.domain.autonomy import unapproved
from fireline.domain.runbooks import Branch, Runbook, Step
from tests.domain.test_running import Plain


def step(name, uses="test", **more):
    return Step(name, uses, Plain(), **more)


ASK, BURN = step("ask", "approval"), step("burn", irreversible=True)


@pytest.mark.parametrize(
    ("steps", "last", "found"),
    [
        ((ASK, BURN), (), ""),
        ((BURN, ASK), (), "burn"),
        ((ASK, step("burn", irreversible=True, needs=())), (), "burn"),
        ((ASK, step("burn", irreversible=True, needs=("ask",))), (), ""),
        ((step("both", branches=(Branch("a", (ASK,)), Branch("b", (BURN,)))),), (), "burn"),
        ((step("both", branches=(Branch("a", (ASK, BURN)),)),), (), ""),
        ((step("sub", sub=Runbook("inner", "team", (BURN,))),), (), "sub/burn"),
        ((ASK, step("sub", sub=Runbook("inner", "team", (BURN,)))), (), ""),
        ((ASK,), (BURN,), "burn"),
    ],
)
def test_what_cannot_be_undone_is_asked_about(steps, last, found):
    assert unapproved(Runbook("demo", "team", steps, finally_=last)) == found
