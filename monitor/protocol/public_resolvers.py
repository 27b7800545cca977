"""Resolvers that strangers share, by their addresses. Blocklists refuse them: nobody knows who asks through one."""

from collections.abc import Mapping
from ipaddress import ip_address

from monitor.model import Address

_BY_OPERATOR: Mapping[str, tuple[str, ...]] = {
    # developers.google.com/speed/public-dns/docs/using, …/docs/dns64
    "Google Public DNS": (
        "8.8.8.8",
        "8.8.4.4",
        "2001:4860:4860::8888",
        "2001:4860:4860::8844",
        "2001:4860:4860::6464",
        "2001:4860:4860::64",
    ),
    # developers.cloudflare.com/1.1.1.1/ip-addresses, …/infrastructure/ipv6-networks
    "Cloudflare": (
        "1.1.1.1",
        "1.0.0.1",
        "1.1.1.2",
        "1.0.0.2",
        "1.1.1.3",
        "1.0.0.3",
        "2606:4700:4700::1111",
        "2606:4700:4700::1001",
        "2606:4700:4700::1112",
        "2606:4700:4700::1002",
        "2606:4700:4700::1113",
        "2606:4700:4700::1003",
        "2606:4700:4700::64",
        "2606:4700:4700::6400",
    ),
    # quad9.net/service/service-addresses-and-features
    "Quad9": (
        "9.9.9.9",
        "149.112.112.9",
        "149.112.112.112",
        "9.9.9.10",
        "149.112.112.10",
        "9.9.9.11",
        "149.112.112.11",
        "2620:fe::fe",
        "2620:fe::9",
        "2620:fe::10",
        "2620:fe::fe:10",
        "2620:fe::11",
        "2620:fe::fe:11",
    ),
    # opendns.com/setupguide, support.opendns.com 227986667 (IPv6)
    "OpenDNS": (
        "208.67.222.222",
        "208.67.220.220",
        "208.67.222.220",
        "208.67.220.222",
        "208.67.222.123",
        "208.67.220.123",
        "2620:119:35::35",
        "2620:119:53::53",
        "2620:119:35::123",
        "2620:119:53::123",
        "2620:0:ccc::2",
        "2620:0:ccd::2",
    ),
    # adguard-dns.io/public-dns.html
    "AdGuard DNS": (
        "94.140.14.14",
        "94.140.15.15",
        "94.140.14.15",
        "94.140.15.16",
        "94.140.14.140",
        "94.140.14.141",
        "2a10:50c0::ad1:ff",
        "2a10:50c0::ad2:ff",
        "2a10:50c0::bad1:ff",
        "2a10:50c0::bad2:ff",
        "2a10:50c0::1:ff",
        "2a10:50c0::2:ff",
    ),
    # vercara.digicert.com/ultra-dns-public (formerly Verisign, Neustar)
    "UltraDNS Public": (
        "64.6.64.6",
        "64.6.65.6",
        "156.154.70.1",
        "156.154.71.1",
        "2620:74:1b::1:1",
        "2620:74:1c::2:2",
        "2610:a1:1018::1",
        "2610:a1:1019::1",
    ),
    # Level 3's, open by custom only; named in every list of public resolvers
    "Lumen (Level 3)": (
        "4.2.2.1",
        "4.2.2.2",
        "4.2.2.3",
        "4.2.2.4",
        "4.2.2.5",
        "4.2.2.6",
        "209.244.0.3",
        "209.244.0.4",
    ),
    # cleanbrowsing.org/filters
    "CleanBrowsing": (
        "185.228.168.9",
        "185.228.169.9",
        "185.228.168.10",
        "185.228.169.11",
        "185.228.168.168",
        "185.228.169.168",
        "2a0d:2a00:1::2",
        "2a0d:2a00:2::2",
    ),
    # controld.com/free-dns
    "Control D": ("76.76.2.0", "76.76.10.0", "2606:1a40::", "2606:1a40:1::"),
    # dns.watch
    "DNS.WATCH": (
        "84.200.69.80",
        "84.200.70.40",
        "2001:1608:10:25::1c04:b12f",
        "2001:1608:10:25::9249:d69b",
    ),
    # comodo.com/secure-dns
    "Comodo Secure DNS": ("8.26.56.26", "8.20.247.20"),
    # dns.yandex.com
    "Yandex DNS": ("77.88.8.8", "77.88.8.1", "2a02:6b8::feed:ff", "2a02:6b8:0:1::feed:ff"),
    # dns.he.net
    "Hurricane Electric": ("74.82.42.42", "2001:470:20::2"),
    # alidns.com
    "AliDNS": ("223.5.5.5", "223.6.6.6", "2400:3200::1", "2400:3200:baba::1"),
    # What a cloud gives its machines: shared by all its tenants, without a name that tells them apart.
    # docs.aws.amazon.com/vpc (Amazon DNS server); Spamhaus refuses it since 2022 (spamhaus.org/resource-hub)
    "Amazon Web Services": ("169.254.169.253", "fd00:ec2::253"),
    # learn.microsoft.com: what is IP address 168.63.129.16
    "Microsoft Azure": ("168.63.129.16",),
    # cloud.google.com/compute/docs/internal-dns (metadata server)
    "Google Cloud": ("169.254.169.254",),
    # docs.digitalocean.com; Spamhaus refuses it since 2024 (spamhaus.org/resource-hub)
    "DigitalOcean": ("67.207.67.2", "67.207.67.3"),
    # docs.hetzner.com/dns-console/dns/general/recursive-name-servers
    "Hetzner": (
        "185.12.64.1",
        "185.12.64.2",
        "2a01:4ff:ff00::add:1",
        "2a01:4ff:ff00::add:2",
    ),
}
_OPERATORS: Mapping[Address, str] = {
    ip_address(text): operator for operator, texts in _BY_OPERATOR.items() for text in texts
}


def operator_of(nameserver: str) -> str:
    """Who runs the shared resolver at an address; "" where it is none that is known, or no address."""
    try:
        address = ip_address(nameserver)
    except ValueError:
        return ""
    return _OPERATORS.get(getattr(address, "ipv4_mapped", None) or address, "")
