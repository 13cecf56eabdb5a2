"""The contracts of domains, stages, data, embeddings, metrics, formats catch what is planted."""

from importlib import import_module
from pathlib import Path

import planted_suites
import planting
import pytest

from mousai_kit.testing import (
    Contract,
    DatasetContract,
    DomainContract,
    EmbeddingContract,
    MetricContract,
    SetMetricContract,
    StageContract,
    TextMetricContract,
    WeightFormatContract,
)
from mousai_kit.testing.contract import rules_of

PLANTED = {
    "planted_domain": DomainContract,
    "planted_coder": StageContract,
    "planted_singer": StageContract,
    "planted_dataset": DatasetContract,
    "planted_embedding": EmbeddingContract,
    "planted_metric": MetricContract,
    "planted_set_metric": SetMetricContract,
    "planted_text_metric": TextMetricContract,
    "planted_weight_format": WeightFormatContract,
}


@pytest.mark.parametrize("module", PLANTED)
def test_each_bug_is_caught_by_the_rule_that_it_breaks(module):
    caught = planting.caught_in(Path(__file__).with_name(f"{module}.py"))
    found = {bug: [name.partition("[")[0] for name in rules] for bug, rules in caught.items()}
    assert found == planted_suites.rules(import_module(module)), planting.table(caught)


@pytest.mark.parametrize("contract", dict.fromkeys(PLANTED.values()))
def test_each_rule_has_a_bug_that_it_catches_first(contract):
    modules = [import_module(module) for module, its in PLANTED.items() if its is contract]
    broken = [
        rule for it in modules for rules in planted_suites.rules(it).values() for rule in rules
    ]
    assert len(broken) >= 10
    assert rules_of(contract).keys() - rules_of(Contract).keys() - set(broken) == set()
