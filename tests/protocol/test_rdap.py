import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import rdap
from monitor.protocol.rdap import Bootstrap, RdapError, Reading, Registration, Standing
from tests.protocol.limits import in_time

BOOTSTRAP = {
    "version": "1.0",
    "publication": "2026-11-24T10:00:00Z",
    "services": [
        [["com", "net"], ["https://rdap.example/com/v1/"]],
        [["org"], ["http://plain.example/", "https://rdap.example/org"]],
        [["co.example"], ["https://rdap.example/second/"]],
        [["example"], ["https://rdap.example/first/"]],
        [["XN--P1AI."], ["https://rdap.example/idn/"]],
        [["plain"], ["http://plain.example/"]],
        [["broken"], []],
        ["nonsense"],
        [[1], [2]],
    ],
}
DOMAIN: dict[str, Any] = {
    "objectClassName": "domain",
    "ldhName": "SHOP.EXAMPLE",
    "status": ["client transfer prohibited", "autoRenewPeriod"],
    "events": [
        {"eventAction": "registration", "eventDate": "1997-06-03T00:00:00Z"},
        {"eventAction": "expiration", "eventDate": "2027-06-03T04:00:00Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-11-24T10:00:00Z"},
    ],
    "entities": [
        {"roles": ["technical"], "vcardArray": ["vcard", [["fn", {}, "text", "Somebody"]]]},
        {
            "roles": ["registrar"],
            "vcardArray": [
                "vcard",
                [["version", {}, "text", "4.0"], ["fn", {}, "text", "Example Registrar Inc."]],
            ],
        },
    ],
}


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


def registration(**changes: Any) -> Registration:
    return rdap.parse_domain(body(DOMAIN | changes))


@pytest.mark.parametrize(
    ("domain", "server"),
    [
        ("shop.com", "https://rdap.example/com/v1/"),
        ("a.b.shop.NET.", "https://rdap.example/com/v1/"),
        ("shop.org", "https://rdap.example/org/"),
        ("shop.co.example", "https://rdap.example/second/"),
        ("shop.example", "https://rdap.example/first/"),
        ("shop.xn--p1ai", "https://rdap.example/idn/"),
        ("shop.plain", None),
        ("shop.broken", None),
        ("shop.de", None),
        ("", None),
    ],
)
def test_the_longest_zone_with_an_https_server_is_asked(domain: str, server: str | None) -> None:
    """And many country codes have none."""
    assert rdap.parse_bootstrap(body(BOOTSTRAP)).server_of(domain) == server


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "json"),
        (b"[" * 100_000, "json"),
        (b'{"a":' * 50_000, "json"),
        (b"[]", "json"),
        (b"\xff", "json"),
        (b'{"services": {}}', "bootstrap"),
        (b"{}", "bootstrap"),
        (b" " * (rdap.LARGEST_BOOTSTRAP + 1), "size"),
    ],
)
def test_what_is_no_bootstrap_file_is_refused(document: bytes, code: str) -> None:
    with pytest.raises(RdapError) as caught:
        rdap.parse_bootstrap(document)
    assert caught.value.code == code


def test_a_registration_is_asked_for_by_its_name() -> None:
    url = rdap.domain_url("https://rdap.example/com/v1/", "Shop.com.")
    assert url == "https://rdap.example/com/v1/domain/shop.com"
    assert "/../" not in rdap.domain_url("https://rdap.example/", "a/../b")


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("https://other.example/domain/a", "https://other.example/domain/a"),
        ("/v2/domain/a", "https://rdap.example/v2/domain/a"),
        ("http://rdap.example/domain/a", None),
        ("ftp://rdap.example/", None),
        ("https://[", None),
        ("https://:443/", None),
        ("https://rdap.example:99999/", None),
        ("https://rdap.example/a b", None),
        ("https://é.example/", None),
    ],
)
def test_a_redirect_leads_to_https_or_nowhere(location: str, leads_to: str | None) -> None:
    assert rdap.redirected("https://rdap.example/domain/a", location) == leads_to


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, Reading.FOUND),
        (302, Reading.REDIRECT),
        (308, Reading.REDIRECT),
        (304, Reading.REFUSED),
        (404, Reading.NOT_FOUND),
        (429, Reading.LATER),
        (400, Reading.REFUSED),
        (403, Reading.REFUSED),
        (500, Reading.FAILED),
        (503, Reading.FAILED),
    ],
)
def test_what_a_status_says(status: int, said: Reading) -> None:
    assert rdap.reading(status) is said


