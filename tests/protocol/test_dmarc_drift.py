import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Classification
from monitor.protocol.dmarc import classify

RUA = "rua=mailto:reports@example.com"
REJECT = f"v=DMARC1; p=reject; {RUA}"


@pytest.mark.parametrize(
    ("accepted", "seen"),
    [
        (REJECT, REJECT),
        (REJECT, f"v = DMARC1;{RUA} ;\tP=REJECT;"),
        (REJECT, f"v=DMARC1; p=reject; sp=reject; np=reject; {RUA}"),
        (REJECT, f"v=DMARC1; p=reject; t=n; adkim=r; psd=u; fo=0; {RUA}"),
        (REJECT, "v=DMARC1; p=reject; rua=mailto:Reports@Example.com"),
        ("v=DMARC1; p=none; rua=mailto:a@x.test,mailto:b@x.test",) * 2,
        ("v=DMARC1; p=rejct", "v=DMARC1; p=rejct"),
        ("", ""),
    ],
)
def test_what_means_the_same_is_no_drift(accepted: str, seen: str) -> None:
    assert classify(accepted, seen) is None


@pytest.mark.parametrize(
    ("accepted", "seen", "classification", "reason"),
    [
        (
            REJECT,
            f"v=DMARC1; p=none; {RUA}",
            "weakened",
            "`p=reject` → `p=none`: anyone can now send as you",
        ),
        (REJECT, f"v=DMARC1; p=quarantine; {RUA}", "weakened", "only put into spam folders"),
        (REJECT, f"{REJECT}; sp=none", "weakened", "`sp=reject` → `sp=none`"),
        (REJECT, f"{REJECT}; np=none", "weakened", "subdomains that do not exist"),
        (REJECT, f"{REJECT}; t=y", "weakened", "`t=y`: one level less is applied"),
        (f"{REJECT}; adkim=s", REJECT, "weakened", "`adkim=s` → `adkim=r`"),
        (f"{REJECT}; aspf=s", REJECT, "weakened", "`aspf=s` → `aspf=r`"),
        # One protection less makes it weakened, whatever else got better.
        (REJECT, f"v=DMARC1; p=quarantine; adkim=s; {RUA}", "weakened", "`p=reject`"),
        (f"v=DMARC1; p=none; {RUA}", REJECT, "strengthened", "`p=none` → `p=reject`"),
        (f"{REJECT}; t=y", REJECT, "strengthened", "`t=y` is gone"),
        (REJECT, f"{REJECT}; aspf=s", "strengthened", "only the very domain aligns in SPF"),
        ("", REJECT, "strengthened", "there was no record"),
        ("", "v=DMARC1; p=none", "changed", "now there is `p=none`"),
        (REJECT, "v=DMARC1; p=reject", "changed", "`rua` is gone"),
        (REJECT, f"v=DMARC1; p=reject; {RUA},mailto:x@y.test", "changed", "with x@y.test"),
        (REJECT, f"{REJECT}; psd=n", "changed", "`psd=u` → `psd=n`"),
        (REJECT, f"{REJECT}; pct=0", "changed", "none → pct=0"),
        # No meaning since RFC 9989, so no page; receivers by RFC 7489 are named.
        (REJECT, f"{REJECT}; pct=0", "changed", "apply the policy to 0 % of the mail"),
        # Receivers ignore it (§4.7): a ticket, no page.
        (REJECT, f"{REJECT}; fo=x", "changed", "fo=`x` is no list"),
        (REJECT, f"v=DMARC1; p=rejct; {RUA}", "broken", "receivers act on `p=none`"),
        (REJECT, "v=DMARC1; p=rejct", "broken", "receivers act on no DMARC record at all"),
        (REJECT, f"{REJECT}; p=reject", "broken", "occurs more than once"),
        (REJECT, "v=DMARC2; p=reject", "broken", "no longer starts with `v=DMARC1`"),
        (REJECT, "", "vanished", "the record is gone"),
        ("v=DMARC1; p=rejct", REJECT, "strengthened", "`p=none` → `p=reject`"),
    ],
)
def test_a_difference_is_classified_with_its_reason(
    accepted: str, seen: str, classification: str, reason: str
) -> None:
    drift = classify(accepted, seen)
    assert drift is not None
    assert drift.classification == Classification(classification)
    assert reason in drift.reason


def test_what_follows_from_p_alone_is_said_once() -> None:
    drift = classify(REJECT, f"v=DMARC1; p=none; {RUA}")
    assert drift is not None
    assert ";" not in drift.reason


tag = st.sampled_from(
    ["p=none", "p=reject", "p=x", "sp=none", "np=reject", "adkim=s", "t=y", "psd=n", RUA, "fo=1"]
)
texts = st.lists(tag, max_size=5).map(lambda tags: "; ".join(["v=DMARC1", *tags])) | st.text()


@given(texts, texts)
@settings(max_examples=200)
def test_any_two_texts_are_compared_and_a_text_equals_itself(accepted: str, seen: str) -> None:
    assert classify(accepted, accepted) is None
    there = classify(accepted, seen)
    if there is not None and there.classification is Classification.STRENGTHENED:
        back = classify(seen, accepted)
        assert back is not None
        assert back.classification is not Classification.STRENGTHENED
