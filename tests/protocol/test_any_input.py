"""Every parser of text or bytes from outside: a result or the declared error, within 50 ms and 10 MiB.

What the results are is tested beside each parser; here is what no input may do.
"""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Severity
from monitor.protocol import (
    dane,
    dkim,
    dmarc,
    dnsbl,
    dnssec,
    durations,
    fields,
    mta_sts,
    mx,
    names,
    platforms,
    psl,
    rdap,
    rdns,
    record_diff,
    selectors,
    smtp_reply,
    tags,
    tls,
    tls_rpt,
)
from monitor.protocol.bimi import classify as bimi_drift
from monitor.protocol.bimi import record as bimi
from monitor.protocol.bimi.authorities import AUTHORITIES
from monitor.protocol.bimi.evidence import EvidenceError, read_evidence
from monitor.protocol.bimi.svg import read_svg
from monitor.protocol.problem import RecordError
from monitor.protocol.spf import macros
from monitor.protocol.spf import record as spf_record
from monitor.protocol.tls_hello import HelloError, ServerFlight
from tests.protocol.limits import MEMORY, SECONDS, in_time, memory, seconds

SIZE = 64 * 1024
IP4, IP6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
MACRO_VALUES = dict.fromkeys("slodiphcrtv", ("a.b-c+d/e,f=g_" * 18)[:253])


@dataclass(frozen=True)
class Parser:
    """`begins` is what makes it read on; `refuses` the errors that it declares."""

    read: Callable[[str], object]
    begins: tuple[str, ...] = ("",)
    refuses: type[Exception] | tuple[()] = ()

    def __call__(self, text: str) -> None:
        with suppress(self.refuses or ()):
            self.read(text)


def dmarc_reports(text: str) -> None:
    dmarc.destinations(dmarc.read(text))
    dmarc.refusal([text], "example.com")


def same_and_longer(compare: Callable[[str, str], object]) -> Callable[[str], None]:
    """From and to the text, and from the text to a longer one."""

    def both(text: str) -> None:
        compare("v=DMARC1; p=reject", text)
        compare(text, f"{text}x")

    return both


DMARC = ("v=DMARC1;", "v=DMARC1; p=none; rua=", "v=DMARC1; fo=", "v=DMARC1; p=none; ruf=mailto:")
TEXTS: dict[str, Parser] = {
    "tags": Parser(partial(tags.read_tags, fold_case=True)),
    "fields": Parser(
        partial(fields.read_fields, version="STSv1", error=RecordError),
        ("", "v=STSv1;"),
        RecordError,
    ),
    # What was read is kept: here each time counts.
    "spf": Parser(
        spf_record._read, ("v=spf1 ", "v=spf1 a:", "v=spf1 x=", "v=spf1 ip6:"), RecordError
    ),
    "spf macros": Parser(
        lambda text: macros.expand(text[:2048], MACRO_VALUES),
        ("", "%{d"),
        macros.MacroError,
    ),
    "spf names": Parser(macros.query_name),
    "dmarc": Parser(dmarc.read, DMARC, RecordError),
    "dmarc reports": Parser(dmarc_reports, DMARC, RecordError),
    "dmarc drift": Parser(same_and_longer(dmarc.classify), DMARC),
    "dmarc walk": Parser(dmarc.tree_walk, ("", "a.b.c.")),
    "dkim": Parser(dkim.parse, ("v=DKIM1; p=", "v=DKIM1; p=; t=", "v=DKIM1;"), RecordError),
    "is dkim": Parser(dkim.is_dkim),
    "mta_sts": Parser(mta_sts.parse_record, ("v=STSv1;", "v=STSv1; id="), RecordError),
    "mta_sts hosts": Parser(lambda text: mta_sts.matches(text, text), ("", "*.")),
    "mta_sts type": Parser(mta_sts.is_plain_text),
    "tls_rpt": Parser(tls_rpt.parse, ("v=TLSRPTv1;", "v=TLSRPTv1;rua=mailto:"), RecordError),
    "bimi": Parser(
        bimi.read, ("v=BIMI1;", "v=BIMI1; l=https://", "v=BIMI1; l=; lps="), RecordError
    ),
    "bimi drift": Parser(same_and_longer(bimi_drift), ("v=BIMI1;", "v=BIMI1; l=")),
    "tlsa": Parser(dane.parse, ("3 1 1 ",), RecordError),
    "ds": Parser(dnssec.parse_ds, ("1 13 2 ",), RecordError),
    "dnskey": Parser(dnssec.parse_dnskey, ("257 3 13 ", "257 3 8 "), RecordError),
    "mx": Parser(lambda text: mx.judge([text]), ("", "10 ")),
    "rdns 4": Parser(lambda text: rdns.generic_reason(text, IP4)),
    "rdns 6": Parser(lambda text: rdns.generic_reason(text, IP6), ("", "2001-db8-")),
    "forward": Parser(lambda text: rdns.forward_confirmed(IP4, [text])),
    "names": Parser(names.is_host_name),
    "parents": Parser(names.with_parents),
    "platform": Parser(platforms.platform_of_include),
    "provider of mx": Parser(platforms.provider_of_mx),
    "provider of domain": Parser(platforms.provider_of_domain, ("", "yahoo.")),
    "key host": Parser(selectors.platform_of_key_host),
    "public suffix": Parser(psl.public_suffix),
    "registrable": Parser(psl.registrable_domain),
    "tls names": Parser(lambda text: tls.names_match(text, [text, f"*.{text}"])),
    "duration": Parser(durations.parse_duration, ("", "1h"), ValueError),
    "difference": Parser(lambda text: record_diff.diff(text, text[7:] + "x"), ("", "v=spf1 ")),
    "reversed": Parser(lambda text: record_diff.diff(text, text[::-1])),
    "reply": Parser(smtp_reply.parse, ("", "250-", "250 ", "550 5.7.1 "), RecordError),
    "keywords": Parser(lambda text: smtp_reply.ehlo_keywords(text.split("\n"))),
    "blocklist answer": Parser(lambda text: dnsbl.read([text], dnsbl.ZoneCodes()), ("", "127.")),
    "blocklist name": Parser(lambda text: dnsbl.query_name(text, "zen.example")),
    "rdap time": Parser(rdap.timestamp, ("", "2026-11-25T00:00:00.")),
    "rdap redirect": Parser(partial(rdap.redirected, "https://rdap.example/"), ("", "https://")),
    "rdap url": Parser(partial(rdap.domain_url, "https://rdap.example/")),
    "rdap server": Parser(rdap.Bootstrap({"example": "https://rdap.example/"}).server_of),
}


