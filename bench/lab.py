"""The lab in a process of its own: `python bench/lab.py DIRECTORY`."""

import asyncio
import sys
from pathlib import Path

from monitor.lab import LabSettings, run_lab

# Its senders find nobody at the discard port, so that no daemon gets their events.
asyncio.run(run_lab(LabSettings(directory=Path(sys.argv[1]), listen="127.0.0.1:9")))
