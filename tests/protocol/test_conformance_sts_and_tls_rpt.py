"""What checkdmarc's own tests expect of MTA-STS and TLS-RPT, scored by RFC 8461 and RFC 8460."""

from typing import Any

import pytest

from monitor.protocol import mta_sts, tls_rpt
from tests.protocol.test_conformance_records import SET, cases

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)

# Refused by checkdmarc, and to be accepted by RFC 8461 §3.2: "Parsers MUST accept TXT records and
# policy files that are syntactically valid (…), but containing additional key/value pairs not
# specified in this document, in which case unknown fields SHALL be ignored. If any non-repeated
# field -- i.e., all fields excepting "mx" -- is duplicated, all entries except for the first SHALL
# be ignored."
ACCEPTED_BY_RFC_8461 = {
    "testParseMtaStsRecordDuplicateTag": {"id": "foo"},
    "testParseMtaStsPolicyDuplicateKey": {"mode": "enforce"},
    "testParseMtaStsPolicyUnexpectedKey": {"mode": "enforce"},
}
# RFC 8460 §3's grammar, `tlsrpt-version 1*(field-delim tlsrpt-field)`, lets `rua` occur again.
ACCEPTED_BY_RFC_8460 = {
    "testParseSmtpTlsReportingDuplicateTag": ["mailto:a@example.com", "mailto:b@example.com"],
}


@pytest.mark.parametrize("case", cases("mta_sts.parse_mta_sts_record"))
def test_mta_sts_records_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    text = case["args"][0]
    if case["valid"]:
        assert mta_sts.parse_record(text).id == case["result"]["tags"]["id"]
    elif case["test"] in ACCEPTED_BY_RFC_8461:
        record = mta_sts.parse_record(text)
        assert {"id": record.id} == ACCEPTED_BY_RFC_8461[case["test"]]
    else:
        with pytest.raises(mta_sts.StsRecordError):
            mta_sts.parse_record(text)


@pytest.mark.parametrize("case", cases("mta_sts.parse_mta_sts_policy"))
def test_mta_sts_policies_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    body = case["args"][0].encode()
    if case["valid"]:
        policy, expected = mta_sts.parse_policy(body), case["result"]["policy"]
        assert (policy.mode, policy.max_age) == (expected["mode"], expected["max_age"])
        assert list(policy.mx) == expected["mx"]
    elif case["test"] in ACCEPTED_BY_RFC_8461:
        policy = mta_sts.parse_policy(body)
        assert {"mode": policy.mode} == ACCEPTED_BY_RFC_8461[case["test"]]
    else:
        with pytest.raises(mta_sts.StsPolicyError):
            mta_sts.parse_policy(body)


@pytest.mark.parametrize("case", cases("smtp_tls_reporting.parse_smtp_tls_reporting_record"))
def test_tls_rpt_records_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    text = case["args"][0]
    expected = ACCEPTED_BY_RFC_8460.get(case["test"])
    if case["valid"]:
        expected = case["result"]["tags"]["rua"]["value"]
    if expected is None:
        with pytest.raises(tls_rpt.TlsRptError):
            tls_rpt.parse(text)
        return
    assert [destination.uri for destination in tls_rpt.parse(text).rua] == expected
