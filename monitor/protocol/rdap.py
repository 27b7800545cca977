"""RDAP: what a registry says of a domain's registration (RFC 9082, RFC 9083), and where to ask it (RFC 9224)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from monitor.protocol.names import folded, with_parents

LARGEST_BOOTSTRAP = 256 * 1024
"""Bytes; IANA's file for domains has some 100 KiB."""
LARGEST_DOMAIN = 128 * 1024
"""Bytes; answers of registries have 2 to 20 KiB."""
MOST_REDIRECTS = 3

_MOST_ITEMS = 1000
_MOST_SERVICES = 5000
"""Registries, with all zones of each; there are some 600."""
_MOST_URLS = 10
"""Of one registry."""
_LONGEST_TEXT = 200

_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_LEAP_SECOND = 60


class RdapError(ValueError):
    """A document that is not what it should be. Codes ``size``, ``json``, ``bootstrap``, ``domain``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# --- where to ask ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """IANA's registry of RDAP servers: base URLs (https, with a final slash) by zone, in A-labels."""

    servers: Mapping[str, str]

    def server_of(self, domain: str) -> str | None:
        """The server for the longest zone that the domain is in; None where no registry offers RDAP.

        RFC 9224 §4. Many country codes have none.
        """
        zones = with_parents(domain)
        return next((self.servers[zone] for zone in zones if zone in self.servers), None)


def parse_bootstrap(body: bytes) -> Bootstrap:
    """The bootstrap file for domains (``dns.json``, RFC 9224 §3); entries that cannot be used are left out.

    Raises:
        RdapError: it is none (codes ``size``, ``json``, ``bootstrap``).
    """
    document = _object(body, LARGEST_BOOTSTRAP)
    services = document.get("services")
    if not isinstance(services, list):
        raise RdapError("bootstrap", "no list of services: this is no RDAP bootstrap file")
    servers: dict[str, str] = {}
    for zones, urls in _services(services):
        # §3: "https" is to be preferred; without it we do not ask.
        base = next((url for url in urls[:_MOST_URLS] if is_secure(url)), None)
        if base is not None:
            for zone in zones:
                servers.setdefault(folded(zone), base.rstrip("/") + "/")
    return Bootstrap(servers)


def _services(services: list[Any]) -> Iterator[tuple[list[str], list[str]]]:
    for service in services[:_MOST_SERVICES]:
        if isinstance(service, list) and len(service) == 2 and all(service):  # noqa: PLR2004 - zones and their servers
            yield tuple(_texts(part) for part in service)  # type: ignore[misc]


def is_secure(url: str) -> bool:
    """Whether it is an ``https:`` URL with a host, and nothing in it that no URL has."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an address that is none
        return False
    return usable and parts.scheme.lower() == "https" and all("!" <= c <= "~" for c in url)


def domain_url(server: str, domain: str) -> str:
    """The URL of a domain's registration (RFC 9082 §3.1.3)."""
    return f"{server}domain/{quote(folded(domain), safe='')}"


def redirected(url: str, location: str) -> str | None:
    """Where a redirect from `url` leads (RFC 7480 §5.2); None where it is no `https:` URL."""
    try:
        target = urljoin(url, location)
    except ValueError:
        return None
    return target if is_secure(target) else None


class Reading(StrEnum):
    """What an HTTP status says (RFC 7480 §5)."""

    FOUND = "found"
    REDIRECT = "redirect"
    NOT_FOUND = "not found"
    LATER = "asked too often"
    REFUSED = "refused"
    FAILED = "failed"


def reading(status: int) -> Reading:
    """What the status of a reply to a query for a domain says."""
    match status:
        case HTTPStatus.OK:
            return Reading.FOUND
        case 301 | 302 | 303 | 307 | 308:
            return Reading.REDIRECT
        case HTTPStatus.NOT_FOUND:
            return Reading.NOT_FOUND
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Reading.LATER
    return Reading.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Reading.REFUSED


# --- what is said ----------------------------------------------------------------------------------


class Standing(StrEnum):
    """What the status values of a registration come to, the worst first."""

    LOST = "lost"
    """Out of the zone, on its way to somebody else: only a restore brings it back (RFC 3915)."""
    HELD = "held"
    """Out of the zone by order of the registrar or the registry (RFC 5731 §2.3)."""
    KEPT = "kept"


