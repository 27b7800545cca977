"""What checkdmarc's own tests expect of BIMI records and logos, scored by the drafts that we state."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.protocol import bimi, dmarc
from monitor.protocol.bimi import BimiError, BimiRecord, Svg

SET = Path(__file__).parents[3] / "shared" / "conformance" / "records" / "checkdmarc.json"

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)


def cases(function: str) -> list[Any]:
    if not SET.exists():
        return [pytest.param({}, id="absent")]
    chosen = [case for case in json.loads(SET.read_text()) if case["fn"] == function]
    return [pytest.param(case, id=f"{n}-{case['test']}") for n, case in enumerate(chosen)]


# Valid for checkdmarc without an `l` tag, which is REQUIRED: "if a required tag is missing, it is an
# error" (draft-brand-indicators-for-message-identification-14 §4.3). The tags that are there are
# scored all the same.
WITHOUT_LOCATION = {
    "testCommaSeparatedSelectors",
    "testSelectorCharacters",
    "testSelectorsLowercased",
    "testSingleSelector",
    "testSpacesAroundCommasAreStripped",
    "testValidAvp",
}
# checkdmarc's size is that of the text as a Python object, 49 bytes more than the file.
OBJECT_OVERHEAD = 49
# checkdmarc refuses an unknown tag; "unknown tags MUST be ignored" (§4.3). The record is refused by
# both: it has no `l`.
UNKNOWN_TAG = {"testUnknownTagSyntaxError"}


@pytest.mark.parametrize("case", cases("bimi.parse_bimi_record"))
def test_bimi_records_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    text = case["args"][0]
    if not case["valid"]:
        with pytest.raises(BimiError) as caught:
            bimi.parse(text)
        assert (caught.value.code == "missing_location") is (case["test"] in UNKNOWN_TAG)
        return
    record = bimi.read(text)
    problems = ["missing_location"] if case["test"] in WITHOUT_LOCATION else []
    assert [problem.code for problem in record.problems] == problems
    assert tag_values(record, case["result"]["tags"]) == {
        name: tag["value"] for name, tag in case["result"]["tags"].items()
    }
    assert warnings(record, case) == expected_warnings(case)


def tag_values(record: BimiRecord, wanted: dict[str, Any]) -> dict[str, Any]:
    values = {
        "v": "BIMI1",
        "l": record.location,
        "a": record.authority,
        "avp": record.preference,
        "lps": list(record.local_parts or ()),
    }
    return {name: values[name] for name in wanted}


# The recorded results of documents that checkdmarc's tests put in place of the network.
DMARC_WARNINGS = {
    "does not have a valid DMARC record": "missing",
    "DMARC policy (p tag)": "policy",
    "DMARC subdomain policy (sp tag)": "subdomain_policy",
    "DMARC pct tag": "percentage",
}
OTHER_WARNINGS = {"does not match the image": "logo_differs", "without a valid mark": "no_mark"}


def expected_warnings(case: dict[str, Any]) -> set[str]:
    found = {
        code
        for warning in case["result"]["warnings"]
        for part, code in (DMARC_WARNINGS | OTHER_WARNINGS).items()
        if part in warning
    }
    assert len(found) == len(case["result"]["warnings"])
    # Said of a record with a certificate, whose mark checkdmarc's test left out: we say it of the
    # certificate (`mark_type`).
    return found - {"no_mark"} if case["test"] == "testHashMismatchWarning" else found


def warnings(record: BimiRecord, case: dict[str, Any]) -> set[str]:
    found = set()
    if (given := case["kwargs"].get("parsed_dmarc_record")) is not None:
        tags = "; ".join(f"{n}={t['value']}" for n, t in given.get("tags", {}).items())
        records = [dmarc.read(f"v=DMARC1; {tags}")] if given["valid"] else []
        found |= {problem.code for problem in bimi.dmarc_problems(records)}
    if record.location and not record.authority:
        found.add("no_mark")
    if embedded := case["result"].get("certificate", {}).get("logotype_sha256"):
        shown, inside = Svg(sha256=case["result"]["image"]["sha256"]), Svg(sha256=embedded)
        found |= set() if bimi.same_logo(shown, inside) else {"logo_differs"}
    return found


@pytest.mark.parametrize("case", cases("bimi.get_svg_metadata"))
def test_svg_files_are_read_as_checkdmarc_reads_them(case: dict[str, Any]) -> None:
    logo = bimi.read_svg(case["args"][0].encode())
    if not case["valid"]:
        assert [problem.code for problem in logo.problems] == ["not_svg"]
        return
    assert logo.view_box is not None
    seen = {
        "svg_version": logo.version,
        "base_profile": logo.base_profile,
        "title": logo.title,
        "width": logo.view_box[2],
        "height": logo.view_box[3],
        "filesize": f"{(logo.size + OBJECT_OVERHEAD) / 1000} KB",
        "sha256": logo.sha256,
    }
    seen |= {name: logo.attributes[name] for name in ("x", "y") if name in logo.attributes}
    assert seen == case["result"]


SVG_REQUIREMENTS = {
    "cannot include x": ("position", "`x`"),
    "cannot include y": ("position", "`y`"),
    "missing a base profile": ("base_profile", ""),
    "base profile must be tiny-ps": ("base_profile", ""),
    "must have a title": ("title", ""),
    "maximum size": ("size", ""),
    "version must be 1.2": ("version", ""),
}


@pytest.mark.parametrize("case", cases("bimi.check_svg_requirements"))
def test_svg_requirements_are_those_of_checkdmarc(case: dict[str, Any]) -> None:
    """checkdmarc judges the metadata; we judge a document that has them."""
    problems = bimi.read_svg(document_of(case["args"][0])).problems
    expected = [
        wanted
        for message in case["result"]
        for part, wanted in SVG_REQUIREMENTS.items()
        if part in message
    ]
    assert len(expected) == len(case["result"])
    assert sorted(problem.code for problem in problems) == sorted(code for code, _ in expected)
    assert all(any(text in p.message for p in problems) for _, text in expected)


def document_of(metadata: dict[str, Any]) -> bytes:
    names = {"svg_version": "version", "base_profile": "baseProfile", "x": "x", "y": "y"}
    root = " ".join(f'{ours}="{metadata[key]}"' for key, ours in names.items() if key in metadata)
    title = f"<title>{metadata['title']}</title>" if "title" in metadata else ""
    document = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" {root}>{title}</svg>'
    size = round(float(metadata["filesize"].removesuffix(" KB")) * 1024)
    return document.encode().ljust(size)
