"""Questions to the lab's DNS and its sites over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
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


@asynccontextmanager
async def asking(lab: Lab, site: str, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """One GET from a client that trusts the lab, and that was told where the site is."""
    url = f"https://{lab.world.sites[site].address}:{lab.ports.https}{path}"
    context = ssl.create_default_context(cafile=lab.ca_file)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client,
        client.get(url, ssl=context, server_hostname=site, allow_redirects=False) as response,
    ):
        yield response


async def document(lab: Lab, site: str, path: str) -> str:
    """The document's text, else the status, else why there is nothing; a second is silence."""
    try:
        async with asyncio.timeout(1), asking(lab, site, path) as response:
            body = (await response.read()).decode("utf-8", "surrogateescape")
            return body if response.status == 200 else str(response.status)
    except aiohttp.ClientConnectorCertificateError as error:
        return str(error.certificate_error)
    except aiohttp.ClientConnectorError:
        return "refused"
    except TimeoutError:
        return "silence"