_STANDINGS = {
    "redemption period": Standing.LOST,
    "pending restore": Standing.LOST,
    "pending delete": Standing.LOST,
    "client hold": Standing.HELD,
    "server hold": Standing.HELD,
}
_CAMEL_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Registration:
    """A domain's registration.

    Attributes:
        name: as the registry has it, lower case, no final dot; "" where it does not say.
        expires: when it ends, seconds since the epoch; None where the registry does not say (DENIC).
        statuses: in the words of RFC 8056 ("client hold"), lower case.
        registrar: its name, untrusted text; "" where there is none.
    """

    name: str = ""
    expires: float | None = None
    statuses: tuple[str, ...] = ()
    registrar: str = ""

    @property
    def standing(self) -> Standing:
        """The worst that the status values say."""
        found = {_STANDINGS[status] for status in self.statuses if status in _STANDINGS}
        return next((s for s in Standing if s in found), Standing.KEPT)


def parse_domain(body: bytes) -> Registration:
    """A domain object (RFC 9083 §5.3); parts that cannot be read are left out.

    Raises:
        RdapError: it is none (codes ``size``, ``json``, ``domain``).
    """
    document = _object(body, LARGEST_DOMAIN)
    if document.get("objectClassName") != "domain":
        raise RdapError("domain", "the object's class is not `domain`")
    return Registration(
        name=folded(_text(document.get("ldhName"))),
        expires=_expiration(document.get("events")),
        statuses=tuple(dict.fromkeys(map(_status, _texts(document.get("status"))))),
        registrar=next(_registrars(document.get("entities")), ""),
    )


def _expiration(events: Any) -> float | None:
    """The latest: where a registry lists several, the earlier ones are over."""
    dates = (
        timestamp(_text(event.get("eventDate")))
        for event in _objects(events)
        if event.get("eventAction") == "expiration"
    )
    return max((date for date in dates if date is not None), default=None)


def _status(text: str) -> str:
    """RFC 8056 §2; some registries write EPP's own words (``clientHold``)."""
    return _CAMEL_HUMP.sub(" ", text).lower()


def _registrars(entities: Any) -> Iterator[str]:
    """Names from jCards (RFC 7095 §3.3): ``["vcard", [["fn", {}, "text", "Example Inc."]]]``."""
    for entity in _objects(entities):
        card = entity.get("vcardArray")
        if "registrar" not in _texts(entity.get("roles")) or not isinstance(card, list):
            continue
        properties = card[1] if len(card) > 1 and isinstance(card[1], list) else []
        for field in properties[:_MOST_ITEMS]:
            if isinstance(field, list) and len(field) > 3 and field[0] == "fn":  # noqa: PLR2004 - name, parameters, type, value
                yield _text(field[3])


def timestamp(text: str) -> float | None:
    """A date and time of RFC 3339 in seconds since the epoch; None where it is none."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    *date, second = map(int, found.groups()[:6])
    # §5.7: a leap second is a second of its own; nobody's domain depends on it.
    second, extra = (59, 1) if second == _LEAP_SECOND else (second, 0)
    fraction = float(f"0.{found[7]}") if found[7] else 0.0
    try:
        year, month, day, hour, minute = date
        at = datetime(year, month, day, hour, minute, second, tzinfo=_zone(found))
        return (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() + extra + fraction
    except (ValueError, OverflowError):
        return None


def _zone(found: re.Match[str]) -> timezone:
    if not found[8]:
        return UTC
    offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
    return timezone(offset if found[8] == "+" else -offset)


# --- JSON from outside -----------------------------------------------------------------------------


def _object(body: bytes, limit: int) -> dict[str, Any]:
    if len(body) > limit:
        raise RdapError("size", f"more than {limit} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RdapError("json", f"no JSON: {str(error)[:_LONGEST_TEXT]}") from None
    if not isinstance(document, dict):
        raise RdapError("json", "no JSON object")
    return document


def _text(value: Any) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [_text(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    items = value[:_MOST_ITEMS] if isinstance(value, list) else []
    return [one for one in items if isinstance(one, dict)]
