"""The JSON Schema of the configuration file, for editors and programs."""

from typing import Any

from monitor.config.sections import Checks, config_model


def json_schema(checks: Checks) -> dict[str, Any]:
    """JSON Schema (2020-12) of the whole file, with the settings of each of `checks`."""
    schema = config_model(checks).model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "deliverability-monitor configuration",
    }
