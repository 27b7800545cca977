import asyncio
from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import spf
from monitor.protocol.spf import Answer, Result, Verdict

Zone = Mapping[str, tuple[str, ...]]
ADDRESS = ip_address("192.0.2.1")


class Resolver:
    """`zone` by `name TYPE`; every question is counted."""

    def __init__(self, zone: Zone, failing: frozenset[str] = frozenset()) -> None:
        self.zone, self.failing = zone, failing
        self.asked: Counter[str] = Counter()

    async def __call__(self, name: str, rtype: str) -> Answer:
        question = f"{name.lower()} {rtype}"
        self.asked[question] += 1
        if question in self.failing:
            return Answer(failure=f"{question}: servfail")
        return Answer(self.zone.get(question, ()))


def texts(**records: str) -> dict[str, tuple[str, ...]]:
    return {f"{name}.example TXT": (record,) for name, record in records.items()}


def check(resolver: Resolver | Zone, domain: str = "a.example") -> Verdict:
    lookup = resolver if isinstance(resolver, Resolver) else Resolver(resolver)
    sender = f"someone@{domain}"
    return asyncio.run(
        spf.check_host(
            ADDRESS,
            domain,
            sender,
            lookup=lookup,
            helo="mx.a.example",
            receiver="us.example",
            now=7.9,
        )
    )


def test_the_way_to_a_verdict_can_be_read() -> None:
    verdict = check(
        texts(
            a="v=spf1 mx include:b.example ip4:192.0.2.9 redirect=c.example",
            b="v=spf1 ip4:198.51.100.0/24 ~all",
            c="v=spf1 ip4:192.0.2.0/24 -all",
        )
        | {"a.example MX": ("10 mx.a.example",), "mx.a.example A": ("198.51.100.1",)}
    )
    assert [str(step) for step in verdict.trace] == [
        "a.example: mx → no match",
        "  b.example: ~all → softfail",
        "a.example: include:b.example → no match: it says softfail",
        "a.example: redirect=c.example → its record takes over",
        "  c.example: ip4:192.0.2.0/24 → pass",
    ]
    assert (verdict.result, verdict.domain, verdict.term) == (
        Result.PASS,
        "c.example",
        "ip4:192.0.2.0/24",
    )
    assert (verdict.lookups, verdict.void_lookups) == (3, 0)


@pytest.mark.parametrize(
    ("records", "result", "domain", "term"),
    [
        ({"a": "v=spf1 include:b.example -all"}, "permerror", "a.example", "include:b.example"),
        ({"a": "v=spf1 include:b.example -all", "b": "v=spf1 ip4:x"}, "permerror", "b.example", ""),
        ({"a": "v=spf1 -ip4:192.0.2.1 +all"}, "fail", "a.example", "-ip4:192.0.2.1"),
        ({"a": "v=spf1 mx"}, "neutral", "a.example", ""),
        ({}, "none", "a.example", ""),
    ],
)
def test_the_term_that_decided_is_named(
    records: dict[str, str], result: str, domain: str, term: str
) -> None:
    verdict = check(texts(**records))
    assert (verdict.result, verdict.domain, verdict.term) == (result, domain, term)


def test_no_answer_is_temperror_and_says_which() -> None:
    zone = texts(a="v=spf1 include:b.example a:c.example -all", b="v=spf1 -all")
    verdict = check(Resolver(zone, frozenset({"c.example A"})))
    assert (verdict.result, verdict.reason) == (Result.TEMPERROR, "c.example A: servfail")
    assert verdict.term == "a:c.example"


def test_a_term_that_stands_behind_the_answer_is_never_asked_for() -> None:
    resolver = Resolver(texts(a="v=spf1 ip4:192.0.2.1 include:b.example -all"))
    assert check(resolver).result is Result.PASS
    assert list(resolver.asked) == ["a.example TXT"]


