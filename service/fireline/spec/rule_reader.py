"""What reading a rule needs: where it stands, what it may name, and where its faults go."""

from collections.abc import Sequence
from dataclasses import dataclass

from fireline.domain.catalog import Severity
from fireline.spec import codes
from fireline.spec.baselines import Baselines
from fireline.spec.calendars import Calendars
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.plugins import Plugins


@dataclass(frozen=True, slots=True)
class Known:
    """What rules may name; severities or calendars that could not be read are None, and are not checked."""

    plugins: Plugins
    severities: Sequence[Severity] | None
    calendars: Calendars | None = None
    baselines: Baselines | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """One rule being read: everything that its parts need."""

    document: Document
    path: Path
    known: Known
    findings: Findings
    tests: Sequence[int] | None = None
    """The places of its tests in the list of tests there; None: all of them."""

    @property
    def plugins(self) -> Plugins:
        """The measures that it may name."""
        return self.known.plugins

    def error(self, path: Path, message: str, hint: str = "", *, key: bool = False, code: str = codes.INVALID) -> None:
        """Note an error at a place within the rule."""
        self.findings.error(self.document, (*self.path, *path), message, hint, key=key, code=code)

    def check_severity(self, name: str, path: Path, *, key: bool = False) -> None:
        """Note when there is no such severity."""
        if self.known.severities is None:
            return
        names = [severity.name for severity in self.known.severities]
        if name not in names:
            hint = suggestion(name, names)
            hint = f"{hint}; `severities.yaml` lists them" if hint.startswith("known") else hint
            self.error(path, f"there is no severity `{name}`", hint, key=key, code=codes.UNKNOWN_NAME)
