"""The SMTP auditor: what only the owner of a mail host may do to it. Sends no mail: it knows no DATA."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from monitor.check import AuditPart, Envelope, EnvelopeReply, SmtpAudit, SmtpFailure
from monitor.model import Address
from monitor.protocol.cipher_suites import WEAK_SUITES, weakness
from monitor.protocol.names import is_host_name
from monitor.protocol.tls_hello import Accepted, Refused, Version, client_hello
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp_connect import (
    DONE,
    READY,
    Connector,
    EndedError,
    explained_reply,
    full_host_name,
    leave,
)
from monitor.world.smtp_owner import Door, Talk
from monitor.world.tls import looking_context

ENVELOPES_AT_ONCE = 8
"""Of one connection: servers slow down for clients with more errors, or hang up (postfix: ten)."""

_CLOSING = 221
_NO_SERVICE = 421


class SmtpAuditProber:
    """Implements `monitor.check.SmtpAuditor`.

    Args:
        helo: our name in EHLO; "" is this machine's, or our address where the machine has no full name.
        source_address: the address to connect from, for servers of its family.
        command_seconds: the limit of one step (connecting, one reply, a TLS handshake).
        total_seconds: the limit of an audit.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        evidence: EgressEvidence,
        helo: str = "",
        source_address: Address | None = None,
        command_seconds: float = 20.0,
        total_seconds: float = 240.0,
    ) -> None:
        self._connector = Connector(
            guard=guard,
            evidence=evidence,
            source_address=source_address,
            seconds=command_seconds,
        )
        self._helo = helo or full_host_name()
        self._command_seconds = command_seconds
        self._total_seconds = total_seconds
        self._context = looking_context()

    async def audit(
        self, address: str, host: str, port: int, envelopes: Sequence[Envelope]
    ) -> SmtpAudit:
        """Everything that can be found out at `address`, one connection after the other."""
        door = Door(
            address=address,
            host=host,
            port=port,
            connector=self._connector,
            helo=self._helo,
            seconds=self._command_seconds,
            tls=self._context,
        )
        late = f"not looked at within {self._total_seconds:g} s"
        audit = _Audit(door, envelopes, dict.fromkeys(AuditPart, late))
        try:
            async with asyncio.timeout(self._total_seconds):
                await audit.run()
        except TimeoutError:
            pass  # what is not known yet has its reason already
        return audit.result()


