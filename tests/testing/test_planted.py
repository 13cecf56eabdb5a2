"""The contracts of networks and solvers catch bugs that are planted, one each."""

from importlib import import_module
from pathlib import Path

import planted_suites
import pytest
from planting import caught_in, table

from mousai_kit.testing import (
    ConditionerContract,
    Contract,
    RotationSamplerContract,
    SpectralEncoderContract,
    TextEncoderContract,
    UNetContract,
)
from mousai_kit.testing.contract import rules_of
from mousai_kit.testing.schedule import ScheduleContract

PLANTED = {
    "planted_conditioner": ConditionerContract,
    "planted_text_encoder": TextEncoderContract,
    "planted_spectral_encoder": SpectralEncoderContract,
    "planted_unet": UNetContract,
    "planted_schedule": ScheduleContract,
    "planted_sampler": RotationSamplerContract,
}


@pytest.mark.parametrize("module", PLANTED)
def test_each_bug_is_caught_by_the_rule_that_it_breaks(module):
    planted = planted_suites.rules(import_module(module))
    broken = {suite: rule for suite, rules in planted.items() for rule in rules}
    caught = caught_in(Path(__file__).with_name(f"{module}.py"), broken)
    assert caught == planted, table(caught)


@pytest.mark.parametrize("module", PLANTED)
def test_there_are_ten_bugs_at_least(module):
    planted = planted_suites.rules(import_module(module))
    assert sum(map(len, planted.values())) >= 10


def test_each_rule_has_a_bug_that_it_catches():
    rules = {rule for it in PLANTED.values() for rule in rules_of(it)} - set(rules_of(Contract))
    modules = map(import_module, PLANTED)
    broken = {rule for it in modules for by in planted_suites.rules(it).values() for rule in by}
    assert sorted(rules - broken) == []
