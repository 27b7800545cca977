"""The lab in a process of its own: `python bench/lab.py DIRECTORY [real-ports]`.

A `scenario.yaml` in the directory is its world, else the default one. At the real ports it is for
programs that know no others, in a network of their own.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from monitor.lab import LabSettings, run_lab
from monitor.lab.ports import Ports

REAL = Ports(dns=53, smtp=25, smtps=465, submission=587, https=443)

directory = Path(sys.argv[1])
# Its senders find nobody at the discard port, so that no daemon gets their events.
settings = LabSettings(directory=directory, listen="127.0.0.1:9")
if (directory / "scenario.yaml").exists():
    settings = replace(settings, scenario=directory / "scenario.yaml")
if "real-ports" in sys.argv:
    settings = replace(settings, ports=REAL)
asyncio.run(run_lab(settings))
