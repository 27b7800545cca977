import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import dmarc
from monitor.protocol.dmarc import Alignment, DmarcError, DmarcRecord, Policy, Psd

RUA = "rua=mailto:reports@example.com"


def test_a_full_record() -> None:
    record = dmarc.parse(
        "v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; aspf=r; psd=n; t=y; fo=1:d; "
        "rua=mailto:a@example.com!10m,https://example.com/r; ruf=mailto:b@example.com; pct=5; x=y;"
    )
    assert record.policy is Policy.REJECT
    assert record.policy_for_subdomains is Policy.QUARANTINE
    assert record.policy_for_nonexistent is Policy.REJECT
    assert (record.adkim, record.aspf) == (Alignment.STRICT, Alignment.RELAXED)
    assert record.psd is Psd.NO
    assert record.testing
    assert record.failure_options == {"1", "d"}
    assert [(u.scheme, u.address, u.size_limit) for u in record.rua] == [
        ("mailto", "a@example.com", 10 * 2**20),
        ("https", "//example.com/r", None),
    ]
    assert record.removed_tags == (("pct", "5"),)
    assert record.unknown_tags == ("x",)
    assert record.applied


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=DMARC1", True),
        ("V = DMARC1\t;p=none", True),
        ("v=dmarc1; p=none", False),
        ("v=DMARC1 p=none", False),
        ("v=DMARC12; p=none", False),
        ("p=none; v=DMARC1", False),
        (" v=DMARC1; p=none", False),
        ("v=spf1 -all", False),
        ("", False),
    ],
)
def test_the_version_tag_tells_a_policy_record(text: str, expected: bool) -> None:
    assert dmarc.is_dmarc(text) is expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("v=spf1 -all", "version"),
        ("v=DMARC1; p=reject; p=none", "duplicate_tag"),
        ("v=DMARC1; p", "syntax"),
        ("v=DMARC1;; p=none", "empty_tag"),
        ("v=DMARC1; p=rejct; " + RUA, "policy"),
        ("v=DMARC1; p=reject; np=", "policy"),
        ("v=DMARC1", "missing_policy"),
        ("v=DMARC1; rua=reports@example.com", "uri"),
        ("v=DMARC1; p=none; rua=mailto:nobody", "uri"),
        ("v=DMARC1; p=none; rua=mailto:a@example.com!10x", "uri"),
        ("v=DMARC1; p=none; ruf=", "uri"),
        ("v=DMARC1; p=none; adkim=x", "value"),
        ("v=DMARC1; p=none; fo=0:", "value"),
    ],
)
def test_parse_refuses_what_the_rfc_forbids(text: str, code: str) -> None:
    with pytest.raises(DmarcError) as caught:
        dmarc.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "address", "size_limit"),
    [
        ("mailto:a@example.com", "a@example.com", None),
        ("MAILTO:a%2bb@example.com?subject=x", "a+b@example.com", None),
        ("mailto:a@example.com!500", "a@example.com", 500),
        ("mailto:a@example.com!2k", "a@example.com", 2048),
        ("mailto:a@example.com!10M", "a@example.com", 10_485_760),
        ("mailto:a@example.com!1g", "a@example.com", 1_073_741_824),
        ("mailto:a@example.com!1t", "a@example.com", 1_099_511_627_776),
        ("https://example.com/r?x=%41", "//example.com/r?x=%41", None),
    ],
)
def test_report_uris(text: str, address: str, size_limit: int | None) -> None:
    uri = dmarc.parse_report_uri(text)
    assert (uri.address, uri.size_limit) == (address, size_limit)


@pytest.mark.parametrize("removed", ["pct=150", "pct=abc", "rf=x", "ri=-1", "pct="])
def test_removed_tags_are_never_errors(removed: str) -> None:
    name, _, value = removed.partition("=")
    assert dmarc.parse(f"v=DMARC1; p=reject; {removed}").removed_tags == ((name, value),)


@pytest.mark.parametrize(
    ("text", "policy", "applied"),
    [
        ("v=DMARC1; " + RUA, Policy.NONE, True),
        ("v=DMARC1; p=rejct; " + RUA, Policy.NONE, True),
        ("v=DMARC1; p=reject; sp=x; " + RUA, Policy.NONE, True),
        ("v=DMARC1; p=reject; sp=x", Policy.NONE, False),
        ("v=DMARC1", Policy.NONE, False),
        ("v=DMARC1; p=reject; p=reject", Policy.REJECT, False),
        ("v=DMARC1; p=reject; fo=x; adkim=7; rua=nonsense;;", Policy.REJECT, True),
    ],
)
def test_receivers_fall_back_as_rfc_9989_4_10_1_says(
    text: str, policy: Policy, applied: bool
) -> None:
    record = dmarc.read(text)
    assert (record.policy, record.applied) == (policy, applied)


policies = st.sampled_from(Policy)
addresses = st.from_regex(r"[a-z0-9.+-]{1,20}@[a-z]([a-z0-9-]{0,8}[a-z0-9])?\.test", fullmatch=True)
uris = st.builds(
    lambda address, limit: dmarc.parse_report_uri(f"mailto:{address}{limit}"),
    addresses,
    st.sampled_from(["", "!10m", "!5", "!1g"]),
)
records = st.builds(
    DmarcRecord,
    policy=policies,
    subdomain_policy=st.none() | policies,
    nonexistent_policy=st.none() | policies,
    adkim=st.sampled_from(Alignment),
    aspf=st.sampled_from(Alignment),
    psd=st.sampled_from(Psd),
    testing=st.booleans(),
    failure_options=st.frozensets(st.sampled_from("01ds"), min_size=1),
    rua=st.lists(uris, max_size=3).map(tuple),
    ruf=st.lists(uris, max_size=2).map(tuple),
    removed_tags=st.sampled_from([(), (("pct", "50"),), (("pct", "x"), ("ri", "3600"))]),
)


@given(records)
@settings(max_examples=100)
def test_what_is_rendered_parses_to_the_same(record: DmarcRecord) -> None:
    assert dmarc.parse(dmarc.render(record)) == record


@given(st.text() | st.text("vV=DMARC1; prsnuafo:,!mailtoej@.\t").map("v=DMARC1;".__add__))
@settings(max_examples=300)
def test_no_text_raises_anything_but_dmarc_error(text: str) -> None:
    if dmarc.is_dmarc(text):
        problems = dmarc.read(text).problems
        assert all(0 <= p.offset <= len(text) and p.message.isprintable() for p in problems)
    with contextlib.suppress(DmarcError):
        assert dmarc.parse(text).applied


def test_a_record_has_a_most_of_destinations() -> None:
    uris = ",".join(f"mailto:a{n}@example.com" for n in range(101))
    record = dmarc.read(f"v=DMARC1; p=none; rua={uris}")
    assert (len(record.rua), [problem.code for problem in record.problems]) == (100, ["uri"])
    assert dmarc.read(f"v=DMARC1; p=none; rua=mailto:{'a' * 3000}@example.com").rua == ()
