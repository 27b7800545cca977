"""Runs a check on targets: time limit, number at once, confirmation, and what is kept."""

from monitor.runner.job import Job
from monitor.runner.runner import Runner

__all__ = ["Job", "Runner"]
