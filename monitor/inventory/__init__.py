"""What there is to look at: declared and discovered domains, addresses, hosts and senders as targets."""

from monitor.inventory.discovery import Discovery, discover
from monitor.inventory.inventory import Inventory, build
from monitor.inventory.targets import target_of

__all__ = ["Discovery", "Inventory", "build", "discover", "target_of"]
