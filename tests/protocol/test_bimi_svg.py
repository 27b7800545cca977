import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol.bimi import read_svg
from monitor.protocol.bimi.svg import MAX_BYTES, MOST_READ, Svg
from tests.protocol.limits import MEMORY, SECONDS, in_time, memory, seconds

ROOT = 'xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 64 64"'
SHAPES = '<rect width="64" height="64" fill="#246"/>'


def svg(inside: str = SHAPES, *, root: str = ROOT, title: str = "<title>Brand</title>") -> bytes:
    return f"<svg {root}>{title}{inside}</svg>".encode()


def codes(logo: Svg) -> list[str]:
    return [problem.code for problem in logo.problems]


@pytest.mark.parametrize(
    "document",
    [
        svg(),
        b'<?xml version="1.0" encoding="utf-8"?>\n<!-- drawn -->' + svg(),
        svg('<defs><linearGradient id="g"/></defs><path fill="url(#g)" d="M0 0"/>'),
        svg('<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="#g"/>'),
        svg('<metadata><rdf:RDF xmlns:rdf="urn:rdf"><rdf:x/></rdf:RDF></metadata>' + SHAPES),
        gzip.compress(svg()),
    ],
)
def test_a_good_logo_has_no_problem(document: bytes) -> None:
    logo = read_svg(document)
    assert (codes(logo), logo.advice) == ([], ())
    assert (logo.title, logo.view_box) == ("Brand", (0.0, 0.0, 64.0, 64.0))


def test_compressed_or_not_it_is_the_same_logo() -> None:
    plain, packed = read_svg(svg()), read_svg(gzip.compress(svg()))
    assert (plain.sha256, plain.size) == (packed.sha256, packed.size)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "not_svg"),
        (b"\x89PNG\r\n", "not_svg"),
        (b"<svg", "not_svg"),
        (b"<html/>", "not_svg"),
        (b'<?xml version="1.0" encoding="utf-7"?>' + svg(), "not_svg"),
        (b'<?xml version="1.0" encoding="rot13"?>' + svg(), "not_svg"),
        (svg(root=ROOT.replace("2000/svg", "1999/xhtml")), "namespace"),
        (svg(root=ROOT.replace("tiny-ps", "tiny")), "base_profile"),
        (svg(root=ROOT.replace("1.2", "1.1")), "version"),
        (svg(title=""), "title"),
        (svg(title="<title> </title>"), "title"),
        (svg(title="<title>a</title><title>b</title>"), "title"),
        (svg("<g><title>not the root's</title></g>", title=""), "title"),
        (svg(root=f'{ROOT} x="0"'), "position"),
        (svg(root=ROOT.replace("64 64", "64")), "view_box"),
        (svg(root=ROOT.replace("64 64", "64 nan")), "view_box"),
        (svg(root=f'{ROOT} zoomAndPan="magnify"'), "attribute"),
        (svg('<rect style="fill:red"/>'), "attribute"),
        (svg("<script>alert(1)</script>"), "element"),
        (svg('<image width="1"/>'), "element"),
        (svg("<animate/>"), "element"),
        (svg('<a xmlns="http://www.w3.org/1999/xhtml"/>'), "element"),
        (svg("<metadata><script/></metadata>"), "element"),
        (svg('<rect onclick="x()"/>'), "script"),
        (svg('<use href="https://example.net/x.svg#a"/>'), "reference"),
        (svg('<use href="data:image/svg+xml,x"/>'), "reference"),
        (svg('<rect fill="url( https://example.net/a )"/>'), "reference"),
        (svg('<g xml:base="https://example.net/"/>'), "reference"),
        (b'<?xml-stylesheet href="https://example.net/a.css"?>' + svg(), "reference"),
        (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">' + svg(), "doctype"),
        (svg("<!--" + "x" * MAX_BYTES + "-->"), "size"),
        (b" " * (MOST_READ + 1), "size"),
        (gzip.compress(b" " * (MOST_READ + 1)), "size"),
        (gzip.compress(svg())[:-4], "gzip"),
        (gzip.compress(svg()) + b"more", "gzip"),
        (b"\x1f\x8bnothing", "gzip"),
        (svg("<g>" * 100 + "</g>" * 100), "too_complex"),
        (svg("<g/>" * 12_000), "too_complex"),
    ],
)
def test_what_receivers_refuse_is_named(document: bytes, code: str) -> None:
    assert code in codes(read_svg(document))


def test_what_only_looks_worse_is_advice() -> None:
    wide = read_svg(svg(root=ROOT.replace("64 64", "64 32") + ' width="100%"'))
    assert codes(wide) == []
    assert sorted(problem.code for problem in wide.advice) == ["relative_size", "square"]


BILLION_LAUGHS = b"<!DOCTYPE svg [<!ENTITY a0 'ha'>%s]><svg>&a9;</svg>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)
HOSTILE = {
    "billion laughs": BILLION_LAUGHS,
    "an external entity": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "deep": b"<svg>" * 26_000,
    "a huge attribute": svg(root=f'{ROOT} a="{"url(" * 32_000}"'),
    "many attributes": svg(root=ROOT + "".join(f' a{n}=""' for n in range(12_000))),
    "many namespaces": svg(root=ROOT + "".join(f' xmlns:a{n}="u"' for n in range(6_000))),
    "a huge viewBox": svg(root=ROOT.replace("0 0 64 64", "1 " * 64_000)),
    "many elements": svg("<a/>" * 32_000),
    "a huge text": svg(title=f"<title>{'&#65;' * 25_000}</title>"),
    "a bomb": gzip.compress(gzip.compress(b"\0" * 10_000_000)),
    "a bomb inside": gzip.compress(b"\0" * 50_000_000),
    "a gigabyte of nothing": b"\x1f\x8b" + b"\0" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_cost_little(name: str) -> None:
    document = HOSTILE[name]
    assert read_svg(document).problems
    assert seconds(lambda: read_svg(document)) < SECONDS
    assert memory(lambda: read_svg(document)) < MEMORY


@given(
    st.binary(max_size=2000)
    | st.text("<svg/>&;=\"'x#![]-? title", max_size=200).map(svg)
    | st.tuples(st.integers(0, 300), st.binary(max_size=4)).map(
        lambda cut: svg()[: cut[0]] + cut[1] + svg()[cut[0] :]
    )
)
@settings(max_examples=300)
def test_any_bytes_give_a_result(data: bytes) -> None:
    with in_time():
        assert isinstance(read_svg(data), Svg)
