import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import aiosmtplib
import pytest
from cryptography import x509

from monitor.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


def trusting(lab: Lab) -> ssl.SSLContext:
    """A client that trusts the lab and speaks even what is outdated."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    return context


async def starttls(lab: Lab, name: str, context: ssl.SSLContext) -> tuple[str, x509.Certificate]:
    """The negotiated version and the certificate of a host, after EHLO, STARTTLS, EHLO, QUIT."""
    client = aiosmtplib.SMTP(
        hostname=str(lab.world.hosts[name].address),
        port=lab.ports.smtp,
        start_tls=False,
        timeout=5,
    )
    async with client:
        await client.ehlo()
        await client.starttls(server_hostname=name, tls_context=context)
        tls = client.transport.get_extra_info("ssl_object")
        await client.ehlo()
        return tls.version(), x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("mx1.shop.example", "TLSv1.3"),
        ("good.hosts.example", "TLSv1.3"),
        ("tls10.hosts.example", "TLSv1"),
        ("mx.weak.example", "TLSv1"),
    ],
)
async def test_a_good_host_is_verified_and_speaks_its_version(
    lab: Lab, name: str, version: str
) -> None:
    negotiated, certificate = await starttls(lab, name, trusting(lab))
    assert negotiated == version
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=59)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired.hosts.example", "certificate has expired"),
        ("selfsigned.hosts.example", "self-signed certificate"),
        ("wrongname.hosts.example", "Hostname mismatch"),
    ],
)
async def test_a_bad_certificate_fails_for_its_reason(lab: Lab, name: str, reason: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        await starttls(lab, name, trusting(lab))


async def test_an_expiring_certificate_ends_in_five_days(lab: Lab) -> None:
    _, certificate = await starttls(lab, "expiring.hosts.example", trusting(lab))
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=4.9) < left < timedelta(days=5)


async def test_an_outdated_host_refuses_a_client_of_today(lab: Lab) -> None:
    with pytest.raises(aiosmtplib.SMTPException):
        await starttls(lab, "tls10.hosts.example", ssl.create_default_context(cafile=lab.ca_file))


async def test_a_plain_host_offers_no_starttls(lab: Lab) -> None:
    address = str(lab.world.hosts["plain.hosts.example"].address)
    async with aiosmtplib.SMTP(
        hostname=address, port=lab.ports.smtp, start_tls=False, timeout=5
    ) as client:
        await client.ehlo()
        assert not client.supports_extension("starttls")


async def test_submission_with_tls_from_the_first_octet(lab: Lab) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.1.10", lab.ports.smtps, ssl=trusting(lab), server_hostname="mx1.shop.example"
    )
    assert (await reader.readline()).startswith(b"220 mx1.shop.example")
    writer.close()


async def test_submission_with_starttls(lab: Lab) -> None:
    async with aiosmtplib.SMTP(
        hostname="127.0.1.10", port=lab.ports.submission, start_tls=False, timeout=5
    ) as client:
        await client.ehlo()
        assert client.supports_extension("starttls")


async def test_nothing_is_relayed(lab: Lab) -> None:
    async with aiosmtplib.SMTP(
        hostname="127.0.1.10", port=lab.ports.smtp, start_tls=False, timeout=5
    ) as client:
        await client.mail("someone@shop.example")
        assert (await client.rcpt("postmaster@shop.example")).code == 250
        with pytest.raises(aiosmtplib.SMTPRecipientRefused, match="relaying denied"):
            await client.rcpt("someone@elsewhere.example")


async def talk(lab: Lab, name: str, *commands: bytes, octets: int, seconds: float = 3) -> bytes:
    """What a host sends within the time and the octets, given commands in turn after its first line."""
    reader, writer = await asyncio.open_connection(
        str(lab.world.hosts[name].address), lab.ports.smtp
    )
    heard = b""
    try:
        async with asyncio.timeout(seconds):
            for command in commands:
                heard += await reader.readline()
                writer.write(command)
            while len(heard) < octets and (part := await reader.read(65536)):
                heard += part
    except TimeoutError:
        pass
    finally:
        writer.transport.abort()
    return heard


async def test_a_tarpit_drips(lab: Lab) -> None:
    heard = await talk(lab, "tarpit.hosts.example", octets=100, seconds=1.5)
    assert heard == b"22"


async def test_an_endless_reply_goes_on_and_on(lab: Lab) -> None:
    heard = await talk(lab, "endless.hosts.example", b"EHLO x\r\n", octets=50_000)
    assert len(heard) >= 50_000
    assert b"\r\n250 " not in heard


async def test_a_long_line_has_no_end_in_ten_megabytes(lab: Lab) -> None:
    heard = await talk(lab, "longline.hosts.example", octets=10_000_000)
    assert len(heard) >= 10_000_000
    assert b"\n" not in heard[:10_000_000]


async def test_a_busy_host_says_421_and_leaves(lab: Lab) -> None:
    heard = await talk(lab, "busy.hosts.example", octets=1000)
    assert heard.startswith(b"421 4.7.0 ")
    assert heard.endswith(b"\r\n")


async def test_a_stalled_host_agrees_to_starttls_and_says_no_more(lab: Lab) -> None:
    heard = await talk(
        lab, "stalled.hosts.example", b"EHLO x\r\n", b"", b"STARTTLS\r\n", octets=200, seconds=0.5
    )
    assert heard.endswith(b"220 go ahead\r\n")


async def test_plaintext_is_injected_behind_the_220_and_tls_works_after_it(lab: Lab) -> None:
    reader, writer = await asyncio.open_connection("127.0.1.114", lab.ports.smtp)
    await reader.readline()
    writer.write(b"EHLO x\r\n")
    while not (await reader.readline()).startswith(b"250 "):
        pass
    writer.write(b"STARTTLS\r\n")
    assert await reader.readline() == b"220 go ahead\r\n"
    assert await reader.readline() == b"250 injected.invalid\r\n"
    await writer.start_tls(trusting(lab), server_hostname="injecting.hosts.example")
    writer.write(b"EHLO x\r\n")
    assert await reader.readline() == b"250-injecting.hosts.example\r\n"
    writer.close()