def flight(data: bytes) -> None:
    reader = ServerFlight()
    for start in range(0, len(data), 1000):
        if reader.feed(data[start : start + 1000]) is not None:
            break


def certificate_parts(der: bytes) -> None:
    dane.judge([dane.TlsaRecord(3, 1, 1, bytes(32)), dane.TlsaRecord(2, 0, 2, bytes(64))], [der])
    dane.broken_link([der, der], 1)
    dane.public_key_info(der)


@dataclass(frozen=True)
class BytesParser:
    read: Callable[[bytes], object]
    begins: tuple[bytes, ...] = (b"",)
    refuses: type[Exception] | tuple[()] = ()

    def __call__(self, data: bytes) -> None:
        with suppress(self.refuses or ()):
            self.read(data)


DOMAIN = b'{"objectClassName":"domain",'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 1 1">'
PEM = AUTHORITIES.encode()
ONE_PEM = PEM[PEM.index(b"-----BEGIN") :].partition(b"-----END")[0] + b"-----END CERTIFICATE-----"
DER = base64.b64decode(b"".join(ONE_PEM.split(b"-----")[2].split()))
POLICY = b"version: STSv1\nmode: enforce\nmax_age: 1\n"
BYTES: dict[str, BytesParser] = {
    "policy": BytesParser(mta_sts.parse_policy, (b"", POLICY), RecordError),
    "registration": BytesParser(rdap.parse_domain, (b"", DOMAIN, DOMAIN + b'"x":'), rdap.RdapError),
    "bootstrap": BytesParser(rdap.parse_bootstrap, (b"", b'{"services":['), rdap.RdapError),
    "svg": BytesParser(read_svg, (b"", SVG, SVG + b"<title>", SVG + b'<g a="', b"\x1f\x8b\x08")),
    "evidence": BytesParser(
        read_evidence, (b"", b"-----BEGIN CERTIFICATE-----\n", ONE_PEM + b"\n"), EvidenceError
    ),
    "certificate": BytesParser(certificate_parts, (b"", DER[:100], DER), dane.CertificateError),
    "tls flight": BytesParser(flight, (b"", b"\x16\x03\x03\x40\x00\x02"), HelloError),
}


@pytest.fixture(autouse=True, scope="module")
def _read_once() -> None:
    """Lists and keys that are read at the first question are read."""
    for parser in TEXTS.values():
        parser("x")
    for reader in BYTES.values():
        reader(ONE_PEM)


