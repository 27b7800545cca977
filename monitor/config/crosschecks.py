"""What needs more than one key to be judged: names that must exist once, names that must exist at all.

These look at the plain data, not at the validated model, so that they speak even while other keys
are wrong; what has the wrong type they leave to the model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from monitor.config import names
from monitor.config.errors import KeyPath, written
from monitor.config.model import BounceLimitConfig
from monitor.config.platforms import KNOWN_PLATFORMS
from monitor.config.sections import Checks
from monitor.model import AddressTarget, DomainTarget, HostTarget, SenderTarget, Target
from monitor.protocol.problem import did_you_mean

Problem = tuple[KeyPath, str]
_Named = list[tuple[KeyPath, str]]


def cross_checks(data: Mapping[str, Any], checks: Checks) -> Iterator[Problem]:
    """Every problem between keys, with the path of the key that is to be changed."""
    events = _mapping(data.get("events"))
    domains = list(_texts(data, "domains", "name", normal=_domain))
    senders = list(_texts(data, "senders", "name"))
    yield from _twice(domains, "domain")
    yield from _twice(senders, "sender")
    yield from _twice(_texts(events, "hooks", "name", at=("events",)), "hook")
    domain_names = frozenset(name for _, name in domains)
    sender_names = frozenset(name for _, name in senders)
    for path, sender in _items(data, "senders"):
        yield from _twice(_texts(sender, "streams", "name", at=path), "stream")
        yield from _platform(sender.get("platform"), (*path, "platform"))
        used = _list(sender.get("domains"), (*path, "domains"))
        yield from _declared(used, domain_names, "domain", _domain)
    hook_senders = list(_texts(events, "hooks", "sender", at=("events",)))
    yield from _declared(hook_senders, sender_names, "sender")
    yield from _thresholds(data)
    yield from _check_targets(data, checks, domain_names, sender_names)
    yield from _baselines(data, checks, domain_names)


def _check_targets(
    data: Mapping[str, Any],
    checks: Checks,
    domain_names: frozenset[str],
    sender_names: frozenset[str],
) -> Iterator[Problem]:
    sender_domains = {
        f"{sender.get('name')}/{_domain(domain)}"
        for path, sender in _items(data, "senders")
        for _, domain in _list(sender.get("domains"), path)
    }
    for name, section in _mapping(data.get("checks")).items():
        if name not in checks:
            continue
        targets = _list(_mapping(section).get("targets"), ("checks", name, "targets"))
        kinds = checks[name].about.target_types
        if AddressTarget in kinds and DomainTarget in kinds:
            targets = [(path, text) for path, text in targets if not names.is_address(text)]
        if SenderTarget in kinds and len(kinds) > 1:
            targets = [t for t in targets if t[1] not in sender_names | sender_domains]
        if DomainTarget in kinds:
            yield from _declared(targets, domain_names, "domain", _domain)
        elif kinds == (SenderTarget,):
            yield from _declared(targets, sender_names | sender_domains, "sender")
        else:
            yield from _outside_targets(targets, kinds)


def _baselines(
    data: Mapping[str, Any], checks: Checks, domain_names: frozenset[str]
) -> Iterator[Problem]:
    """Accepted records of a domain that nobody looks at would count for nothing, and nobody would know."""
    for name, section in _mapping(data.get("checks")).items():
        if name in checks and DomainTarget in checks[name].about.target_types:
            at = ("checks", name, "baselines")
            given = _mapping(_mapping(section).get("baselines"))
            used: _Named = [
                ((*at, key), key.partition("/")[0]) for key in given if isinstance(key, str)
            ]
            yield from _declared(used, domain_names, "domain")


def _twice(named: Iterable[tuple[KeyPath, str]], what: str) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, name in named:
        if name in first:
            yield path, f"{what} `{name}` is declared twice, first at {written(first[name])}"
        first.setdefault(name, path)


def _declared(
    used: _Named, known: frozenset[str], what: str, normal: Callable[[str], str] = str
) -> Iterator[Problem]:
    for path, name in used:
        if normal(name) not in known:
            yield (
                path,
                f"{what} `{name[:80]}` is not declared under `{what}s`{did_you_mean(name, sorted(known))}",
            )


def _platform(name: Any, path: KeyPath) -> Iterator[Problem]:
    if isinstance(name, str) and name not in KNOWN_PLATFORMS:
        known = sorted(KNOWN_PLATFORMS)
        hint = did_you_mean(name, known) or f" (they are {', '.join(known)})"
        unknown = f"`{name[:80]}` is no platform that this version knows"
        yield path, f"{unknown}{hint}; `other` always is"


def _outside_targets(targets: _Named, kinds: tuple[type[Target], ...]) -> Iterator[Problem]:
    """Addresses and hosts need not be declared, but must be ones."""
    for path, text in targets:
        try:
            if HostTarget in kinds:
                names.host_port(text, default=names.SMTP_PORT)
            elif AddressTarget in kinds and not names.is_address(text):
                yield path, f"`{text[:80]}` is no IPv4 or IPv6 address"
        except ValueError as error:
            yield path, str(error)


def _thresholds(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A warning above critical, where a level leaves out one of the two: as it inherits the other."""
    general = _mapping(data.get("thresholds"))
    below = {"bounce": BounceLimitConfig().model_dump(include={"warning", "critical"})}
    levels: list[tuple[KeyPath, Mapping[str, Any]]] = [(("thresholds",), general)]
    levels += [
        (("thresholds", "roles", role), _mapping(kinds))
        for role, kinds in _mapping(general.get("roles")).items()
    ]
    for path, sender in _items(data, "senders"):
        levels += [
            ((*at, "thresholds"), _mapping(stream.get("thresholds")))
            for at, stream in _items(sender, "streams", at=path)
        ]
    for path, level in levels:
        for kind, defaults in below.items():
            own = _mapping(level.get(kind))
            inherited = {**defaults, **(_mapping(general.get(kind)))}
            warning, critical = (_number({**inherited, **own}.get(key)) for key in defaults)
            if own and warning is not None and critical is not None and 1 >= warning > critical:
                key = "critical" if "critical" in own else "warning"
                yield (*path, kind, key), f"warning ({warning:g}) is above critical ({critical:g})"


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _domain(name: str) -> str:
    try:
        return names.domain_name(name)
    except ValueError:
        return name


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any, path: KeyPath) -> _Named:
    texts = enumerate(value) if isinstance(value, list) else ()
    return [((*path, index), text) for index, text in texts if isinstance(text, str)]


def _items(
    data: Mapping[str, Any], key: str, at: KeyPath = ()
) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    value = data.get(key)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield (*at, key, index), item


def _texts(
    data: Mapping[str, Any],
    key: str,
    name: str,
    *,
    at: KeyPath = (),
    normal: Callable[[str], str] = str,
) -> Iterator[tuple[KeyPath, str]]:
    for path, item in _items(data, key, at):
        if isinstance(text := item.get(name), str):
            yield (*path, name), normal(text)
