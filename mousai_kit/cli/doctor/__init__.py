"""Doctor: whether this installation works, and how to mend what does not.

Nothing heavy is imported before a check does so itself: what can't be imported is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mousai_kit.cli.doctor import components, machine, software
from mousai_kit.cli.doctor.finding import REINSTALL, Finding, note, wrong
from mousai_kit.core.errors import escape_control_chars

__all__ = ["CHECKS", "Finding", "run_checks"]

CHECKS: dict[str, Callable[[], Iterable[Finding]]] = {
    "Python": software.python,
    "mousai-kit": software.mousai_kit_itself,
    "libraries": software.libraries,
    "torch": software.torch_itself,
    "torchaudio": software.torchaudio_itself,
    "device": machine.device,
    "memory": machine.memory,
    "disk": machine.disk,
    "audio": software.formats,
    "hub": machine.hub_itself,
    "models": machine.models,
    "plug-ins": components.plug_ins,
    "recipes": components.recipes,
    "trained": components.check_trained_systems,
}
"""What is checked, in the order in which it is told."""


def run_checks() -> list[Finding]:
    """Return what every check finds; one that fails itself is a finding too."""
    components.installed_once.cache_clear()
    findings: list[Finding] = []
    for subject, check in CHECKS.items():
        try:
            findings += list(check())
        except Exception as error:  # whatever is broken: that is what we are here for
            findings.append(_failure(subject, error, findings))
    return findings


def _failure(subject: str, error: Exception, before: list[Finding]) -> Finding:
    """Return the finding that a check failed, or that it could not do without what is wrong."""
    told = _describe(error)
    known = any(finding.state == "wrong" and told in finding.message for finding in before)
    if known or isinstance(error, ImportError):  # of which the check of libraries tells
        return note(subject, f"can't be checked ({told})", "mend what is wrong above")
    return wrong(
        subject, f"the check failed ({told})", f"mend what is wrong above; else {REINSTALL}"
    )


def _describe(error: Exception) -> str:
    return escape_control_chars(" ".join(f"{type(error).__name__}: {error}".split()))
