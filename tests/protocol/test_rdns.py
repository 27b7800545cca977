from ipaddress import ip_address

import pytest

from monitor.protocol import rdns


def test_the_reverse_name() -> None:
    assert rdns.reverse_name(ip_address("192.0.2.99")) == "99.2.0.192.in-addr.arpa"
    assert rdns.reverse_name(ip_address("2001:db8::1")).endswith(".8.b.d.0.1.0.0.2.ip6.arpa")


@pytest.mark.parametrize(
    ("address", "name", "reason"),
    [
        ("192.0.2.99", "mta1.example.com", ""),
        ("192.0.2.99", "mail.dslreports.example", ""),
        ("192.0.2.99", "mx99.example.com", ""),
        ("198.51.100.7", "smtp-100-7.mta.example.com", ""),
        ("192.0.2.99", "99-2-0-192.example.net", "address"),
        ("192.0.2.99", "ec2-192-0-2-99.compute.example.net", "address"),
        ("192.0.2.99", "192.000.002.099.example.net", "address"),
        ("192.0.2.99", "host192000002099.example.net", "address"),
        ("192.0.2.99", "IP99.ip-192-0-2.example.net", "address"),
        ("192.0.2.99", "mx-192-0-2.example.com", ""),
        ("192.0.2.99", "c0000263.example.net", "address"),
        ("192.0.2.99", "customer.dyn.example.net", "`dyn`"),
        ("192.0.2.99", "p5.dsl3.example.net", "`dsl`"),
        ("192.0.2.99", "mta1.mobile.de", ""),
        ("192.0.2.99", "mx.city-cable.co.uk", ""),
        ("192.0.2.99", "mobile.mobile.de", "`mobile`"),
        ("2001:db8::25", "mta1.example.com", ""),
        ("2001:db8::25", "2001-db8--25.example.net", ""),
        ("2001:db8:1:2:3:4:5:6", "2001-db8-1-2-3-4-5-6.example.net", "address"),
        (
            "2001:db8::25",
            "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.example.net",
            "address",
        ),
        ("2001:db8::25", "20010db8000000000000000000000025.example.net", "address"),
    ],
)
def test_names_that_look_made_for_any_customer(address: str, name: str, reason: str) -> None:
    found = rdns.generic_reason(name, ip_address(address))
    assert bool(found) == bool(reason)
    assert reason in found


@pytest.mark.parametrize(
    ("address", "forward", "expected"),
    [
        ("192.0.2.1", ["192.0.2.9", "192.0.2.1"], True),
        ("2001:db8::1", ["2001:0DB8:0::1"], True),
        ("192.0.2.1", ["192.0.2.10", "nonsense"], False),
        ("192.0.2.1", [], False),
    ],
)
def test_a_name_is_confirmed_by_its_addresses(
    address: str, forward: list[str], expected: bool
) -> None:
    assert rdns.forward_confirmed(ip_address(address), forward) is expected
