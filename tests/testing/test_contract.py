"""The ground of all suites: how a rule is found, excused, and not got around."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import pytest

import mousai_kit.api as mk
from mousai_kit.testing import (
    Contract,
    JumpSamplerContract,
    SamplerContract,
    ScheduleContract,
    SteppedSamplerContract,
)
from mousai_kit.testing.contract import rules_of
from mousai_kit.testing.fakes import QuarterCircle

RULE = "test_both_ends_are_exact"


class Stepped(mk.SteppedSampler):
    """A sampler that goes down levels."""

    name = "stepped"

    def sample(self, velocity, noise, *, generator=None):
        return noise


class Lesser(mk.Sampler):
    """A sampler that knows no levels."""

    name = "lesser"

    def sample(self, velocity, noise, *, generator=None):
        return noise


class Jumper(Lesser):
    """A sampler that jumps."""

    jumps = True


def suite(base=ScheduleContract, *bases, **members):
    """Return a suite of its own, made as a class statement makes it."""
    return type("TestMine", (*bases, base), {"component": QuarterCircle, **members})


def refusal(*bases, **members):
    with pytest.raises(TypeError) as raised:
        suite(*bases, **members)
    return str(raised.value)


class TestRules:
    def test_those_of_all_kinds_come_first_then_the_kinds(self):
        names = list(rules_of(ScheduleContract))
        assert names[: len(rules_of(Contract))] == list(rules_of(Contract))
        assert RULE in names

    def test_a_component_has_its_kinds_rules(self):
        assert rules_of(suite()) == rules_of(ScheduleContract)

    def test_a_suite_may_add_rules_of_its_own(self):
        made = suite(test_more=lambda self: None)
        assert set(rules_of(made)) - set(rules_of(ScheduleContract)) == {"test_more"}


class TestReplacing:
    REFUSED = f'TestMine replaces \'{RULE}\' of its contract; say why it can\'t hold instead: expected_failures = {{"{RULE}": "the reason"}}'

    @pytest.mark.parametrize("other", [lambda self: None, None, pytest.mark.skip(lambda self: 0)])
    def test_a_rule_can_not_be_replaced(self, other):
        assert refusal(**{RULE: other}) == self.REFUSED

    def test_nor_in_a_class_between(self):
        members = {RULE: None}
        with pytest.raises(TypeError, match=f"^Loose replaces '{RULE}' of its contract; "):
            type("Loose", (ScheduleContract,), members)

    def test_nor_by_another_base_class(self):
        assert refusal(ScheduleContract, type("Mixin", (), {RULE: None})) == self.REFUSED

    def test_nor_below_the_class_that_names_the_component(self):
        assert refusal(suite(), **{RULE: None}) == self.REFUSED

    @pytest.mark.parametrize("name", ["use", "registry", "build"])
    def test_nor_how_the_component_is_built(self, name):
        assert (
            refusal(**{name: lambda self: None})
            == f"TestMine replaces '{name}' of its contract; what the component is built with goes into options"
        )

    def test_a_suite_can_not_be_hidden(self):
        assert (
            refusal(__test__=False) == "TestMine is hidden from pytest: __test__ must not be False"
        )


class TestKinds:
    def test_another_kinds_suite_is_refused(self):
        assert (
            refusal(SamplerContract)
            == "TestMine tests QuarterCircle with the suite of another kind: it is no subclass of Sampler"
        )

    def test_a_stepped_sampler_has_the_rules_of_stepped_samplers(self):
        assert (
            refusal(SamplerContract, component=Stepped)
            == "TestMine tests a SteppedSampler; inherit SteppedSamplerContract, which has its rules too"
        )
        assert suite(SteppedSamplerContract, component=Stepped)

    def test_another_sampler_has_not(self):
        assert (
            refusal(SteppedSamplerContract, component=Lesser)
            == "TestMine tests Lesser with the suite of another kind: it is no subclass of SteppedSampler"
        )
        assert suite(SamplerContract, component=Lesser)

    def test_a_sampler_that_jumps_has_rules_of_its_own(self):
        assert (
            refusal(SamplerContract, component=Jumper)
            == "TestMine tests a sampler that jumps; inherit JumpSamplerContract, whose rules need no solver"
        )
        assert (
            refusal(JumpSamplerContract, component=Lesser)
            == "TestMine tests a sampler that does not jump; inherit SamplerContract, or say `jumps = True` in the sampler"
        )
        assert suite(JumpSamplerContract, component=Jumper)


class TestExcuses:
    def test_what_is_no_rule_can_not_be_excused(self):
        assert (
            refusal(expected_failures={"test_both_ends_are_exakt": "rounding"})
            == f"TestMine is excused from 'test_both_ends_are_exakt', which is no rule; did you mean '{RULE}'?"
        )

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_an_excuse_needs_a_reason(self, reason):
        assert (
            refusal(expected_failures={RULE: reason})
            == f"TestMine is excused from '{RULE}' without a reason"
        )

    def test_an_excused_rule_is_expected_to_fail_strictly_and_nobody_elses(self):
        excused = suite(expected_failures={RULE: "it rounds"})
        (mark,) = vars(excused)[RULE].pytestmark
        assert (mark.name, mark.kwargs) == ("xfail", {"reason": "it rounds", "strict": True})
        assert not hasattr(getattr(ScheduleContract, RULE), "pytestmark")
        assert not hasattr(getattr(suite(), RULE), "pytestmark")

    def test_an_excuse_is_inherited_and_may_be_taken_back(self):
        excused = suite(expected_failures={RULE: "it rounds"})
        assert getattr(suite(excused), RULE).pytestmark
        assert getattr(suite(excused, expected_failures={}), RULE) is getattr(
            ScheduleContract, RULE
        )

    def test_pytest_tells_the_excuse_and_fails_where_none_is_needed(self):
        told = Told()
        rules = [f"{__file__}::Excused::{RULE}", f"{__file__}::Excused::test_levels_fall_strictly"]
        options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-o", "addopts="]
        pytest.main([*rules, *options, "-o", "python_classes=Excused"], plugins=[told])
        assert told.reports == [
            (RULE, "skipped", "it is rough"),
            ("test_levels_fall_strictly", "failed", "[XPASS(strict)] not so"),
        ]


class Rough(QuarterCircle):
    """Ends that are a little off."""

    name = "rough"

    def weights(self, sigma):
        return super().weights(0.001 + 0.998 * sigma)


class Excused(ScheduleContract):
    component = Rough
    expected_failures = {RULE: "it is rough", "test_levels_fall_strictly": "not so"}


class Told:
    """A pytest plug-in that notes how each test ended, and what is said of it."""

    def __init__(self):
        self.reports = []

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            said = getattr(report, "wasxfail", None) or str(report.longrepr)
            self.reports.append((report.nodeid.rsplit("::", 1)[1], report.outcome, said))