@pytest.mark.parametrize(
    ("spec", "expanded"),
    [
        # RFC 7208 §7.4, with sender strong-bad@email.example.com and address 192.0.2.3.
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{h} %{c} %{r} %{t}", "mx.a.example 192.0.2.3 us.example 7"),
        ("%%%_%-%{S}", "% %20strong-bad%40email.example.com"),
        ("%{d0999999999999999999999}", "email.example.com"),
    ],
)
def test_macros_expand_as_the_rfc_shows(spec: str, expanded: str) -> None:
    zone = {
        "email.example.com TXT": ("v=spf1 -all exp=why.example.com",),
        "why.example.com TXT": (spec,),
    }
    verdict = asyncio.run(
        spf.check_host(
            ip_address("192.0.2.3"),
            "email.example.com",
            "strong-bad@email.example.com",
            lookup=Resolver(zone),
            helo="mx.a.example",
            receiver="us.example",
            now=7.9,
        )
    )
    assert verdict.explanation == expanded


@pytest.mark.parametrize("names", [10, 11])
def test_mx_hosts_are_limited(names: int) -> None:
    zone = texts(a="v=spf1 mx -all") | {
        "a.example MX": tuple(f"{n} mx{n}.example" for n in range(names)),
        **{f"mx{n}.example A": ("198.51.100.1",) for n in range(names)},
    }
    assert check(zone).result is (Result.FAIL if names == 10 else Result.PERMERROR)


def test_only_ten_names_of_an_address_are_looked_at() -> None:
    zone = texts(a="v=spf1 ptr:last.example ?all") | {
        "1.2.0.192.in-addr.arpa PTR": (*(f"x{n}.example" for n in range(10)), "last.example"),
        "last.example A": ("192.0.2.1",),
    }
    resolver = Resolver(zone)
    assert check(resolver).result is Result.NEUTRAL
    assert resolver.asked["last.example A"] == 0


def test_a_bounce_is_judged_by_its_helo_name() -> None:
    zone = {
        "mx.a.example TXT": ("v=spf1 exists:%{l}.%{o} -all",),
        "postmaster.mx.a.example A": ("127.0.0.2",),
    }
    verdict = asyncio.run(spf.check_mail(ADDRESS, "", "mx.a.example", lookup=Resolver(zone)))
    assert verdict.result is Result.PASS


NAMES = ("a.example", "b.example", "c.example")
DOMAIN_SPECS = st.sampled_from(
    (*NAMES, "%{d}", "%{p}.example", "%{l}.%{h}", "x..y.example", "%{S}.b")
)
TERMS = st.one_of(
    st.builds(
        "{}:{}".format, st.sampled_from(["include", "a", "-mx", "?ptr", "exists"]), DOMAIN_SPECS
    ),
    st.builds("{}={}".format, st.sampled_from(["redirect", "exp"]), DOMAIN_SPECS),
    st.sampled_from(["a/0", "mx", "ptr", "-all", "ip4:192.0.2.0/24", "ip6:::/0"]),
    st.text(max_size=5),
)
RECORDS = st.lists(TERMS, max_size=14).map(lambda terms: " ".join(["v=spf1", *terms])) | st.text()
DATA = st.lists(
    RECORDS | st.sampled_from(["10 a.example", "0 .", "192.0.2.1", "::1", *NAMES]), max_size=13
)
QUESTIONS = [f"{name} {rtype}" for name in NAMES for rtype in ("TXT", "A", "MX")]
ZONES = st.fixed_dictionaries(
    {"a.example TXT": RECORDS.map(lambda record: (record,))},
    optional={q: DATA.map(tuple) for q in [*QUESTIONS[1:], "1.2.0.192.in-addr.arpa PTR"]},
)


@given(ZONES, st.frozensets(st.sampled_from(QUESTIONS)))
@settings(max_examples=150, deadline=None)
def test_any_zone_gives_a_result_after_a_bounded_number_of_questions(
    zone: Zone, failing: frozenset[str]
) -> None:
    resolver = Resolver(zone, failing)
    verdict = check(resolver)
    assert verdict.result in set(Result)
    assert verdict.lookups <= 10
    assert verdict.void_lookups <= 3
    # A question a term, ten more for each `mx`, eleven once for the address's names, one for `exp`.
    assert resolver.asked.total() <= 1 + 10 * 11 + 11 + 1
    assert len(verdict.trace) <= 30


def test_includes_that_double_at_each_level_end() -> None:
    zone = {
        f"n{n}.example TXT": (f"v=spf1 include:n{n + 1}.example include:n{n + 1}.example -all",)
        for n in range(40)
    }
    resolver = Resolver(zone)
    assert check(resolver, "n0.example").result is Result.PERMERROR
    assert resolver.asked.total() <= 11