def test_a_registration_is_read() -> None:
    read = registration()
    assert read == Registration(
        "shop.example",
        datetime(2027, 6, 3, 4, tzinfo=UTC).timestamp(),
        ("client transfer prohibited", "auto renew period"),
        "Example Registrar Inc.",
    )
    assert read.standing is Standing.KEPT


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (["active"], Standing.KEPT),
        (["pending transfer", "ok"], Standing.KEPT),
        (["client hold"], Standing.HELD),
        (["serverHold"], Standing.HELD),
        (["redemption period", "client hold"], Standing.LOST),
        (["pendingDelete"], Standing.LOST),
        (["Pending Restore"], Standing.LOST),
        ([1, None], Standing.KEPT),
        ("client hold", Standing.KEPT),
    ],
)
def test_what_status_values_come_to(status: Any, standing: Standing) -> None:
    assert registration(status=status).standing is standing


@pytest.mark.parametrize(
    "events",
    [
        None,
        [],
        "expiration",
        [{"eventAction": "expiration"}],
        [{"eventAction": "expiration", "eventDate": "soon"}],
        [{"eventAction": "expiration", "eventDate": 1}],
        [{"eventAction": "registration", "eventDate": "2027-06-03T04:00:00Z"}],
    ],
)
def test_a_registry_that_names_no_end_is_read_as_such(events: Any) -> None:
    assert registration(events=events).expires is None


def test_of_several_ends_the_last_counts() -> None:
    dates = ("2026-06-03T04:00:00Z", "2027-06-03T04:00:00Z", "x")
    events = [{"eventAction": "expiration", "eventDate": date} for date in dates]
    assert registration(events=events).expires == rdap.timestamp("2027-06-03T04:00:00Z")


@pytest.mark.parametrize(
    "entities",
    [
        None,
        [],
        [None],
        [{"roles": ["registrar"]}],
        [{"roles": ["registrar"], "vcardArray": ["vcard", 1]}],
    ],
)
def test_a_registration_may_name_no_registrar(entities: Any) -> None:
    assert registration(entities=entities).registrar == ""


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (body({"objectClassName": "ip network"}), "domain"),
        (body({"errorCode": 404}), "domain"),
        (b"<html>", "json"),
        (b" " * (rdap.LARGEST_DOMAIN + 1), "size"),
    ],
)
def test_what_is_no_domain_object_is_refused(document: bytes, code: str) -> None:
    with pytest.raises(RdapError) as caught:
        rdap.parse_domain(document)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01t00:00:00.25z", 0.25),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1969-12-31T23:30:00-00:30", 0.0),
        ("1990-12-31T23:59:60Z", 662688000.0),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("2027-02-29T00:00:00Z", None),
        ("2027-01-01T24:00:00Z", None),
        ("2027-01-01T00:00:00", None),
        ("2027-01-01T00:00:00+24:00", None),
        ("2027-01-01", None),
        ("٢٠٢٧-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_dates_are_those_of_rfc_3339(text: str, expected: float | None) -> None:
    assert rdap.timestamp(text) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["events", "eventAction", "eventDate", "status", "roles", "vcardArray"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(["events", "status", "entities", "ldhName"])


@given(st.binary(max_size=60) | st.dictionaries(FIELDS, JSON).map(lambda d: body(DOMAIN | d)))
@settings(max_examples=200)
def test_any_bytes_are_a_registration_or_the_declared_error(document: bytes) -> None:
    with contextlib.suppress(RdapError):
        read = rdap.parse_domain(document)
        assert read.standing in Standing
        assert len(read.registrar) <= 200


@given(st.binary(max_size=60) | JSON.map(lambda services: body({"services": services})))
@settings(max_examples=200)
def test_any_bytes_are_a_bootstrap_file_or_the_declared_error(document: bytes) -> None:
    with contextlib.suppress(RdapError):
        assert isinstance(rdap.parse_bootstrap(document), Bootstrap)


@given(st.text(max_size=40), st.text(max_size=20))
@settings(max_examples=200)
def test_any_text_is_a_redirect_a_date_or_neither(text: str, more: str) -> None:
    target = rdap.redirected("https://rdap.example/a", text)
    assert target is None or rdap.is_secure(target)
    rdap.redirected("https://rdap.example/a", f"https://{text}:{more}")
    rdap.timestamp(f"2027-01-01T00:00:00{more}")


@pytest.mark.parametrize(
    ("parse", "document"),
    [
        (rdap.parse_domain, body(DOMAIN | {"status": ["a" * 100] * 1200})),
        (rdap.parse_domain, body(DOMAIN | {"events": DOMAIN["events"] * 500})),
        (rdap.parse_domain, b"[" * rdap.LARGEST_DOMAIN),
        (rdap.parse_bootstrap, body({"services": [[["a"] * 1000, ["https://a.example/"]]] * 90})),
        (rdap.parse_bootstrap, body({"services": [[[], ["http://" + "a" * 900]]] * 1000})),
    ],
    ids=["statuses", "events", "depth", "zones", "servers"],
)
def test_the_largest_documents_take_no_longer_than_they_should(parse: Any, document: bytes) -> None:
    with in_time(), contextlib.suppress(RdapError):
        parse(document)
