"""No connection leaves for an address that is not public, unless the configuration allows it."""

import pytest

from monitor.world.guard import AddressGuard

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "142.250.27.26",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "223.255.255.254",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:400c:c00::1a",
]

FORBIDDEN = [
    # this machine, this link, this network
    *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "169.254.169.254", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "2606:4700:4700::1111%eth0"),
    # private
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"),
    *("fc00::1", "fd12:3456:789a::1", "fec0::1"),
    # documentation, benchmarking, reserved, multicast
    *("192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "192.0.0.8", "240.0.0.1"),
    *("192.88.99.1", "224.0.0.1", "224.0.1.1", "239.255.255.255"),
    *("2001:db8::1", "3fff::1", "2001:2::1", "2001:20::1", "100::1", "5f00::1"),
    *("ff02::1", "ff0e::1", "4000::1"),
    # IPv4 in IPv6's clothes
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8"),
    *("64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "2001:0:4136:e378::1"),
    # no addresses
    *("", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "localhost", "unix:/run/x"),
    *("[::1]", "127.0.0.1:25", "8.8.8.8\r\nQUIT", "8.8.8.8 ", "8.8.8.8/32"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert AddressGuard().permit(address) is None


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_is_refused_with_a_reason(address: str) -> None:
    reason = AddressGuard().permit(address)
    assert reason is not None
    assert "is not " in reason
    assert reason.isprintable()


def test_what_the_configuration_allows_is_permitted_and_nothing_beside_it() -> None:
    guard = AddressGuard(allow=["127.0.0.0/8", "fd00::/8"])
    assert guard.permit("127.0.0.9") is None
    assert guard.permit("fd00::25") is None
    assert guard.permit("10.0.0.1")
    assert guard.permit("::1")
    assert guard.permit("::ffff:127.0.0.1")


def test_ports_are_mapped_where_the_configuration_says() -> None:
    guard = AddressGuard(ports={25: 2525})
    assert (guard.port(25), guard.port(587)) == (2525, 587)
