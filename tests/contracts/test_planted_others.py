"""The contracts of domains, stages, datasets, metrics and formats catch what is planted."""

from importlib import import_module
from pathlib import Path

import planted_suites
import planting
import pytest

KINDS = ["domain", "coder", "singer", "dataset", "metric", "weight_format"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_bug_is_caught_by_the_rule_that_it_breaks(kind):
    caught = planting.caught_in(Path(__file__).with_name(f"planted_{kind}.py"))
    found = {bug: [name.partition("[")[0] for name in rules] for bug, rules in caught.items()}
    expected = planted_suites.rules(import_module(f"planted_{kind}"))
    assert len(expected) > 10
    assert found == expected, planting.table(caught)
