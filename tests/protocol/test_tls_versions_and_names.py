import pytest

from monitor.protocol import tls


@pytest.mark.parametrize(
    ("protocol", "outdated"),
    [("SSLv3", True), ("TLSv1", True), ("TLSv1.1", True), ("TLSv1.2", False), ("TLSv1.3", False)],
)
def test_versions_below_1_2_are_outdated(protocol: str, outdated: bool) -> None:
    assert tls.is_outdated(protocol) is outdated


@pytest.mark.parametrize(
    ("host", "names", "matches"),
    [
        ("mx.example.com", ["other.example", "MX.Example.com"], True),
        ("mx.example.com.", ["mx.example.com"], True),
        ("mx.example.com", ["*.example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("a.mx.example.com", ["*.example.com"], False),
        ("mx.example.com", ["m*.example.com"], False),
        ("mx.example.com", ["mx.*.com"], False),
        ("mx.example.com", ["*"], False),
        ("mx.example.com", [], False),
        (".example.com", ["*.example.com"], False),
        ("mx", ["*."], False),
        ("", [""], False),
        ("192.0.2.1", ["192.0.2.1"], True),
        ("2001:db8::1", ["2001:DB8:0:0::1"], True),
        ("192.0.2.1", ["*.0.2.1"], False),
        ("192.0.2.1", ["mx.example.com"], False),
    ],
)
def test_names_of_a_certificate(host: str, names: list[str], matches: bool) -> None:
    assert tls.names_match(host, names) is matches
