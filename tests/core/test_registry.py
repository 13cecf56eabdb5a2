"""The registry: what it refuses, in whole sentences, and how it helps to find the rest."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

from abc import abstractmethod
from inspect import signature

import pytest

from mousai_kit.core.component import Component, Options
from mousai_kit.core.errors import PluginError
from mousai_kit.core.interfaces import KINDS, Metric, Sampler, Schedule, Stage, UNet
from mousai_kit.core.registry import Registry


class Good(Sampler):
    name = "good"

    def __init__(self, options, *, schedule):
        pass

    def sample(self, velocity, noise, *, generator=None):
        return noise


class Plain(Schedule):
    name = "plain"

    def weights(self, sigma):
        return sigma, sigma


class Distance(Metric):
    name = "distance"
    unit, better = "", "lower"

    def score(self, generated, reference):
        return 0.0


def sampler(name="made", **members):
    """Return a subclass of the good sampler."""
    return type("Made", (Good,), {"name": name, "__module__": __name__, **members})


def registry(*components):
    made = Registry()
    for component in components:
        made.add(component, owner="a 1 (a)")
    return made


def refusal(component, into=None):
    """Return the lines with which a component is refused, without owner and place."""
    with pytest.raises(PluginError) as raised:
        (into or Registry()).add(component, owner="b 2 (b)")
    lines = []
    for problem in raised.value.problems:
        assert problem.origin == "b 2 (b)"
        lines.append(problem.message)
    return lines


class TestFaults:
    def test_a_message_says_whose_which_and_what(self):
        with pytest.raises(PluginError) as raised:
            Registry().add(Plain(Options()), owner="their-kit 1.2 (theirs)")
        assert str(raised.value).startswith(f"their-kit 1.2 (theirs): <{__name__}.Plain object at ")
        assert str(raised.value).endswith(">: is an instance; return the class")

    @pytest.mark.parametrize("component", ["unet1d", int, Component, Options])
    def test_what_is_of_no_kind_is_told_all_kinds(self, component):
        assert refusal(component) == [
            "is of no kind; derive it from one of 'mk.TextEncoder', 'mk.Conditioner', 'mk.SpectralEncoder', 'mk.UNet', 'mk.Schedule', 'mk.Sampler', 'mk.Domain', 'mk.Stage', 'mk.Dataset', 'mk.Embedding', 'mk.Metric' and 'mk.WeightFormat'"
        ]

    def test_a_kind_stands_in_its_interface_alone(self):
        assert refusal(sampler(kind="unet")) == [
            f"has the kinds of '{__name__}.Made' and 'mk.Sampler'; derive it from one of them alone, and leave `kind` to that"
        ]

    def test_abstract_methods_must_be_there(self):
        class Hollow(Sampler):
            name = "hollow"

        assert refusal(Hollow) == ["lacks 'sample', which every sampler has; define it"]

    def test_all_abstract_methods_that_are_missing_are_named(self):
        stage = type("Hollow", (Stage,), {"name": "hollow"})
        assert refusal(stage) == [
            "lacks 'decode', 'encode' and 'loss', which every stage has; define them"
        ]

    @pytest.mark.parametrize(
        "name",
        ["", "DDIM", "two words", "under_score", "-x", "x-", "a--b", "\u00e9", "x\n", None, 5],
    )
    def test_a_name_is_lower_case_words_joined_by_hyphens(self, name):
        assert refusal(sampler(name)) == [
            f"needs a name of lower-case words joined by '-' (got {name!r})"
        ]

    def test_a_name_must_be_given(self):
        class Nameless(Schedule):
            def weights(self, sigma):
                return sigma, sigma

        assert refusal(Nameless) == ["needs a name of lower-case words joined by '-' (got '')"]

    @pytest.mark.parametrize("name", ["x", "ddim", "dpmpp-2m", "2m", "a-b-c"])
    def test_good_names_are_taken(self, name):
        assert registry(sampler(name)).names("sampler") == [name]

    @pytest.mark.parametrize("options", [dict, None, Options.model_validate({})])
    def test_options_must_be_a_class_of_options(self, options):
        assert refusal(sampler(Options=options)) == [
            "has Options that are no subclass of mk.Options; write `class Options(mk.Options)`"
        ]

    def test_every_fault_is_told_at_once(self):
        class Bad(Sampler):
            name = "Bad One"
            Options = int

            def __init__(self):
                pass

        assert refusal(Bad) == [
            "lacks 'sample', which every sampler has; define it",
            "needs a name of lower-case words joined by '-' (got 'Bad One')",
            "has Options that are no subclass of mk.Options; write `class Options(mk.Options)`",
            "must be built with (self, options, *, schedule) (got (self))",
        ]


class TestConstructors:
    @pytest.mark.parametrize(
        "init",
        [
            lambda self: None,
            lambda self, options: None,
            lambda self, options, schedule: None,
            lambda self, options, *, schedul: None,
            lambda self, options, *, schedule, steps: None,
            lambda self, options, more, *, schedule: None,
            lambda self, *, options, schedule: None,
            lambda self, options, *rest, schedule: None,
            lambda self, options, *, schedule, **rest: None,
            lambda self, options, **rest: None,
        ],
    )
    def test_any_other_constructor_is_refused(self, init):
        assert refusal(sampler(__init__=init)) == [
            f"must be built with (self, options, *, schedule) (got {signature(init)})"
        ]

    def test_a_kind_without_wiring_takes_options_alone(self):
        made = type("Made", (Plain,), {"__init__": lambda self, options, *, shift: None})
        assert refusal(made) == [
            "must be built with (self, options) (got (self, options, *, shift))"
        ]

    def test_annotations_are_shown_as_they_are_written(self):
        class Wide(UNet):
            name = "wide"

            def __init__(self, options: Options, channels: int) -> None: ...

            def forward(self, x, sigma, *, context=None, text=None): ...

        assert refusal(Wide) == [
            "must be built with (self, options, *, channels, context_channels, text_features) (got (self, options: mousai_kit.core.component.Options, channels: int) -> None)"
        ]

    @pytest.mark.parametrize(
        "init",
        [
            lambda self, options, *, schedule: None,
            lambda self, options, *, schedule=None: None,
            lambda self, opts, *, schedule, extra=1: None,
        ],
    )
    def test_what_can_be_built_is_taken(self, init):
        assert registry(sampler(__init__=init)).names("sampler") == ["made"]

    def test_a_constructor_may_be_inherited(self):
        assert registry(sampler()).find("sampler", "made").name == "made"


class TestMethods:
    def bound(self, bind):
        """Return a U-Net with a `bind` of its own."""
        members = {
            "name": "made",
            "forward": lambda self, x, sigma, *, context=None, text=None: x,
            "bind": bind,
        }
        return type("Made", (UNet,), members)

    @pytest.mark.parametrize(
        ("bind", "got"),
        [
            (lambda self, context=None, text=None: None, "(context=None, text=None)"),
            (lambda self, context, text, *, levels: None, "(context, text, *, levels)"),
            (lambda self, *, context=None, levels=None: None, "(*, context=None, levels=None)"),
            (
                lambda self, a=None, b=None, *, levels=None: None,
                "(a=None, b=None, *, levels=None)",
            ),
            (
                lambda self, text=None, context=None, *, levels=None: None,
                "(text=None, context=None, *, levels=None)",
            ),
            (
                lambda self, context=None, text=None, *, levels=None, steps: None,
                "(context=None, text=None, *, levels=None, steps)",
            ),
            (lambda: None, "()"),
        ],
    )
    def test_a_method_that_could_not_be_called_is_refused(self, bind, got):
        assert refusal(self.bound(bind)) == [
            f"must define bind(context=None, text=None, *, levels=None) (got bind{got})"
        ]

    @pytest.mark.parametrize(
        "bind",
        [
            lambda self, context=None, text=None, *, levels=None: None,
            lambda self, context=None, text=None, levels=None, more=1: None,
            lambda self, *places, **names: None,
            staticmethod(lambda: None),
            None,
        ],
    )
    def test_what_can_be_called_or_is_no_plain_method_is_taken(self, bind):
        assert registry(self.bound(bind)).names("unet") == ["made"]

    def test_an_argument_without_default_may_have_another_name(self):
        class Told(Sampler):
            name = "told"

            def sample(self, v, x, *, generator=None): ...

        assert registry(Told).names("sampler") == ["told"]

    def test_annotations_are_left_out(self):
        class Short(Schedule):
            name = "short"

            def weights(self, sigma: float) -> float: ...

            def levels(self) -> list[float]: ...

        assert refusal(Short) == ["must define levels(steps) (got levels())"]

    def test_methods_are_told_with_the_other_faults(self):
        assert refusal(sampler(sample=lambda self, velocity: None, name="A")) == [
            "needs a name of lower-case words joined by '-' (got 'A')",
            "must define sample(velocity, noise, *, generator=None) (got sample(velocity))",
        ]


class Aligner(Component):
    """A kind that no plug-in of mousai-kit has."""

    kind = "aligner"
    build_kwargs = ("sample_rate",)

    def __init__(self, options, *, sample_rate): ...

    @abstractmethod
    def align(self, wave, words): ...


class Exact(Aligner):
    """Finds every word."""

    name = "exact"

    def align(self, wave, words):
        return []


class TestKindsOfPlugIns:
    def test_a_component_may_be_of_a_kind_that_its_plug_in_brings(self):
        made = registry(Exact, Plain)
        assert made.find("aligner", "exact") is Exact
        assert made.kinds == {**KINDS, "aligner": Aligner}
        assert [it for it, _ in made] == [Plain, Exact]

    def test_it_is_held_to_its_interface_as_any_other(self):
        class Loose(Aligner):
            name = "loose"

            def __init__(self, options): ...

            def align(self, wave): ...

        assert refusal(Aligner) == [
            "lacks 'align', which every aligner has; define it",
            "needs a name of lower-case words joined by '-' (got '')",
        ]
        assert refusal(Loose) == [
            "must be built with (self, options, *, sample_rate) (got (self, options))",
            "must define align(wave, words) (got align(wave))",
        ]

    def test_a_kind_has_one_interface(self):
        class Other(Component):
            kind, name = "aligner", "other"

            def __init__(self, options): ...

        told = f"says that it is a aligner but is no subclass of {__name__}.Aligner; derive it from that"
        assert refusal(Other, registry(Exact)) == [told]
        assert registry(Other).kinds["aligner"] is Other

    @pytest.mark.parametrize("kind", ["recipe", "trained", "My_Kind", "my-kind", "", None, 5])
    def test_a_kind_is_lower_case_words_that_mean_nothing_else(self, kind):
        made = type("Made", (Component,), {"kind": kind, "name": "made"})
        assert refusal(made) == [
            f"needs a kind of lower-case words joined by '_', but for 'recipe' and 'trained' (got {kind!r})"
        ]


class TestDuplicates:
    def test_a_name_twice_is_refused_with_both_owners_named(self):
        taken = registry(Good)
        with pytest.raises(PluginError) as raised:
            taken.add(sampler("good"), owner="b 2 (b)")
        assert str(raised.value) == (
            f"b 2 (b): {__name__}.Made: the sampler 'good' is already taken by a 1 (a); choose another name"
        )
        assert taken.find("sampler", "good") is Good

    def test_a_name_may_be_used_once_in_every_kind(self):
        both = registry(sampler("plain"), Plain)
        assert (both.names("sampler"), both.names("schedule")) == (["plain"], ["plain"])


class TestFind:
    HERE = (Good, sampler("ddim"), Plain)

    def message(self, kind, name, components=HERE):
        with pytest.raises(LookupError) as raised:
            registry(*components).find(kind, name)
        return str(raised.value)

    def test_the_class_is_found_by_kind_and_name(self):
        assert registry(*self.HERE).find("sampler", "good") is Good

    def test_the_nearest_name_is_suggested(self):
        assert (
            self.message("sampler", "dddim") == "no sampler is called 'dddim'; did you mean 'ddim'?"
        )

    def test_another_kind_of_that_name_is_told(self):
        assert (
            self.message("sampler", "plain")
            == "no sampler is called 'plain'; 'plain' is a schedule"
        )

    def test_without_a_near_name_all_are_listed(self):
        assert self.message("sampler", "euler") == (
            "no sampler is called 'euler'; there are 'ddim' and 'good'"
        )

    def test_one_alone_is_listed_as_one(self):
        assert self.message("schedule", "xyz") == "no schedule is called 'xyz'; there is 'plain'"

    def test_nothing_of_a_kind_is_told(self):
        assert self.message("unet", "unet1d") == (
            "no unet is called 'unet1d'; no plug-in that offers a unet is installed"
        )


def test_components_are_listed_in_the_order_of_kinds_then_of_names():
    made = registry(Distance, sampler("b"), sampler("a"), Plain)
    assert [(it.kind, it.name, owner) for it, owner in made] == [
        ("schedule", "plain", "a 1 (a)"),
        ("sampler", "a", "a 1 (a)"),
        ("sampler", "b", "a 1 (a)"),
        ("metric", "distance", "a 1 (a)"),
    ]


def test_removing_an_owner_leaves_the_others():
    made = registry(Good)
    made.add(Plain, owner="b 2 (b)")
    made.remove("b 2 (b)")
    assert [it for it, _ in made] == [Good]


def test_a_component_takes_its_namesakes_place_in_a_registry_of_its_own():
    before = registry(Good, Plain, Distance)
    other = sampler("good")
    after = before.replacing(other, owner="other")
    assert after.find("sampler", "good") is other
    assert before.find("sampler", "good") is Good
    assert len(list(after)) == len(list(before)) == 3
    assert after.find("schedule", "plain") is Plain