SIGNS = "av01=;:, \t.%{}/+-~?!@[]*_\"'\\\n\x00é\u202e"


@pytest.mark.parametrize("parser", TEXTS.values(), ids=TEXTS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_or_refused_as_declared(parser: Parser, data: Any) -> None:
    text = data.draw(st.sampled_from(parser.begins)) + data.draw(st.text() | st.text(SIGNS))
    with in_time():
        parser(text)


@pytest.mark.parametrize("parser", BYTES.values(), ids=BYTES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused_as_declared(parser: BytesParser, data: Any) -> None:
    rest = data.draw(st.binary(max_size=400) | st.text(SIGNS + "<>/").map(str.encode))
    whole = data.draw(st.sampled_from(parser.begins))
    place = data.draw(st.integers(0, len(whole)))
    with in_time():
        parser(whole[:place] + rest + whole[place:])
        parser(whole + rest)


UNITS = (
    *("a ", ";", "; ", "a=b;", "=", ",", ", ", " ", "\t", "\0", "é", "\U0001f600", "(", "[", "]"),
    *("%{", "%{d}", "%{d1r.-}", "%", "%%", "%41", "include:a.b ", "exists:%{i}.b ", "ip4:1.2.3.4 "),
    *("ip6:::1 ", "/", "//", "/1", ".", "a.", "0.", "-a", "1", "1 ", "::", ":", "0:1:d:s:", "!1k,"),
    *(
        "mailto:a@b.example,",
        "@",
        "a@",
        "A",
        "AQAB",
        "\n",
        "\r\n",
        "a: b\n",
        "mx: a.b\n",
        "250-a\n",
    ),
)
NUMBERED = (
    *("a{0}=b;", "x{0}={0} ", "include:d{0}.example ", "mailto:u{0}@h{0}.example,", "mx: h{0}.b\n"),
    *("{0} ", "{0};", "{0}, ", "{0}\n", "a{0}: b\n", "250-K{0} x\n"),
)
BYTE_UNITS = (
    *(unit.encode() for unit in ("[", "{", '{"a":', "[],", "{},", "1,", '"a",', "9", "\\u0041")),
    *(b"<g>", b"<g/>", b"<a/>", b"<!---->", b"<?a?>", b"url(#", b"url( ", b"&amp;", b"<title>a"),
    *(
        b"mx: a.b\n",
        b"a: b\n",
        b"\n",
        b"\0",
        b"\xff",
        b"0\x84",
        b"\x30\x80",
        b'[["z"],["http://h"]],',
    ),
    *(b"-----BEGIN CERTIFICATE-----", b"A", ONE_PEM, b'{"eventAction":"expiration"},'),
    *(b"\x16\x03\x03\x00\x00", b"\x15\x03\x03\x00\x02\x01\x70", b"\x16\x03\x03\x00\x01\x02"),
)


def numbered(unit: str) -> str:
    return "".join(unit.format(number) for number in range(SIZE // len(unit)))[:SIZE]


def big_texts() -> dict[str, str]:
    """As large as a TXT record can be."""
    repeated = {unit: unit * (SIZE // len(unit)) for unit in UNITS}
    return repeated | {unit: numbered(unit) for unit in NUMBERED}


BIG = big_texts()


@pytest.mark.parametrize("parser", TEXTS.values(), ids=TEXTS)
def test_large_texts_cost_little_time(parser: Parser) -> None:
    for unit, big in BIG.items():
        for begin in parser.begins:
            spent = seconds(partial(parser, (begin + big)[:SIZE]))
            assert spent < SECONDS, f"{begin!r} and many {unit!r}: {spent * 1000:.0f} ms"
            # What a parser is ready to read as a whole may be shorter.
            spent = seconds(partial(parser, (begin + big)[:16_000]))
            assert spent < SECONDS, f"{begin!r} and some {unit!r}: {spent * 1000:.0f} ms"


@pytest.mark.parametrize("parser", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    "unit", [";", "a ", ", ", "a.", "%", "a{0}=b;", "mailto:u{0}@h{0}.example,"]
)
def test_large_texts_take_little_memory(parser: Parser, unit: str) -> None:
    big = (parser.begins[-1] + BIG[unit])[:SIZE]
    assert memory(partial(parser, big)) < MEMORY
    assert memory(partial(parser, big[:16_000])) < MEMORY


@pytest.mark.parametrize("unit", BYTE_UNITS, ids=repr)
@pytest.mark.parametrize("parser", BYTES.values(), ids=BYTES)
def test_large_bytes_cost_little(parser: BytesParser, unit: bytes) -> None:
    for begin in parser.begins:
        for size in (SIZE, 2 * SIZE):
            data = (begin + unit * (size // len(unit)))[:size]
            assert seconds(partial(parser, data)) < SECONDS
    assert memory(partial(parser, data)) < MEMORY


def services(count: int, unit: str) -> bytes:
    items = ",".join(unit.format(number) for number in range(count))
    return f'{{"services":[{items}]}}'.encode()[: rdap.LARGEST_BOOTSTRAP]


DOCUMENTS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "deep JSON": (rdap.parse_domain, DOMAIN + b'"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "deep objects": (
        rdap.parse_domain,
        DOMAIN + b'"x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    ),
    "many statuses": (
        rdap.parse_domain,
        DOMAIN + b'"status":[' + b",".join(b'"s%d"' % n for n in range(14_000)) + b"]}",
    ),
    "many registrars": (
        rdap.parse_domain,
        DOMAIN
        + b'"entities":['
        + b'{"roles":["registrar"],"vcardArray":[1,[["fn",{},"text","a"]]]},' * 1900
        + b"1]}",
    ),
    "many registries": (
        rdap.parse_bootstrap,
        services(5000, '[["z{0}"],["https://rdap.example/"]]'),
    ),
    "many URLs": (
        rdap.parse_bootstrap,
        b'{"services":[[["a"],[' + b",".join(b'"http://%d"' % n for n in range(15_000)) + b"]]]}",
    ),
    "nothing, often": (rdap.parse_bootstrap, services(32_000, "[[],[]]")),
}


@pytest.mark.parametrize(("read", "document"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_large_documents_cost_little(read: Callable[[bytes], object], document: bytes) -> None:
    parser = BytesParser(read, refuses=rdap.RdapError)
    assert seconds(partial(parser, document)) < SECONDS
    assert memory(partial(parser, document)) < MEMORY


def many_keys_of_one_tag() -> list[str]:
    """The sum over its words, which a key's tag is, does not tell how they are ordered (RFC 4034 appendix B)."""
    words = [bytes((n, n)) for n in range(90)]
    turned = [words[n % 90 :] + words[: n % 90] for n in range(256)]
    keys = [bytes((n, 0, 256 - n - 1, 0)) + b"".join(each) for n, each in enumerate(turned)]
    return [f"257 3 8 {base64.b64encode(key).decode()}" for key in keys]


KEYS = many_keys_of_one_tag()
TAG = dnssec.parse_dnskey(KEYS[0]).key_tag
TLSA = [dane.parse(f"{usage} 0 1 {n:064x}") for usage in (2, 3) for n in range(128)]
CODES = dnsbl.ZoneCodes(
    {
        IPv4Network(f"127.0.{n // 256}.{n % 256}"): dnsbl.Meaning(str(n), Severity.INFO)
        for n in range(200)
    }
)
SETS: dict[str, Callable[[], object]] = {
    "keys of one tag": lambda: dnssec.judge_link(
        "a.example", [f"{TAG} 8 2 {n:064x}" for n in range(256)], KEYS
    ),
    "a large key, many DS": lambda: dnssec.judge_link(
        "a.example",
        [f"{TAG} 8 2 {n:064x}" for n in range(256)],
        [f"257 3 8 {'AQAB' * 16_000}"],
    ),
    "many TLSA": lambda: dane.judge(TLSA, [DER] * 10),
    "many TLSA, large certificates": lambda: dane.judge(
        TLSA, [b"\x30\x84\x00\x01\x00\x00" + bytes(65_536 + n) for n in range(10)]
    ),
    "long chain": lambda: dane.broken_link([DER] * 10, 9),
    "many MX": lambda: mx.judge([f"{n} h{n}.example" for n in range(256)]),
    "one MX, often": lambda: mx.judge([f"{n} h.example" for n in range(256)]),
    "many answers": lambda: dnsbl.read([f"127.0.0.{n}" for n in range(256)], CODES),
    "many DMARC records": lambda: dmarc.discover(
        "a.example", {"_dmarc.a.example": ["v=DMARC1; p=none"] * 256}
    ),
}


def test_the_keys_have_one_tag() -> None:
    assert {dnssec.parse_dnskey(key).key_tag for key in KEYS} == {TAG}
    assert len(set(KEYS)) == len(KEYS)


@pytest.mark.parametrize("work", SETS.values(), ids=SETS)
def test_large_sets_of_records_cost_little(work: Callable[[], object]) -> None:
    assert seconds(work) < SECONDS
    assert memory(work) < MEMORY
