"""Podman as root on Debian, with a base image made from Debian's own packages.

No container registry is needed: debootstrap makes the base image, from the mirror that the machine's
apt uses. Images and containers live in `var/cache/podman`, apart from the machine's own, and the base
image is used again by later runs.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "var/cache/podman"
BASE_IMAGE = "localhost/python:3.13-slim-trixie"
IMAGE = "localhost/deliverability-monitor:test"

# crun refuses hybrid cgroups, and systemd may not be there.
CONTAINERS_CONF = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# Kernels without CAP_SYS_RESOURCE refuse to raise limits.
ULIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")


@dataclass(frozen=True, slots=True)
class Podman:
    """The command with its private storage and configuration."""

    program: str
    conf: Path

    def __call__(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `podman ARGUMENTS` to its end, whatever its exit code."""
        return subprocess.run(
            [self.program, f"--root={STORAGE}/root", f"--runroot={STORAGE}/run", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "CONTAINERS_CONF": str(self.conf)},
        )

    def must(self, *arguments: str, timeout: float = 60) -> str:
        """Run `podman ARGUMENTS` and return what it printed; a failure fails the test."""
        result = self(*arguments, timeout=timeout)
        assert result.returncode == 0, (
            f"podman {arguments[0]}: {result.stdout[-2000:]}{result.stderr[-4000:]}"
        )
        return result.stdout


def confined(*arguments: str) -> tuple[str, ...]:
    """The arguments of `podman run` for a container that may do next to nothing."""
    return (
        "run", "--network=host", "--read-only", "--tmpfs=/tmp", "--tmpfs=/state", "--memory=256m",
        "--pids-limit=100", "--cap-drop=ALL", "--security-opt=no-new-privileges", *ULIMITS, *arguments,
    )  # fmt: skip


def _mirror() -> str:
    """The archive that the machine's own apt reads this release from."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)",
         "Identifier: Packages", f"Codename: {codename}"],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout.split()  # fmt: skip
    if not targets:
        pytest.skip(f"apt knows no archive of {codename}")
    return targets[0]


def _make_base_image(podman: Podman) -> None:
    with tempfile.TemporaryDirectory(dir=STORAGE) as directory:
        rootfs = Path(directory) / "rootfs"
        include = "ca-certificates,python3,python3-venv,python3-pip"
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={include}", "trixie", rootfs, _mirror()],
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"debootstrap failed: {made.stdout.strip().splitlines()[-1:]}")
        archive = Path(directory) / "rootfs.tar"
        subprocess.run(["tar", "-C", rootfs, "-cf", archive, "."], check=True, timeout=120)
        podman.must("import", "--quiet", str(archive), BASE_IMAGE, timeout=120)


def engine() -> Podman:
    """Podman that can build and run, with the base image; skips the test where it cannot be had."""
    program = shutil.which("podman")
    missing = [
        name for name in ("podman", "runc", "debootstrap", "apt-get") if not shutil.which(name)
    ]
    if program is None or missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("debootstrap and podman without systemd need root")
    STORAGE.mkdir(parents=True, exist_ok=True)
    conf = STORAGE / "containers.conf"
    conf.write_text(CONTAINERS_CONF)
    podman = Podman(program, conf)
    if podman("image", "exists", BASE_IMAGE).returncode:
        _make_base_image(podman)
    return podman


def build(podman: Podman) -> str:
    """The product's image, built from this tree; returns its name."""
    podman.must(
        "build", "--format=docker", "--network=host", *ULIMITS, "--volume=/etc/ssl/certs:/etc/ssl/certs:ro",
        f"--build-arg=BASE_IMAGE={BASE_IMAGE}", f"--tag={IMAGE}", str(ROOT),
        timeout=600,
    )  # fmt: skip
    return IMAGE
