import pytest

from monitor.protocol.dmarc import Policy, discover, effective_policy, tree_walk


def answered(domain: str, **records: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Answers of a whole walk: every name that is not given has no record."""
    given = {f"_dmarc.{name}": texts for name, texts in records.items()}
    return {name: given.get(name, ()) for name in tree_walk(domain)}


def test_the_walk_of_a_long_name_takes_eight_queries() -> None:
    """The example of RFC 9989 §4.10."""
    assert tree_walk("a.b.c.d.e.f.g.h.i.j.mail.example.com") == (
        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "_dmarc.g.h.i.j.mail.example.com",
        "_dmarc.h.i.j.mail.example.com",
        "_dmarc.i.j.mail.example.com",
        "_dmarc.j.mail.example.com",
        "_dmarc.mail.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    )


@pytest.mark.parametrize(
    ("labels", "queries"), [(0, 0), (1, 1), (3, 3), (7, 7), (8, 8), (9, 8), (40, 8)]
)
def test_a_walk_never_takes_more_than_eight_queries(labels: int, queries: int) -> None:
    names = tree_walk(".".join(f"n{i}" for i in range(labels)))
    assert len(names) == len(set(names)) == queries


def test_names_are_folded() -> None:
    assert tree_walk("Example.COM.") == ("_dmarc.example.com", "_dmarc.com")


NONE, REJECT = ("v=DMARC1; p=none",), ("v=DMARC1; p=reject; sp=quarantine; np=reject",)
PSD, OWN = ("v=DMARC1; p=reject; psd=y",), ("v=DMARC1; p=quarantine; psd=n",)
A = "a.mail.example.com"


@pytest.mark.parametrize(
    ("domain", "records", "found_at", "organizational"),
    [
        # The three examples of RFC 9989 §4.10.2.
        (A, {"mail.example.com": NONE, "example.com": NONE}, "example.com", "example.com"),
        (A, {"mail.example.com": OWN, "example.com": NONE}, "mail.example.com", "mail.example.com"),
        (A, {"com": PSD}, "com", "example.com"),
        # The author domain's own record applies, whoever the organizational domain is.
        (A, {A: NONE, "example.com": REJECT}, A, "example.com"),
        # A public suffix's policy is not used where the organizational domain has one.
        (A, {"com": PSD, "example.com": NONE}, "example.com", "example.com"),
        (A, {"com": PSD, "mail.example.com": NONE}, "com", "example.com"),
        # psd=y at the start of the walk is itself the organizational domain.
        ("example.com", {"example.com": PSD, "com": NONE}, "example.com", "example.com"),
        (A, {}, "", A),
        # Several records at one name are all discarded (step 2).
        (A, {"mail.example.com": NONE + REJECT, "example.com": NONE}, "example.com", "example.com"),
        # Other texts at the name are none of DMARC's business.
        ("example.com", {"example.com": ("v=spf1 -all", *NONE)}, "example.com", "example.com"),
        # The shortcut of step 4 skips the name one label below the suffix.
        ("a.b.c.d.e.f.g.h.i", {"c.d.e.f.g.h.i": PSD}, "c.d.e.f.g.h.i", "b.c.d.e.f.g.h.i"),
    ],
)
def test_record_and_organizational_domain(
    domain: str, records: dict[str, tuple[str, ...]], found_at: str, organizational: str
) -> None:
    seen = discover(domain, answered(domain, **records))
    assert (seen.found_at, seen.organizational_domain) == (found_at, organizational)
    assert seen.unanswered == ()


def test_several_records_are_named() -> None:
    seen = discover("example.com", answered("example.com", **{"example.com": NONE + REJECT}))
    assert seen.record is None
    assert seen.several_at == ("example.com",)


def test_a_name_without_an_answer_is_named_unless_the_walk_ended_before_it() -> None:
    answers: dict[str, tuple[str, ...] | None] = {
        "_dmarc.a.example.com": (),
        "_dmarc.example.com": OWN,
        "_dmarc.com": None,
    }
    assert discover("a.example.com", answers).unanswered == ()
    answers["_dmarc.a.example.com"] = None
    assert discover("a.example.com", answers).unanswered == ("a.example.com",)


@pytest.mark.parametrize(
    ("domain", "exists", "record", "expected"),
    [
        ("example.com", True, REJECT, (Policy.REJECT, Policy.REJECT, "p")),
        ("a.example.com", True, REJECT, (Policy.QUARANTINE, Policy.QUARANTINE, "sp")),
        ("a.example.com", False, REJECT, (Policy.REJECT, Policy.REJECT, "np")),
        ("a.example.com", False, OWN, (Policy.QUARANTINE, Policy.QUARANTINE, "p")),
        ("example.com", True, ("v=DMARC1;p=reject;t=y",), (Policy.REJECT, Policy.QUARANTINE, "p")),
        (
            "example.com",
            True,
            ("v=DMARC1;p=quarantine;t=y",),
            (Policy.QUARANTINE, Policy.NONE, "p"),
        ),
        ("example.com", True, ("v=DMARC1;p=none;t=y",), (Policy.NONE, Policy.NONE, "p")),
    ],
)
def test_the_policy_in_force(
    domain: str, exists: bool, record: tuple[str, ...], expected: tuple[Policy, Policy, str]
) -> None:
    seen = discover(domain, answered(domain, **{"example.com": record}))
    policy = effective_policy(seen, exists=exists)
    assert policy is not None
    assert (policy.requested, policy.applied, policy.tag) == expected


def test_a_domain_is_taken_to_exist() -> None:
    seen = discover("a.example.com", answered("a.example.com", **{"example.com": REJECT}))
    policy = effective_policy(seen)
    assert policy is not None
    assert policy.tag == "sp"


@pytest.mark.parametrize("records", [{}, {"example.com": ("v=DMARC1; p=rejct",)}])
def test_no_policy_is_in_force_without_a_usable_record(records: dict[str, tuple[str, ...]]) -> None:
    assert effective_policy(discover("example.com", answered("example.com", **records))) is None