@dataclass(slots=True)
class _Audit:
    """An audit under way; `unknown` has a reason for each part until it is done."""

    door: Door
    envelopes: Sequence[Envelope]
    unknown: dict[AuditPart, str]
    offers_tls: bool = True
    accepted: dict[Version, Accepted | None] = field(default_factory=dict)
    weak_suites: list[str] = field(default_factory=list)
    secure_renegotiation: bool | None = None
    injectable: bool = False
    replies: list[EnvelopeReply] = field(default_factory=list)
    clear_mechanisms: tuple[str, ...] = ()

    async def run(self) -> None:
        """Each part after the other: a host that lets nobody in is not asked again."""
        parts: dict[AuditPart, Callable[[], Awaitable[None]]] = {
            AuditPart.AUTH: self._look_at_auth,
            AuditPart.RELAY: self._look_for_relay,
            AuditPart.PROTOCOLS: self._look_at_protocols,
            AuditPart.CIPHERS: self._look_at_ciphers,
            AuditPart.RENEGOTIATION: self._look_at_renegotiation,
            AuditPart.INJECTION: self._look_for_injection,
        }
        for part, look in parts.items():
            try:
                await look()
            except EndedError as end:
                self.unknown[part] = end.reason
                if part is AuditPart.AUTH and end.failure is not SmtpFailure.TLS:
                    self.unknown = dict.fromkeys(self.unknown, end.reason)
                    return
            except OSError:
                self.unknown[part] = "the server closed the connection"
            else:
                del self.unknown[part]

    def result(self) -> SmtpAudit:
        """What is known by now."""
        return SmtpAudit(
            address=self.door.address,
            source=self.door.source,
            protocols={
                version.value: found is not None for version, found in self.accepted.items()
            },
            weak_suites=tuple(self.weak_suites),
            secure_renegotiation=self.secure_renegotiation,
            injectable=self.injectable,
            replies=tuple(self.replies),
            clear_mechanisms=self.clear_mechanisms,
            unknown=dict(self.unknown),
        )

    async def _look_at_auth(self) -> None:
        async with self.door.conversation() as talk:
            if not talk.encrypted:
                self.offers_tls = "STARTTLS" in talk.extensions
                self.clear_mechanisms = _mechanisms(talk.extensions)
            await leave(talk.guest)

    # --- relaying ---

    async def _look_for_relay(self) -> None:
        while len(self.replies) < len(self.envelopes):
            tried = len(self.replies)
            await self._try(self.envelopes[tried : tried + ENVELOPES_AT_ONCE])
            if len(self.replies) == tried:
                raise EndedError(SmtpFailure.REPLY, "the host let no envelope be tried")

    async def _try(self, envelopes: Sequence[Envelope]) -> None:
        async with self.door.conversation() as talk:
            await talk.encrypt()
            for envelope in envelopes:
                reply = await _reply_to(talk, envelope)
                if reply.code == _NO_SERVICE:  # it has had enough of us, not of this envelope
                    return
                self.replies.append(reply)
                await talk.ask("RSET")
            await leave(talk.guest)

    # --- TLS ---

    async def _look_at_protocols(self) -> None:
        if not self.offers_tls:
            self.accepted = dict.fromkeys(Version)
            return
        for version in Version:
            found = await self._hello(version)
            taken = isinstance(found, Accepted) and found.version is version
            self.accepted[version] = cast("Accepted", found) if taken else None
        if not any(self.accepted.values()):
            raise EndedError(SmtpFailure.TLS, "TLS is offered, and no version of it comes about")

    async def _look_at_ciphers(self) -> None:
        versions = self._accepted_before_tls13()
        for version in dict.fromkeys((*versions[-1:], *versions[:1])):
            left = dict(WEAK_SUITES)
            while left:
                found = await self._hello(version, tuple(left))
                if not isinstance(found, Accepted) or found.suite not in left:
                    break
                name = left[found.suite]
                self.weak_suites += [] if name in self.weak_suites else [name]
                # One of each weakness is enough to know, and to act.
                left = {n: other for n, other in left.items() if weakness(other) != weakness(name)}

    async def _look_at_renegotiation(self) -> None:
        found = [self.accepted[version] for version in self._accepted_before_tls13()]
        if found:
            self.secure_renegotiation = all(one and one.secure_renegotiation for one in found)

    def _accepted_before_tls13(self) -> list[Version]:
        if reason := self.unknown.get(AuditPart.PROTOCOLS):
            raise EndedError(SmtpFailure.TLS, f"its TLS versions are not known: {reason}")
        return [v for v, found in self.accepted.items() if found and v is not Version.TLS1_3]

    async def _hello(
        self, version: Version, suites: Sequence[int] = ()
    ) -> Accepted | Refused | None:
        hello = client_hello(
            version, suites, server_name=_sni(self.door.host), random=os.urandom(64)
        )
        async with self.door.unfinished_handshake() as listener:
            return await listener.say(hello, self.door.seconds)

    async def _look_for_injection(self) -> None:
        """CVE-2011-0411: NOOP goes out with STARTTLS; inside TLS nothing but the reply to QUIT may come."""
        if self.door.implicit or not self.offers_tls:
            return
        async with self.door.conversation() as talk:
            with explained_reply(self.door.seconds, "STARTTLS and NOOP", "audit"):
                code, _ = await talk.guest.commands("STARTTLS", "NOOP", seconds=self.door.seconds)
            if code != READY:
                return  # it refuses what is not alone
            # A reply to NOOP in the clear is none inside TLS.
            talk.guest.spoke_out_of_turn = False
            try:
                await talk.upgrade()
            except EndedError as end:
                if end.failure is SmtpFailure.TLS and AuditPart.PROTOCOLS not in self.unknown:
                    return  # TLS works but for NOOP, which was taken for a part of the handshake
                raise
            early = talk.guest.spoke_out_of_turn
            code, _ = await talk.ask("QUIT")
            self.injectable = early or code != _CLOSING


async def _reply_to(talk: Talk, envelope: Envelope) -> EnvelopeReply:
    code, text = await talk.ask("MAIL", f"FROM:<{envelope.sender}>")
    if code != DONE:
        return EnvelopeReply(envelope, code, text, refused_sender=True)
    code, text = await talk.ask("RCPT", f"TO:<{envelope.recipient}>")
    return EnvelopeReply(envelope, code, text)


def _mechanisms(extensions: dict[str, str]) -> tuple[str, ...]:
    """RFC 4954 §3, and the older `AUTH=LOGIN` of some servers."""
    told = [extensions.get("AUTH", "")]
    for keyword, parameters in extensions.items():
        if keyword.startswith("AUTH="):
            told += [keyword.removeprefix("AUTH="), parameters]
    return tuple(dict.fromkeys(" ".join(told).upper().split()))


def _sni(host: str) -> str:
    """The name for SNI, which no address may be (RFC 6066 §3)."""
    return host if is_host_name(host) else ""
