"""What checkdmarc's own tests expect of DMARC and SPF records, scored by the RFCs that we state."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.protocol import dmarc, psl, spf

SET = Path(__file__).parents[3] / "shared" / "conformance" / "records" / "checkdmarc.json"

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)


def cases(function: str) -> list[Any]:
    if not SET.exists():
        return [pytest.param({}, id="absent")]
    chosen = [case for case in json.loads(SET.read_text()) if case["fn"] == function]
    return [pytest.param(case, id=f"{n}-{case['test']}") for n, case in enumerate(chosen)]


def tag_values(record: dmarc.DmarcRecord) -> dict[str, Any]:
    """In checkdmarc's words; `fo` as a set, since its order means nothing."""
    return {
        "p": record.policy,
        "sp": record.policy_for_subdomains,
        "adkim": record.adkim,
        "aspf": record.aspf,
        "psd": record.psd,
        "t": "y" if record.testing else "n",
        "fo": record.failure_options,
        "rua": [uri.address for uri in record.rua],
        "ruf": [uri.address for uri in record.ruf],
        "np": record.policy_for_nonexistent,
    }


def expected_values(tags: dict[str, Any]) -> dict[str, Any]:
    values = {name: tag["value"] for name, tag in tags.items()}
    values["fo"] = set(values["fo"].split(":"))
    for name in ("rua", "ruf"):
        values[name] = [uri["address"] for uri in values.get(name, [])]
    return values


@pytest.mark.parametrize("case", cases("dmarc.parse_dmarc_record"))
def test_dmarc_records_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    text = case["args"][0]
    if not case["valid"]:
        with pytest.raises(dmarc.DmarcError):
            dmarc.parse(text)
        return
    seen, expected = tag_values(dmarc.parse(text)), expected_values(case["result"]["tags"])
    assert seen == {name: expected[name] for name in seen}


@pytest.mark.parametrize("case", cases("dmarc.parse_dmarc_report_uri"))
def test_report_uris_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    text = case["args"][0]
    if not case["valid"]:
        with pytest.raises(dmarc.DmarcError):
            dmarc.parse_report_uri(text)
        return
    uri, expected = dmarc.parse_report_uri(text), case["result"]
    assert (uri.scheme, uri.address) == (expected["scheme"], expected["address"])
    assert (uri.size_limit is None) == (expected["size_limit"] is None)


@pytest.mark.parametrize("case", cases("utils.get_base_domain"))
def test_base_domains_are_found_as_checkdmarc_finds_them(case: dict[str, Any]) -> None:
    assert psl.registrable_domain(case["args"][0]) == case["result"]


# Refused by checkdmarc for DNS answers that are not recorded, while the text is what RFC 7208 §12
# allows: the number of void lookups (§4.6.4) needs the full evaluation.
VOID_LOOKUPS = {"testTooManySPFVoidDNSLookups", "testMxHostMissingARecords"}
# checkdmarc only warns of a word after `exp=`; it is a term that is neither a mechanism nor a
# modifier, and "if there are any syntax errors anywhere in the record" it is permerror (§4.6).
STRAY_WORD = {"testTextAfterExpValueWarns"}


@pytest.mark.parametrize("case", cases("spf.parse_spf_record"))
def test_spf_records_are_judged_as_checkdmarc_judges_them(case: dict[str, Any]) -> None:
    text, domain = case["args"]
    if text.startswith('"'):  # as in a zone file: strings in quotes, joined without a space
        text = "".join(text.split('"')[1::2])
    if case["raises"] == "SPFSyntaxError" or case["test"] in STRAY_WORD:
        with pytest.raises(spf.SpfError):
            spf.parse(text)
    elif case["valid"] or case["test"] in VOID_LOOKUPS:
        spf.parse(text)
    else:  # SPFIncludeLoop, SPFRedirectLoop
        problems = spf.count_lookups(domain, spf.parse(text), {}).problems
        assert [problem.code for problem in problems] == ["loop"]
