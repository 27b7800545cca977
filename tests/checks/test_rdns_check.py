"""Reverse DNS: of which addresses a name is expected."""

from ipaddress import ip_address

import pytest

from checks.rdns.check import RdnsCheck
from monitor.model import AddressTarget

ADDRESS = ip_address("192.0.2.10")


@pytest.mark.parametrize(
    ("target", "applies"),
    [
        (AddressTarget(ADDRESS, "example.com"), True),
        (AddressTarget(ADDRESS, "example.com", sends=False), False),
        (AddressTarget(ADDRESS, "example.com", part_of="192.0.2.0/24"), False),
        (AddressTarget(ADDRESS, "example.com", part_of="a:www.example.com"), False),
    ],
    ids=["sends", "only receives", "one of a range", "one that may send"],
)
def test_names_are_expected_of_addresses_that_send(target: AddressTarget, applies: bool) -> None:
    """Nobody is woken for an address that no mail leaves from."""
    assert RdnsCheck.about.applies(target) is applies
