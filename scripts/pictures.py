"""Makes the pictures of the README: the status page and the terminal's table, of the lab as it is.

Needs Chromium. `make pictures` runs it.
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.text import Text

PROJECT = Path(__file__).parents[1]
COMMAND = PROJECT / ".venv" / "bin" / "deliverability"
PICTURES = PROJECT / "docs" / "pictures"
LISTEN = "127.0.0.1:19829"
COLUMNS = 110
CHROMIUM = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    """Start the lab and the daemon, wait for what they show, take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        daemon = subprocess.Popen(
            [COMMAND, "run", "--lab", "--listen", LISTEN], cwd=folder, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for('deliverability_ratio{kind="bounce"')
            time.sleep(10)  # confirmations, and a page without `awaiting confirmation`
            _photograph(f"http://{LISTEN}/", PICTURES / "status.png", folder)
            _draw_table(Path(folder))
        finally:
            daemon.terminate()
            daemon.wait()


def _wait_for(text: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://{LISTEN}/metrics") as answer:
                if text in answer.read().decode():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"/metrics never showed {text}")


def _photograph(url: str, picture: Path, folder: str) -> None:
    subprocess.run(
        [
            *CHROMIUM,
            f"--user-data-dir={folder}/chromium",
            f"--screenshot={picture}",
            "--window-size=1200,1350",
            url,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _draw_table(folder: Path) -> None:
    """What `check` writes to a terminal, as an SVG."""
    words = [str(COMMAND), "check", "weak.example", "--config", str(folder / "var/lab/config.yaml")]
    os.environ.update(COLUMNS=str(COLUMNS), LINES="60", TERM="xterm-256color")
    chunks: list[bytes] = []

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 65_536)
        chunks.append(data)
        return data

    pty.spawn(["sh", "-c", f"stty cols {COLUMNS}; exec {' '.join(words)} 2>/dev/null"], read)
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text("$ deliverability check weak.example", style="bold"))
    console.print(Text.from_ansi(b"".join(chunks).decode().replace("\r\n", "\n")))
    svg = console.export_svg(title="deliverability check")
    # The reader's own monospaced font serves; nothing is fetched from elsewhere.
    (PICTURES / "check.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
