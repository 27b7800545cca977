"""Questions to the lab's DNS over real sockets."""

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdatatype

from monitor.lab import Lab


async def ask(
    lab: Lab, name: str, rdtype: str, *, server: str = "127.0.0.1", tcp: bool = False, edns: int = 0
) -> dns.message.Message:
    """One question; `edns` is the advertised size, 0 without."""
    query = dns.message.make_query(name, rdtype, use_edns=0 if edns else -1, payload=edns or 1232)
    if tcp:
        return await dns.asyncquery.tcp(query, server, port=lab.ports.dns, timeout=5)
    return await dns.asyncquery.udp(
        query, server, port=lab.ports.dns, timeout=1, ignore_errors=True, ignore_trailing=True
    )


async def values(lab: Lab, name: str, rdtype: str) -> str | set[str]:
    """The values of the last RRset of an answer, or the response code, or NODATA."""
    response = await ask(lab, name, rdtype, tcp=True)
    if response.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(response.rcode())
    kind = dns.rdatatype.from_text(rdtype)
    found = [rrset for rrset in response.answer if rrset.rdtype == kind]
    return {rdata.to_text() for rdata in found[0]} if found else "NODATA"
