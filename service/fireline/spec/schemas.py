"""Schemas: JSON Schemas of the YAML files, for editors and for `fireline schema`."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from fireline.spec.autonomy_forms import AutonomyFile
from fireline.spec.calendar_forms import CalendarsFile
from fireline.spec.catalog_forms import CatalogFile, SeveritiesFile
from fireline.spec.oncall_forms import OnCallFile
from fireline.spec.runbook_forms import RunbookForm
from fireline.spec.runbook_test_forms import RunbookTestForm
from fireline.spec.silence_forms import MaintenanceFile
from fireline.spec.slo_forms import RulesFile
from fireline.spec.target_forms import TargetsFile
from fireline.spec.topic_forms import TopicsFile

FILES: Mapping[str, type[BaseModel]] = {
    "rules": RulesFile,
    "runbooks": RunbookForm,
    "autonomy": AutonomyFile,
    "calendars": CalendarsFile,
    "catalog": CatalogFile,
    "maintenance": MaintenanceFile,
    "oncall": OnCallFile,
    "severities": SeveritiesFile,
    "topics": TopicsFile,
    "targets": TargetsFile,
}


def schemas() -> dict[str, dict[str, object]]:
    """The JSON Schema of each kind of file, by name."""
    return {name: _schema(name, model) for name, model in FILES.items()}


def _schema(name: str, model: type[BaseModel]) -> dict[str, object]:
    schema: dict[str, Any] = model.model_json_schema(by_alias=True)
    if model is RunbookForm:  # which keeps its tests as they are written, so that no run ends for one of them
        tests = TypeAdapter(list[RunbookTestForm]).json_schema(by_alias=True)
        schema["$defs"] |= tests.pop("$defs")
        schema["properties"]["tests"] |= tests
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": f"Fireline {name}"}
