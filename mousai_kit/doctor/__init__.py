"""Doctor: whether this installation works, and how to mend what does not.

Nothing heavy is imported before a check does so itself: what can't be imported is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mousai_kit.doctor import machine, network, parts, software, sound
from mousai_kit.doctor.finding import REINSTALL, Finding, note, wrong
from mousai_kit.errors import one_line

__all__ = ["CHECKS", "Finding", "examine"]

CHECKS: dict[str, Callable[[], Iterable[Finding]]] = {
    "Python": software.python,
    "mousai-kit": software.mousai_kit_itself,
    "libraries": software.libraries,
    "torch": software.torch_itself,
    "torchaudio": software.torchaudio_itself,
    "device": machine.device,
    "memory": machine.memory,
    "disk": machine.disk,
    "audio": sound.formats,
    "hub": network.hub_itself,
    "models": network.models,
    "plug-ins": parts.plug_ins,
    "recipes": parts.recipes,
}
"""What is checked, in the order in which it is told."""


def examine() -> list[Finding]:
    """Return what every check finds; one that fails itself is a finding too."""
    parts.found.cache_clear()
    findings: list[Finding] = []
    for subject, check in CHECKS.items():
        try:
            findings += list(check())
        except Exception as error:  # whatever is broken: that is what we are here for
            findings.append(_failed(subject, error, findings))
    return findings


def _failed(subject: str, error: Exception, before: list[Finding]) -> Finding:
    """Return the finding that a check failed, or that it could not do without what is wrong."""
    told = _told(error)
    known = any(it.state == "wrong" and told in it.told for it in before)
    if known or isinstance(error, ImportError):  # of which the check of libraries tells
        return note(subject, f"can't be checked ({told})", "mend what is wrong above")
    return wrong(
        subject, f"the check failed ({told})", f"mend what is wrong above; else {REINSTALL}"
    )


def _told(error: Exception) -> str:
    return one_line(" ".join(f"{type(error).__name__}: {error}".split()))
