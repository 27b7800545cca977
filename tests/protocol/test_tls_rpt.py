import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import tls_rpt
from monitor.protocol.fields import MOST_FIELDS
from monitor.protocol.tls_rpt import Destination, Scheme, TlsRptError


def test_destinations_are_mail_domains_and_hosts() -> None:
    record = tls_rpt.parse(
        "v=TLSRPTv1; rua=mailto:TLS%2Breports@Example.com?subject=x , "
        "https://Reports.example.net:8443/v1?a=b ; x-y.z=1;"
    )
    assert [(d.scheme, d.host) for d in record.rua] == [
        (Scheme.MAILTO, "example.com"),
        (Scheme.HTTPS, "reports.example.net"),
    ]
    assert record.problems == ()


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("v=TLSRPTv2; rua=mailto:a@example.com", "version", 0),
        ("v=TLSRPTv1 rua=mailto:a@example.com", "version", 0),
        ("v=tlsrptv1; rua=mailto:a@example.com", "version", 0),
        ("v=TLSRPTv1", "missing_rua", 10),
        ("v=TLSRPTv1;", "missing_rua", 11),
        ("v=TLSRPTv1; RUA=mailto:a@example.com", "missing_rua", 36),
        ("v=TLSRPTv1;; rua=mailto:a@example.com", "empty_field", 11),
        ("v=TLSRPTv1; rua=mailto:a@example.com; rest", "syntax", 38),
        ("v=TLSRPTv1; rua=", "syntax", 12),
        ("v=TLSRPTv1; rua=a@example.com", "uri", 12),
        ("v=TLSRPTv1; rua=mailto:example.com", "uri", 12),
        ("v=TLSRPTv1; rua=mailto:@example.com", "uri", 12),
        ("v=TLSRPTv1; rua=mailto:a@b!10m", "uri", 12),
        ("v=TLSRPTv1; rua=http://example.com/", "uri", 12),
        ("v=TLSRPTv1; rua=https:///reports", "uri", 12),
        ("v=TLSRPTv1; rua=https://exa_mple.com/", "uri", 12),
    ],
)
def test_a_record_of_which_senders_take_nothing_is_refused_with_the_place(
    text: str, code: str, offset: int
) -> None:
    with pytest.raises(TlsRptError) as caught:
        tls_rpt.parse(text)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_a_destination_that_cannot_be_used_leaves_the_others() -> None:
    record = tls_rpt.parse("v=TLSRPTv1; rua=mailto:a@example.com,ftp://x; rua=mailto:b@example.com")
    assert record.rua == (
        Destination("mailto:a@example.com", Scheme.MAILTO, "example.com"),
        Destination("mailto:b@example.com", Scheme.MAILTO, "example.com"),
    )
    assert [(p.code, p.offset) for p in record.problems] == [("uri", 12), ("duplicate_field", 46)]


PIECES = st.lists(
    st.sampled_from(["rua=", "mailto:a@b", "https://a.b/c", ",", ";", " ", "é", "%", "x=1", "="])
)


@given(st.text(max_size=60) | PIECES.map("".join).map("v=TLSRPTv1;".__add__))
@settings(max_examples=200)
def test_any_text_is_a_record_or_the_declared_error(text: str) -> None:
    try:
        record = tls_rpt.parse(text)
    except TlsRptError as error:
        offset = error.offset
    else:
        assert all(destination.host for destination in record.rua)
        offset = max((problem.offset for problem in record.problems), default=0)
    assert 0 <= offset <= len(text)


def test_a_record_has_a_most_of_destinations_and_of_fields() -> None:
    uris = ",".join(f"mailto:a{n}@example.com" for n in range(101))
    record = tls_rpt.parse(f"v=TLSRPTv1;rua={uris}")
    assert (len(record.rua), [problem.code for problem in record.problems]) == (100, ["uri"])
    fields = "a=1;" * MOST_FIELDS
    assert tls_rpt.parse(f"v=TLSRPTv1;{fields[4:]}rua=mailto:a@example.com;").rua
    with pytest.raises(TlsRptError, match="fields"):
        tls_rpt.parse(f"v=TLSRPTv1;{fields}rua=mailto:a@example.com;")
