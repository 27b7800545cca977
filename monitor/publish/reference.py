"""The reference of metrics, findings, alerts and configuration, written from what the code declares.

`python -m monitor.publish.reference DIRECTORY` writes it.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.check import About, Confirm
from monitor.config.installed import installed_checks
from monitor.config.model import CheckSection
from monitor.config.schema import json_schema
from monitor.config.sections import Checks
from monitor.model import (
    AddressTarget,
    DomainTarget,
    HostTarget,
    MonitorTarget,
    NamedDomainTarget,
    SenderTarget,
    Target,
)
from monitor.publish.names import CORE, Metric, metrics_of
from monitor.publish.rules import valid_groups

HEADER = "<!-- Written by `make render` from the code. Edit the code, not this file. -->\n\n"
RUNBOOKS = "../../checks"

Schema = Mapping[str, Any]
Row = tuple[str, ...]

LOOKED_AT: Mapping[type[Target], str] = {
    DomainTarget: "each domain",
    AddressTarget: "each sending address",
    HostTarget: "each mail host and port",
    NamedDomainTarget: "each undeclared domain that mail names: in links, envelope senders, DKIM signatures",
    SenderTarget: "each sender under each of its domains",
    MonitorTarget: "the monitor itself",
}
CONFIRMED = {
    Confirm.AGAIN: "is confirmed by later looks, past every cache",
    Confirm.OTHER_PATH: "is confirmed by later looks on another path",
    Confirm.OTHER_RESOLVER: "is confirmed by later looks, through another resolver where there is one",
    Confirm.NONE: "counts at once",
}

CLEARING = (
    "; so is what went, and what comes back within a day stays open until it was gone for hours"
)

WORDS = {
    "string": "text",
    "boolean": "true or false",
    "object": "map",
    "password": "secret",
    "ipv4network": "range",
    "ipv6network": "range",
}
"""What people call a schema's types and formats."""


def render_reference(checks: Checks) -> dict[str, str]:
    """File name -> page in Markdown; equal input gives equal text.

    Raises:
        FolderError: a check's folder is not complete.
    """
    abouts = [checks[name].about for name in sorted(checks)]
    pages = {
        "metrics.md": _metrics(abouts),
        "findings.md": _findings(abouts),
        "alerts.md": _alerts(checks),
        "configuration.md": _configuration(checks),
    }
    return {name: HEADER + "\n".join(lines) + "\n" for name, lines in pages.items()}


# --- metrics ---------------------------------------------------------------------------------------


def _metrics(abouts: Iterable[About]) -> Iterator[str]:
    yield "# Metrics\n"
    yield (
        "Series of a target vanish when it leaves the configuration. What was never known is absent; "
        "what was known stays until a known look clears it. Besides these there are the usual "
        "`process_…` metrics.\n"
    )
    yield from _metric_section("The daemon", CORE)
    for about in abouts:
        if about.gauges:
            yield from _metric_section(f"{about.title} (`{about.name}`)", metrics_of(about))


def _metric_section(title: str, metrics: Iterable[Metric]) -> Iterator[str]:
    rows = [
        (f"`{m.name}`", m.kind.value, ", ".join(f"`{label}`" for label in m.labels), m.help)
        for m in metrics
    ]
    yield f"## {title}\n"
    yield from _table(("metric", "type", "labels", "meaning"), rows)


# --- findings --------------------------------------------------------------------------------------


def _findings(abouts: Iterable[About]) -> Iterator[str]:
    yield "# Findings\n"
    yield (
        "`critical` pages, `warning` opens a ticket, `info` does neither and leaves the status `ok`. "
        "`checks.<name>.severities` gives a code another severity. *Drift* is a difference from the "
        "accepted record. Each code links to its runbook.\n"
    )
    for about in abouts:
        yield f"## {about.title} (`{about.name}`)\n"
        yield (
            f"Looks at {_looked_at(about)} every {_duration(about.interval)}. "
            f"What got worse {CONFIRMED[about.confirm]}{CLEARING if about.confirms_clearing else ''}.\n"
        )
        drift = set(about.drift_codes.values())
        rows = [
            (
                _runbook(about.name, f"{about.name}.{code.name}"),
                code.severity.value,
                code.title + (" (drift)" if code.name in drift else ""),
            )
            for code in about.codes
        ]
        yield from _table(("finding", "severity", "meaning"), rows)


def _looked_at(about: About) -> str:
    return " and ".join(LOOKED_AT[kind] for kind in about.target_types)


def _runbook(check: str, section: str) -> str:
    # A heading's anchor as code hosts make it: lower case, without punctuation.
    return f"[`{section}`]({RUNBOOKS}/{check}/runbook.md#{section.lower().replace('.', '')})"


# --- alerts ----------------------------------------------------------------------------------------


def _alerts(checks: Checks) -> Iterator[str]:
    yield "# Alerts\n"
    yield (
        "`severity` is `page` or `ticket`; the watchdog's is its own. Each alert links to its runbook. "
        "The rendered file is `deploy/prometheus/deliverability.rules.yaml`.\n"
    )
    for name, group in valid_groups(checks).items():
        yield f"## {checks[name].about.title} (`{name}`)\n"
        rows = [
            (
                _runbook(name, rule["alert"]),
                rule["labels"]["severity"],
                str(rule.get("for", "at once")),
                f"`{' '.join(rule['expr'].split())}`",
            )
            for rule in group["rules"]
        ]
        yield from _table(("alert", "severity", "after", "while"), rows)


