"""What lies in a check's folder beside its code: alert rules, runbook, panels."""

import re
from importlib import import_module
from typing import Any

from monitor.check import Check, Panel
from monitor.config.installed import check_folder


class FolderError(Exception):
    """A check's folder is not complete; `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def text(check: type[Check[Any]], name: str) -> str:
    """A file of the check's folder.

    Raises:
        FolderError: there is no such file.
    """
    try:
        return check_folder(check).joinpath(name).read_text("utf-8")
    except FileNotFoundError:
        raise FolderError([f"{check.about.name}: {name} is missing"]) from None


def panels(check: type[Check[Any]]) -> tuple[Panel, ...]:
    """`PANELS` of the folder's `panels.py`.

    Raises:
        FolderError: there is no such module or no such name in it.
    """
    module = f"{check.__module__.rpartition('.')[0]}.panels"
    try:
        return tuple(import_module(module).PANELS)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise FolderError([f"{check.about.name}: panels.py is missing"]) from None
    except AttributeError:
        raise FolderError([f"{check.about.name}: panels.py has no PANELS"]) from None


def runbook_sections(check: type[Check[Any]]) -> frozenset[str]:
    """The titles of the runbook's sections: `## <AlertName>` and `## <check>.<code>`."""
    return frozenset(re.findall(r"^## (\S+)\s*$", text(check, "runbook.md"), re.MULTILINE))
