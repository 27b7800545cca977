"""From a file and the environment to a `ValidConfig`, or to all that is wrong with them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config import document
from monitor.config.crosschecks import cross_checks
from monitor.config.document import Node
from monitor.config.environment import overlaid, read_environment
from monitor.config.errors import ConfigError, ConfigErrors, KeyPath, written
from monitor.config.model import NAME_PATTERN, Config, DomainConfig, SenderConfig
from monitor.config.references import resolve_secrets
from monitor.config.sections import Checks, check_config, config_model
from monitor.config.valid import PROOF, ConfiguredThresholds, ValidConfig
from monitor.model import Domain, Sender, Stream
from monitor.protocol.platforms import platform_class
from monitor.protocol.problem import did_you_mean

_WORDS = {
    "missing": "is required",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
}
"""Our words for pydantic's types of error."""

_PATTERNS = {
    NAME_PATTERN: "must be of letters, digits, `.`, `_` and `-`, and start with a letter or digit",
}
"""What a text must look like, in words; other patterns are shown as they are."""


def load(path: Path, environ: Mapping[str, str], checks: Checks) -> ValidConfig:
    """The configuration in the file at `path`, with the keys that `environ` sets over it.

    Raises:
        ConfigErrors: everything that is wrong, one error for each place.
    """
    file = str(path)
    root = document.parse(_read(path), file)
    data = {} if root.value is None else root.plain()
    if not isinstance(data, dict):
        raise ConfigErrors([ConfigError(file, root.line, "", "is no mapping of keys to values")])
    return _validated(data, root, environ, checks, file=file, folder=path.parent)


def for_domain(
    name: str, checks: Checks, *, store_url: str, environ: Mapping[str, str] = MappingProxyType({})
) -> ValidConfig:
    """The configuration of one domain without a file: all defaults, state at `store_url`.

    Raises:
        ConfigErrors: `name` is no domain name, or `environ` sets something wrong.
    """
    data = {"domains": [{"name": name}], "store": {"url": store_url}}
    return _validated(data, None, environ, checks, file="--domain", folder=Path())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(document.MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except ValueError as error:
        message = f"cannot be read: {error}"
    raise ConfigErrors([ConfigError(str(path), None, "", message)])


def _validated(
    data: dict[str, Any],
    root: Node | None,
    environ: Mapping[str, str],
    checks: Checks,
    *,
    file: str,
    folder: Path,
) -> ValidConfig:
    model = config_model(checks)
    above, origins, errors = read_environment(environ, model)
    data, unresolved = resolve_secrets(overlaid(data, above), model, environ, folder)
    problems = [*unresolved, *cross_checks(data, checks), *_unreadable_ca(data, folder)]
    try:
        config = _with_ca(model.model_validate(data), folder)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True, include_input=False)
        without_value = {path[:-1] for path, _message in unresolved}
        problems += [(_path(d["loc"]), _message(d, model)) for d in _own(details, without_value)]
    errors += [_located(path, message, root, file, origins) for path, message in problems]
    if errors:
        raise ConfigErrors(errors)
    return ValidConfig(
        config=config,
        checks={name: check_config(name, check, config) for name, check in checks.items()},
        domains=tuple(_domain(domain) for domain in config.domains),
        senders=tuple(_sender(sender) for sender in config.senders),
        thresholds=ConfiguredThresholds(config),
        proof=PROOF,
    )


def _located(
    path: KeyPath, message: str, root: Node | None, file: str, origins: Mapping[KeyPath, str]
) -> ConfigError:
    """The error with its file and line, or with the variable that set the value (or a part of it)."""
    for length in range(len(path), 0, -1):
        if variable := origins.get(path[:length]):
            return ConfigError(variable, None, written(path), message)
    for leaf, variable in origins.items():
        if leaf[: len(path)] == path:
            return ConfigError(variable, None, written(path), message)
    return ConfigError(file, root.line_of(path) if root else None, written(path), message)


def _own(
    details: Sequence[ErrorDetails], without_value: Collection[KeyPath]
) -> Iterator[ErrorDetails]:
    """Without what only follows from another error.

    That is lists that are too short because pydantic left out the items that are wrong, and what is said of the
    text of a reference, at `without_value`, in place of the secret that it does not lead to.
    """
    for detail in details:
        if detail["type"] == "value_error" and _path(detail["loc"]) in without_value:
            continue
        loc = detail["loc"]
        inside = (d for d in details if len(d["loc"]) > len(loc) and d["loc"][: len(loc)] == loc)
        if detail["type"] != "too_short" or not any(inside):
            yield detail


def _path(loc: tuple[str | int, ...]) -> KeyPath:
    return tuple(part for part in loc if part != "[key]")


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Our words for pydantic's error; never with the value, which may be a secret."""
    path = _path(detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            what = "unknown check" if path[:-1] == ("checks",) else "unknown key"
            nearest = did_you_mean(path[-1], _keys_at(model, path[:-1]))
            if len(path) == 1 and not nearest:
                return what + ": this version does not know it"
            return what + nearest
        case "value_error":
            return str(detail["ctx"]["error"])
        case "too_short" if detail["ctx"]["min_length"] == 1:
            return "must not be empty"
        case "string_pattern_mismatch":
            pattern = detail["ctx"]["pattern"]
            return _PATTERNS.get(pattern) or f"must match `{pattern}`"
        case kind:
            return _WORDS.get(kind) or detail["msg"].replace("Input should be", "must be")


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that the model at `path` knows."""
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return [name for kind in kinds for name in _fields(kind)]


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    if fields := _fields(kind):
        if isinstance(part, str) and part in fields:
            annotation = fields[part].annotation
            yield annotation
            yield from (arg for arg in get_args(annotation) if _fields(arg))
    else:
        yield from get_args(kind)


def _fields(kind: Any) -> Mapping[str, Any]:
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return kind.model_fields if is_model else {}


def _unreadable_ca(data: Mapping[str, Any], folder: Path) -> Iterator[tuple[KeyPath, str]]:
    network = data.get("network")
    ca = network.get("ca") if isinstance(network, dict) else None
    if isinstance(ca, str):
        try:
            with (folder / ca).open("rb"):
                pass
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            yield ("network", "ca"), f"{folder / ca} cannot be read: {reason}"


def _with_ca(config: Config, folder: Path) -> Config:
    """`network.ca` relative to the file's folder."""
    if config.network.ca is None:
        return config
    network = config.network.model_copy(update={"ca": folder / config.network.ca})
    return config.model_copy(update={"network": network})


def _domain(domain: DomainConfig) -> Domain:
    return Domain(
        name=domain.name,
        role=domain.role,
        owner=domain.owner,
        team=domain.team,
        dkim_selectors=domain.dkim_selectors,
        mail_hosts=domain.mail_hosts,
        tracking_hosts=domain.tracking_hosts,
    )


def _sender(sender: SenderConfig) -> Sender:
    return Sender(
        name=sender.name,
        domains=sender.domains,
        owner=sender.owner,
        team=sender.team,
        purpose=sender.purpose,
        platform=sender.platform,
        platform_class=platform_class(sender.platform),
        envelope_domains=sender.envelope_domains,
        addresses=tuple(text for text in sender.addresses if "/" not in text),
        ranges=tuple(text for text in sender.addresses if "/" in text),
        pool=sender.pool,
        helo=sender.helo,
        dkim_selectors=sender.dkim_selectors,
        dkim_domains=sender.dkim_domains,
        streams=tuple(Stream(s.name, s.trigger, s.audience, s.owner) for s in sender.streams),
    )