# --- configuration ---------------------------------------------------------------------------------


def _configuration(checks: Checks) -> Iterator[str]:
    schema = json_schema(checks)
    definitions: Schema = schema["$defs"]
    yield "# Configuration\n"
    yield (
        "One YAML file; `deliverability schema` prints its JSON Schema, `deliverability validate` "
        "judges it. Every key can also be given by the environment: `DELIVERABILITY_` and the path, "
        "with `__` between its parts (`DELIVERABILITY_RESOLVER__TIMEOUT=2s`). Durations are written "
        "`500ms`, `5s`, `15m`, `1h30m`, `7d`; secrets `${NAME}` or `file:PATH`. An unknown key is an "
        "error.\n"
    )
    for key, value in schema["properties"].items():
        if key == "checks":
            continue
        yield f"## `{key}`\n"
        yield from _introduction(_resolved(value, definitions))
        yield from _key_table(value, definitions, key)
    yield from _check_keys(checks, definitions)


def _check_keys(checks: Checks, definitions: Schema) -> Iterator[str]:
    shared = [*CheckSection.model_fields, "severities", "baselines"]
    yield "## `checks`\n"
    yield "Every check has these keys, under `checks.<name>`:\n"
    any_check = definitions[next(iter(sorted(checks)))]["properties"]
    common: dict[str, Any] = {key: any_check[key] for key in CheckSection.model_fields}
    yield from _key_table({"properties": common}, definitions, "checks.<name>")
    yield (
        "`severities` maps a check's codes to `critical`, `warning` or `info`. Checks that watch "
        "records have `baselines` as well: accepted records by target, instead of the first one seen.\n"
    )
    rows = [(f"`{n}`", _duration(a.interval), _duration(a.timeout)) for n, a in _named(checks)]
    yield from _table(("check", "interval", "timeout"), rows)
    for name, about in _named(checks):
        properties = definitions[name]["properties"]
        own = {key: value for key, value in properties.items() if key not in shared}
        if own:
            yield f"### `checks.{name}`: {about.title}\n"
            yield from _key_table({"properties": own}, definitions, f"checks.{name}")


def _named(checks: Checks) -> list[tuple[str, About]]:
    return [(name, checks[name].about) for name in sorted(checks)]


def _introduction(schema: Schema) -> Iterator[str]:
    if "properties" in schema and schema.get("description"):
        yield f"{_words(schema['description'])}\n"


def _key_table(schema: Schema, definitions: Schema, path: str) -> Iterator[str]:
    return _table(("key", "type", "default", "meaning"), list(_rows(schema, definitions, path)))


def _rows(schema: Schema, definitions: Schema, path: str) -> Iterator[Row]:
    """The keys below `path`; a list's and a map's entries are `path[]` and `path.<name>`."""
    plain = _resolved(schema, definitions)
    if "items" in plain and "properties" in _resolved(plain["items"], definitions):
        yield from _rows(plain["items"], definitions, f"{path}[]")
        return
    of_entries = plain.get("additionalProperties")
    if isinstance(of_entries, dict) and "properties" in _resolved(of_entries, definitions):
        yield from _rows(of_entries, definitions, f"{path}.<name>")
        return
    if "properties" not in plain:
        yield (f"`{path}`", _type(plain, definitions), _default(plain), _meaning(schema, plain))
        return
    for key, value in plain["properties"].items():
        below = list(_rows(value, definitions, f"{path}.{key}"))
        required = key in plain.get("required", ())
        if required and len(below) == 1:
            name, kind, _, meaning = below[0]
            below = [(name, kind, "**needed**", meaning)]
        yield from below


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema without `$ref` and without the `null` of an optional value; what stands beside stays."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        beside = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**_resolved(options[0], definitions), **beside}
    return schema


def _type(schema: Schema, definitions: Schema) -> str:
    def of(part: Schema) -> str:
        return _type(_resolved(part, definitions), definitions)

    match schema:
        case {"anyOf": options}:
            return " or ".join(dict.fromkeys(map(of, options)))
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"items": item}:
            return f"list of {of(item)}"
    if "500ms" in schema.get("examples", ()):
        return "duration"
    kind = str(schema.get("format") or schema.get("type", "any"))
    return WORDS.get(kind, kind)


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value in (None, "", [], {}):
        return ""
    if "500ms" in schema.get("examples", ()) and isinstance(value, int | float):
        return f"`{_duration(value)}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(schema: Schema, plain: Schema) -> str:
    return _words(schema.get("description") or plain.get("description") or "")


# --- words -----------------------------------------------------------------------------------------


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{round(seconds * 1000)}ms"


def _words(text: str) -> str:
    return " ".join(text.split())


def _table(titles: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield _line(titles)
    yield _line(tuple("---" for _ in titles))
    for row in rows:
        yield _line(tuple(cell.replace("|", r"\|") for cell in row))
    yield ""


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    for name, page in render_reference(installed_checks()).items():
        (directory / name).write_text(page, "utf-8")
