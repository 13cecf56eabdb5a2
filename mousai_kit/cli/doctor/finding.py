"""A finding: what a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REINSTALL = "pip install --force-reinstall mousai-kit"
"""How to mend an installation of which a part is missing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    message: str
    fix: str = ""
    """What to do; empty where nothing needs to be done."""


def ok(subject: str, told: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(subject, "ok", told)


def note(subject: str, told: str, mend: str) -> Finding:
    """Return a finding that something could be better, or may be meant so."""
    return Finding(subject, "note", told, mend)


def wrong(subject: str, told: str, mend: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(subject, "wrong", told, mend)
