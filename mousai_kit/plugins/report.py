"""A report: what became of one plug-in."""

from __future__ import annotations

from dataclasses import dataclass, field

from mousai_kit.plugins.faults import Fault


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plug-in."""

    name: str
    package: str
    version: str
    components: tuple[str, ...] = ()
    """`kind: name` of each component that it offers."""
    faults: tuple[Fault, ...] = ()
    """Why it was left out; empty where it loaded."""
    notes: tuple[Fault, ...] = ()
    """What its author should know of it, although it loads."""
    switched_off: bool = False
    """Whether the user left it out."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took to load."""

    @property
    def owner(self) -> str:
        """Return the package with its version, and the plug-in's name."""
        return f"{self.package} {self.version} ({self.name})"

    @property
    def fault(self) -> str:
        """Return why it was left out, in one line; empty where it loaded."""
        return "; ".join(fault.message for fault in self.faults)
