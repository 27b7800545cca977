"""`python -m monitor.lab [DIRECTORY]`: run the bundled scenario until a signal ends it."""

import asyncio
import sys
from pathlib import Path

from monitor.lab import LabSettings, ScenarioError, run_lab


def main() -> None:
    """Run the lab; exit 2 when it cannot be."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "var/lab")
    try:
        asyncio.run(run_lab(LabSettings(directory=directory)))
    except (ScenarioError, OSError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
