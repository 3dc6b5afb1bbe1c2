"""The CEL library without the terminal program that its package loads, which takes 0.1 s of every command."""

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli", "left out: see fireline.spec.cel_library"))

from cel import Program, compile  # noqa: A004, E402 - the library's word; after its program was left out

__all__ = ["Program", "compile"]
