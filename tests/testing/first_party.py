"""Which of the components that come along are under contract."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from mousai_kit.core.hookspecs import GROUP
from mousai_kit.core.plugins import discover
from mousai_kit.testing import Contract


def untested(kind: str, names: Mapping[str, object]) -> list[str]:
    """Return the first-party components of a kind that no suite of a test file has."""
    ours = [it for it in entry_points(group=GROUP) if it.dist and it.dist.name == "mousai-kit"]
    under_contract = {
        it.component
        for it in names.values()
        if isinstance(it, type) and issubclass(it, Contract) and hasattr(it, "component")
    }
    found = [it for it, _ in discover(ours)[0] if it.kind == kind]
    assert found != []
    return [it.name for it in found if it not in under_contract]
