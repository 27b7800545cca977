from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Classification
from monitor.protocol import bimi, dmarc
from monitor.protocol.bimi import BimiError, BimiRecord, Preference
from tests.protocol.limits import in_time

LOGO, PEM = "https://example.com/logo.svg", "https://example.com/mark.pem"
FULL = f"v=BIMI1; l={LOGO}; a={PEM}"


def test_a_full_record() -> None:
    record = bimi.parse(f"v=BIMI1; a={PEM}; l={LOGO}; avp=personal; lps=News, billing; x=ignored;")
    assert record == BimiRecord(LOGO, PEM, Preference.PERSONAL, ("news", "billing"))
    assert not record.declines


@pytest.mark.parametrize("text", ["v=BIMI1; l=; a=;", "v=BIMI1;l=", "v = BIMI1 ; l = ; a ="])
def test_a_domain_may_decline(text: str) -> None:
    assert bimi.parse(text).declines


def test_an_empty_list_of_local_parts_is_not_an_absent_one() -> None:
    assert bimi.parse(f"v=BIMI1; l={LOGO}").local_parts is None
    assert bimi.parse(f"v=BIMI1; l={LOGO}; lps=").local_parts == ()


@pytest.mark.parametrize(
    "text",
    [
        "v=bimi1; l=",
        "V=BIMI1; l=",
        "v=BIMI2; l=",
        "v=BIMI1 x; l=",
        "l=; v=BIMI1",
        "v=spf1 -all",
        "",
    ],
)
def test_another_version_is_no_record_at_all(text: str) -> None:
    assert not bimi.is_bimi(text)
    with pytest.raises(BimiError) as caught:
        bimi.read(text)
    assert caught.value.code == "version"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("v=BIMI1", "missing_location"),
        (f"v=BIMI1; L={LOGO}", "missing_location"),
        (f"v=BIMI1; a={PEM}", "missing_location"),
        (f"v=BIMI1; l=; a={PEM}", "no_logo"),
        ("v=BIMI1; l=http://example.com/logo.svg", "uri"),
        ("v=BIMI1; l=https://localhost/logo.svg", "uri"),
        ("v=BIMI1; l=https://192.0.2.1/logo.svg", "uri"),
        ("v=BIMI1; l=https://example.com:x/logo.svg", "uri"),
        ("v=BIMI1; l=https://[example.com/logo.svg", "uri"),
        (f"v=BIMI1; l={LOGO},{LOGO}", "uri"),
        (f"v=BIMI1; l={LOGO}; a=mark.pem", "uri"),
        ("v=BIMI1; l=https://example.com/logo.PNG", "format"),
        (f"v=BIMI1; l={LOGO}; l={LOGO}", "duplicate_tag"),
        (f"v=BIMI1; l={LOGO}; avp=both", "preference"),
        (f"v=BIMI1; l={LOGO}; lps=a,,b", "local_parts"),
        (f"v=BIMI1; l={LOGO}; nonsense", "syntax"),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str) -> None:
    assert [problem.code for problem in bimi.read(text).problems] == [code]
    with pytest.raises(BimiError):
        bimi.parse(text)


@given(st.text() | st.text("v=BIMI1; laps:/htexm.,[]@#%\t").map("v=BIMI1;".__add__))
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text: str) -> None:
    with in_time(), suppress(BimiError):
        assert isinstance(bimi.parse(text), BimiRecord)


@pytest.mark.parametrize(
    ("accepted", "seen", "expected"),
    [
        (FULL, f"v=BIMI1;a={PEM};l={LOGO};", None),
        (FULL, "", Classification.VANISHED),
        (FULL, "v=BIMI1; l=; a=", Classification.BROKEN),
        (FULL, "v=bimi1; l=x", Classification.BROKEN),
        (FULL, f"v=BIMI1; l={LOGO}; a=mark.pem", Classification.BROKEN),
        (FULL, f"v=BIMI1; l={LOGO}", Classification.WEAKENED),
        (f"v=BIMI1; l={LOGO}", FULL, Classification.STRENGTHENED),
        (f"v=BIMI1; l={LOGO}; a=mark.pem", FULL, Classification.STRENGTHENED),
        (FULL, FULL.replace("logo", "new"), Classification.CHANGED),
        (FULL, FULL.replace("mark", "new"), Classification.CHANGED),
        (FULL, f"{FULL}; avp=personal", Classification.CHANGED),
        ("", FULL, Classification.CHANGED),
        ("", "v=BIMI1; l=;", None),
    ],
)
def test_drift_says_what_becomes_of_the_logo(
    accepted: str, seen: str, expected: Classification | None
) -> None:
    drift = bimi.classify(accepted, seen)
    assert (drift.classification if drift else None) == expected


@pytest.mark.parametrize(
    ("records", "codes"),
    [
        (["v=DMARC1; p=reject"], []),
        (["v=DMARC1; p=quarantine; pct=100; sp=reject"], []),
        ([], ["missing"]),
        (["v=DMARC1; p=none"], ["policy"]),
        (["v=DMARC1; rua=mailto:a@example.com"], ["policy"]),
        (["v=DMARC1; p=reject; sp=none"], ["subdomain_policy"]),
        (["v=DMARC1; p=reject; pct=50"], ["percentage"]),
        (["v=DMARC1; p=reject; t=y"], ["testing"]),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none; sp=none"], ["policy", "subdomain_policy"]),
    ],
)
def test_dmarc_must_be_strong_at_the_domain_and_above(records: list[str], codes: list[str]) -> None:
    found = bimi.dmarc_problems([dmarc.read(text) for text in records])
    assert [problem.code for problem in found] == codes
