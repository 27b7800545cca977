"""Where questions go."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Nameserver:
    """Where questions go: an address and a port."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )

    @classmethod
    def parse(cls, text: str) -> "Nameserver":
        """From `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5353`.

        Raises:
            ValueError: anything else.
        """
        address, port = text, ""
        if text.startswith("["):
            address, _, port = text[1:].partition("]")
            port = port.removeprefix(":")
        elif text.count(":") == 1:
            address, _, port = text.partition(":")
        if port and not (port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError(f"{text!r} has no valid port")
        return cls(str(ip_address(address)), int(port) if port else 53)


def system_nameservers(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """Those that resolv.conf(5) names, in its order; none where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    found = []
    for value in (w[1] for w in words if len(w) > 1 and w[0] == "nameserver"):
        try:
            found.append(Nameserver(str(ip_address(value))))
        except ValueError:
            continue
    return tuple(found)
