"""OpenTelemetry's semantic conventions for generative AI, in our words: model, version, tokens, latency, error.

After "Semantic conventions for generative AI" (status: development). Names of before version 1.37 (`gen_ai.system`,
`gen_ai.usage.prompt_tokens`) are understood as well.
"""

from collections.abc import Mapping

_TOKENS = {"input": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}
_USAGE = (
    ("gen_ai.usage.prompt_tokens", "input_tokens"),
    ("gen_ai.usage.completion_tokens", "output_tokens"),
    ("gen_ai.usage.input_tokens", "input_tokens"),
    ("gen_ai.usage.output_tokens", "output_tokens"),
)
_DURATIONS = ("gen_ai.client.operation.duration", "gen_ai.server.request.duration")
_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""Operations that call a model. Agents, workflows and tools hold such calls, and would count their tokens twice."""


def measured(fields: dict[str, object]) -> None:
    """Add to a `gen_ai.*` metric: `model`, `error`, and of one point what can be summed.

    A duration gives `latency_ms`, the mean of the point. Token usage gives `input_tokens` or `output_tokens`, the sum
    of the point. Cumulative points give neither: theirs are the mean and the sum of everything since the process began.
    """
    _named(fields)
    if fields.get("temporality") != "delta":
        return
    name, value, total = fields["name"], fields.get("value"), fields.get("sum")
    if name in _DURATIONS and isinstance(value, int | float) and fields.get("unit", "s") == "s":
        fields["latency_ms"] = value * 1000.0
    elif name == "gen_ai.client.token.usage" and total is not None:
        tokens = _TOKENS.get(str(fields.get("gen_ai.token.type")))
        if tokens is not None:
            fields[tokens] = total


def _named(fields: dict[str, object]) -> None:
    """The model that answered where the one asked for is not said; and no error where none is told of."""
    if "model" not in fields and "gen_ai.response.model" in fields:
        fields["model"] = fields["gen_ai.response.model"]
    fields.setdefault("error", "")


def is_call(attributes: Mapping[str, object]) -> bool:
    """Whether these attributes are of one call of a model."""
    operation = attributes.get("gen_ai.operation.name")
    if operation is None:
        return "gen_ai.request.model" in attributes or "gen_ai.response.model" in attributes
    return isinstance(operation, str) and operation in _CALLS


def called(fields: dict[str, object]) -> None:
    """Add to a call of a model: `model`, `error`, `input_tokens`, `output_tokens`, `request_id`, `finish_reason`."""
    _named(fields)
    for attribute, tokens in _USAGE:
        if isinstance(fields.get(attribute), int | float):
            fields[tokens] = fields[attribute]
    if "gen_ai.response.id" in fields:
        fields["request_id"] = fields["gen_ai.response.id"]
    reasons = fields.get("gen_ai.response.finish_reasons")
    if isinstance(reasons, list) and reasons:
        fields["finish_reason"] = reasons[0]
