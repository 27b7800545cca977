"""pydnsbl against the rbldnsd at the port given, run by `lookups.py` in an environment of pydnsbl's own.

Prints CPU seconds, wall seconds, lookups, and listings found.
"""

import asyncio
import resource
import sys
import time

import aiodns
from pydnsbl import DNSBLIpChecker
from pydnsbl.providers import Provider

ADDRESSES = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(0, 10_000, 20)]
ZONES = [f"zone{number:02}.bl.example" for number in range(100)]


async def main(port: int) -> None:
    checker = DNSBLIpChecker(providers=[Provider(zone) for zone in ZONES])
    # It has no way to be given a port.
    checker._resolver = aiodns.DNSResolver(  # noqa: SLF001
        nameservers=["127.0.0.1"], udp_port=port, timeout=5, tries=2
    )
    found, before = 0, resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    for address in ADDRESSES:
        result = await checker.check_async(address)
        found += len(result.detected_by)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(cpu, wall, len(ADDRESSES) * len(ZONES), found)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
