"""The lab: a small world on loopback in which mail domains live, and in which things go wrong by name."""

from monitor.lab.control import (
    IncidentRefusedError,
    IncidentState,
    LabNotRunningError,
    control_incident,
    list_incidents,
)
from monitor.lab.lab import DEFAULT_LISTEN, Lab, LabSettings, UnknownIncidentError, run_lab
from monitor.lab.ports import Ports
from monitor.lab.scenario import Burst, Incident
from monitor.lab.scenario_file import DEFAULT_SCENARIO, ScenarioError

__all__ = [
    "DEFAULT_LISTEN",
    "DEFAULT_SCENARIO",
    "Burst",
    "Incident",
    "IncidentRefusedError",
    "IncidentState",
    "Lab",
    "LabNotRunningError",
    "LabSettings",
    "Ports",
    "ScenarioError",
    "UnknownIncidentError",
    "control_incident",
    "list_incidents",
    "run_lab",
]
