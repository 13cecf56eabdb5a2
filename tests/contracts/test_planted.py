"""The contracts catch what they are there for: bugs planted in components, one each."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from planting import caught_in, table

from mousai_kit.component import Component

HERE = Path(__file__).parent
KINDS = ("text_encoder", "spectral_encoder", "unet", "schedule", "sampler")


def bugs(module: ModuleType) -> Mapping[type[Component], str]:
    """Return the rule that each bug of a module breaks."""
    return module.BUGS


@pytest.mark.parametrize("kind", KINDS)
def test_each_bug_is_caught_by_the_rule_that_it_breaks(kind):
    planted = bugs(import_module(f"planted_{kind}"))
    broken = {f"Test{bug.__name__}": rule for bug, rule in planted.items()}
    caught = caught_in(HERE / f"planted_{kind}.py", broken)
    missed = [suite for suite, rule in broken.items() if rule not in caught[suite]]
    assert missed == [], table(caught)
    healthy = [by for suite, by in caught.items() if suite not in broken]
    assert healthy
    assert [rule for by in healthy for rule in by] == [], "a rule finds fault with what has none"


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_ten_bugs_at_least(kind):
    assert len(bugs(import_module(f"planted_{kind}"))) >= 10
