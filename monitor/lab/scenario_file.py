"""The file that holds a scenario, and the worlds that incidents make of it.

The world at a moment is the file with the patches of the incidents that are on (RFC 7396, JSON merge
patch) applied in the order in which they were started, and validated again.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from monitor.lab.scenario import Incident, Scenario

DEFAULT_SCENARIO = Path(__file__).parent / "scenarios" / "default.yaml"


class ScenarioError(Exception):
    """A scenario that cannot be used; `problems` holds one line each, with file, line and key."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def merge(document: Any, patch: Any) -> Any:
    """Apply a JSON merge patch: mappings merge, null removes, all else replaces (RFC 7396 §2)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


class ScenarioFile:
    """A scenario's document as read, able to make the world with some incidents on."""

    def __init__(self, path: Path = DEFAULT_SCENARIO) -> None:
        """Read and validate a file, and that each of its incidents makes a valid world.

        Raises:
            ScenarioError: when it cannot be read or used.
        """
        self.path = path
        self._document, self._root = _read(path)
        self.base = self._validate(self._document, ())
        for name, incident in self.base.incidents.items():
            self._apply([incident], ("incidents", name, "world"))

    def world(self, incidents: Iterable[Incident]) -> Scenario:
        """Return the world with these incidents on, in this order.

        Raises:
            ScenarioError: when together they make a world that is not valid.
        """
        return self._apply(incidents, ())

    def _apply(self, incidents: Iterable[Incident], prefix: tuple[str, ...]) -> Scenario:
        document = self._document
        flows: set[str] = set()
        for incident in incidents:
            document = merge(document, incident.world)
            flows |= incident.on_start.keys() | incident.on_end.keys()
        world = self._validate(document, prefix)
        problems = [
            f"no such flow of traffic: {name}" for name in sorted(flows - world.traffic.keys())
        ]
        if world.traffic.keys() != self.base.traffic.keys():
            problems.append("an incident changes flows of traffic; it cannot add or remove one")
        if world.nameservers != self.base.nameservers:
            problems.append("name servers stay as they are; a behaviour can silence one")
        if problems:
            raise ScenarioError(f"{self._where(prefix)}: {problem}" for problem in problems)
        return world

    def _validate(self, document: Any, prefix: tuple[str, ...]) -> Scenario:
        try:
            return Scenario.model_validate(document)
        except ValidationError as error:
            raise ScenarioError(
                f"{self._where((*prefix, *problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            ) from error

    def _where(self, location: tuple[int | str, ...]) -> str:
        keys = ".".join(str(part) for part in location if part != "[key]")
        place = f"{self.path}:{_line(self._root, location)}"
        return f"{place}: {keys}" if keys else place


def _read(path: Path) -> tuple[Any, yaml.Node]:
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except OSError as error:
        raise ScenarioError([f"{path}: {error.strerror}"]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError([f"{path}:{line}: {error.problem}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{path}: not YAML in UTF-8"]) from error
    if not isinstance(root, yaml.MappingNode):
        raise ScenarioError([f"{path}:1: a mapping is expected"])
    return document, root


def _line(node: yaml.Node, location: tuple[int | str, ...]) -> int:
    """Return the line, from 1, of the deepest part of a location that the file has."""
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
