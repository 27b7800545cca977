"""Keys of the configuration set by environment variables: `DELIVERABILITY_RESOLVER__TIMEOUT=3s`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from monitor.config.errors import ConfigError, KeyPath
from monitor.protocol.problem import did_you_mean

PREFIX = "DELIVERABILITY_"
COMMAND_VARIABLES = frozenset({"DELIVERABILITY_CONFIG"})
"""Variables that the command reads itself; they are no keys of the file."""

# Kubernetes sets such variables in every container for a service named `deliverability…`.
_SERVICE_LINK = re.compile(
    PREFIX + r"(?:[A-Z0-9]+_)*(?:SERVICE_HOST=|SERVICE_PORT(?:_[A-Z0-9]+)*="
    r"|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?=(?:tcp|udp|sctp)://"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR)=)"
)
_NESTING = "__"


class _OneVariable(EnvSettingsSource):
    """pydantic-settings' reading of one variable, from the environment that it is handed."""

    def __init__(self, model: type[BaseSettings], name: str, value: str) -> None:
        self._variable = {name.lower(): value}
        super().__init__(model, env_prefix=PREFIX, env_nested_delimiter=_NESTING)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variable


def read_environment(
    environ: Mapping[str, str], model: type[BaseModel]
) -> tuple[dict[str, Any], dict[KeyPath, str], list[ConfigError]]:
    """The keys that the environment sets, which variable set each, and what is wrong with them.

    Lists and mappings are JSON. Where two variables set the same key the longer name wins, since it
    is more specific.
    """
    settings: Any = type("Environment", (model, BaseSettings), {})
    data: dict[str, Any] = {}
    origins: dict[KeyPath, str] = {}
    errors = []
    for name in sorted(environ, key=lambda n: (len(n), n)):
        if not name.upper().startswith(PREFIX) or name in COMMAND_VARIABLES:
            continue
        if _SERVICE_LINK.match(f"{name}={environ[name]}"):
            continue
        try:
            found = _OneVariable(settings, name, environ[name])()
        except (SettingsError, RecursionError):
            errors.append(ConfigError(name, None, "", "is not the JSON that this key needs"))
            continue
        if not found:
            hint = did_you_mean(name, _variables(model))
            errors.append(ConfigError(name, None, "", f"sets no key that this version knows{hint}"))
        origins.update(dict.fromkeys(_leaves(found), name))
        data = overlaid(data, found)
    return data, origins, errors


def overlaid(below: Any, above: Any) -> Any:
    """`above` over `below`: mappings are merged, everything else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = {key: overlaid(below.get(key), value) for key, value in above.items()}
    return {**below, **merged}


def _leaves(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif path:
        yield path


def _variables(model: type[BaseModel], prefix: str = PREFIX) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _variables(inner, f"{prefix}{name.upper()}{_NESTING}")
