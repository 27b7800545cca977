"""What there is to look at: declared and discovered domains, addresses, hosts and senders as targets."""

from monitor.inventory.addresses import LeftOut, names_to_resolve
from monitor.inventory.discovery import Discovery, discover
from monitor.inventory.inventory import Inventory, build
from monitor.inventory.permits import Permit
from monitor.inventory.targets import target_of

__all__ = [
    "Discovery",
    "Inventory",
    "LeftOut",
    "Permit",
    "build",
    "discover",
    "names_to_resolve",
    "target_of",
]
