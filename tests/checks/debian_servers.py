"""Debian's rbldnsd and postfix in private folders on loopback ports, so that our own lab is not the only witness."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


def need(program: str, path: str | None = None) -> str:
    found = shutil.which(program, path=path or f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed: `make servers` as root on Debian brings it")
    return found


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that servers can read after they gave up being root."""
    with TemporaryDirectory(prefix="deliverability-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def rbldnsd(zones: Mapping[str, Mapping[str, str]]) -> Iterator[int]:
    """Serves `zones` (name -> data set type -> its lines); gives the port."""
    program, port = need("rbldnsd"), free_port(socket.SOCK_DGRAM)
    with open_folder() as folder:
        sets = []
        for zone, by_kind in zones.items():
            for kind, lines in by_kind.items():
                file = f"{zone}.{kind}"
                (folder / file).write_text(f"$SOA 60 ns.lab. h.lab. 0 60 60 60 2\n{lines}\n")
                sets.append(f"{zone}:{kind}:{file}")
        user = ["-u", "rbldns"] if os.geteuid() == 0 else []
        # `-b address/port` wants it in the foreground (-n) to be ours to stop.
        command = [program, "-n", "-f", "-b", f"127.0.0.1/{port}", *user, "-r", str(folder), *sets]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                yield port
                assert process.poll() is None, (folder / "log").read_text()
            finally:
                process.terminate()
                process.wait(10)


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.lab.example
mydestination =
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
smtpd_tls_security_level = may
smtpd_tls_ciphers = medium
tls_medium_cipherlist = DEFAULT@SECLEVEL=0
"""
MASTER_CF = """
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
"""


@contextmanager
def postfix(
    services: Mapping[str, Mapping[str, str]], kept: Path | None = None
) -> Iterator[dict[str, int]]:
    """An smtpd for each of `services` (name -> its settings over main.cf's); gives their ports by name.

    All that postfix writes is in `kept`, for those who want to see it.
    """
    program = need("postfix")
    if os.geteuid() != 0:
        pytest.skip("postfix's master must be started as root")
    owner = pwd.getpwnam("postfix")
    ports = {name: free_port() for name in services}
    with nullcontext(kept) if kept else open_folder() as folder:
        for name in ("spool", "data"):
            (folder / name).mkdir()
        os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
        lines = []
        for name, settings in services.items():
            overrides = "".join(f" -o {{ {key} = {value} }}" for key, value in settings.items())
            lines.append(f"127.0.0.1:{ports[name]} inet n - n - - smtpd{overrides}\n")
        (folder / "main.cf").write_text(MAIN_CF.format(folder=folder))
        (folder / "master.cf").write_text(MASTER_CF + "".join(lines))
        command = [program, "-c", str(folder)]
        started = subprocess.run([*command, "start"], capture_output=True, text=True, check=False)
        try:
            assert started.returncode == 0, started.stderr
            for port in ports.values():
                wait_for(port)
            yield ports
        finally:
            subprocess.run([*command, "stop"], capture_output=True, check=False)


def wait_for(port: int, seconds: float = 10.0) -> None:
    """Until somebody listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.05)
        else:
            return
