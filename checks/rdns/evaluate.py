"""What the names of sending addresses are worth to receivers."""

from collections.abc import Iterator, Mapping, Sequence

from monitor.check.drift import difference
from monitor.model import Address, Classification, Drift, Finding
from monitor.protocol import psl, rdns
from monitor.protocol.names import folded


def missing(address: Address, helo: str) -> Finding:
    """The address has no name."""
    return Finding(
        "missing",
        f"{address} has no PTR record: large providers refuse its mail",
        fix=f"Have whoever owns the address block publish: {rdns.reverse_name(address)}. IN PTR {helo or '<its host name>'}.",
    )


def of_names(
    address: Address, names: Sequence[str], confirmed: Sequence[str]
) -> tuple[Finding, ...]:
    """Findings of the names that the PTR records give; `confirmed` are those that lead back."""
    return tuple(_of_names(address, names, confirmed))


def _of_names(
    address: Address, names: Sequence[str], confirmed: Sequence[str]
) -> Iterator[Finding]:
    evidence = "\n".join(names)
    kind = "A" if address.version == 4 else "AAAA"  # noqa: PLR2004
    if not confirmed:
        yield Finding(
            "not_confirmed",
            f"no PTR name of {address} has it as an address: large providers refuse its mail",
            fix=f"Publish: {names[0]}. IN {kind} {address}, or correct the PTR record",
            evidence=evidence,
        )
    if len(names) > 1:
        yield Finding(
            "several_names",
            f"{address} has {len(names)} PTR records: receivers take any one",
            fix="Leave the one that the server says in its HELO",
            evidence=evidence,
        )
    reasons = [rdns.generic_reason(name, address) for name in confirmed]
    if reasons and all(reasons):
        yield Finding(
            "generic_name",
            f"the name of {address} looks like a dial-up line's: {reasons[0]}",
            fix="Have the PTR record changed to a name of the sending domain, such as mta1.example.com, "
            "and publish its address record first",
            evidence=evidence,
        )


def of_helo(
    address: Address, helo: str, *, resolves: bool, names: Sequence[str] | None
) -> tuple[Finding, ...]:
    """Findings of the HELO name; `names` are the PTR names, None where they are not known."""
    if not resolves:
        return (
            Finding(
                "helo_mismatch",
                f"the HELO name {helo} does not resolve to {address}",
                fix=f"Publish the address record of {helo}, or let the server say the name of its PTR record",
            ),
        )
    if names and not _of_one_owner(helo, names):
        return (
            Finding(
                "helo_differs",
                f"the HELO name {helo} is another than the PTR name of {address}",
                fix="Let both be the same name: some receivers compare them",
                evidence="\n".join(names),
            ),
        )
    return ()


def watched(names: Sequence[str]) -> str:
    """The state that drift watches: all PTR names, in no order."""
    return ", ".join(sorted(set(map(folded, names))))


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ."""
    before, after = (frozenset(map(folded, state.split(", "))) - {""} for state in (accepted, seen))
    if accepted == seen or (before == after and after):
        return None
    reason = f"the address has other names than accepted: {difference(before, after) or 'none'}"
    fix = f"have whoever owns the address block publish its PTR record again: {accepted}"
    return Drift(Classification.CHANGED, reason, fix if accepted else "")


def _of_one_owner(helo: str, names: Sequence[str]) -> bool:
    """Whether a PTR name is the HELO name, or in the same registrable domain."""
    if folded(helo) in map(folded, names):
        return True
    return _owner(helo) in map(_owner, names)


def _owner(name: str) -> str:
    return psl.registrable_domain(name) or folded(name)


def of_pool(sender: str, names: Mapping[Address, Sequence[str]]) -> tuple[Finding, ...]:
    """Findings of a sender's addresses together, by their PTR names.

    An address without a name says nothing here: that is a finding of its own.
    """
    owners = {
        address: {_owner(name) for name in found} for address, found in names.items() if found
    }
    if not owners or set.intersection(*owners.values()):
        return ()
    domains = sorted(set.union(*owners.values()))
    return (
        Finding(
            "pool_inconsistent",
            f"the addresses of {sender} have names in different domains ({', '.join(domains[:5])}): "
            "receivers do not see them as one sender",
            fix="Have the PTR records changed to names below one domain, such as mta1.example.com, mta2.example.com",
            evidence="\n".join(f"{a} {' '.join(names[a])}" for a in owners),
        ),
    )
