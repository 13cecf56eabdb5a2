"""Components: options that are closed and checked to the leaf, and slots for other components."""

from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from mousai_kit.core.component import Component, Field, Options, Use, default, to_plain_dict
from mousai_kit.core.errors import PluginError
from mousai_kit.core.validation import flatten_errors


class Colour(Component):
    kind = "colour"


class Shape(Component):
    kind = "shape"
    build_kwargs = ("size",)


class Red(Colour):
    """A colour without options."""

    name = "red"

    def __init__(self, options):
        self.options = options


class Mixed(Colour):
    name = "mixed"

    class Options(Options):
        first: Use[Colour] = default("red")
        share: float = Field(0.5, ge=0, le=1, description="share of the first")


class Corner(Options):
    angle: int = Field(90, gt=0, description="degrees")


class Square(Shape):
    name = "square"

    class Options(Options):
        colour: Use[Colour] = default({"use": "mixed", "share": 0.25})
        outline: Use[Colour] | None = Field(None, description="colour of the outline")
        corners: list[Corner] = Field([Corner()], max_length=4, description="corners")
        named: dict[str, Use[Colour]] = Field({}, description="more colours")
        style: Literal["plain", "dotted"] = Field("plain", description="style")
        size: int | list[int] | None = Field(None, description="size")
        word: str = Field("x", description="not 'bad'")

        @field_validator("word")
        @classmethod
        def never_bad(cls, word: str) -> str:
            if word == "bad":
                raise ValueError("must not be 'bad'")
            return word

    def __init__(self, options, *, size):
        self.options, self.size = options, size


class Shelf:
    """A finder of these three, whose message holds braces."""

    def find(self, kind, name):
        for component in (Red, Mixed, Square):
            if (component.kind, component.name) == (kind, name):
                return component
        raise LookupError(f"no {kind} is called '{name}' {{here}}")


class Picture(BaseModel):
    shape: Use[Shape]


def picture(shape):
    return Picture.model_validate({"shape": shape}, context={"registry": Shelf()}).shape


def problems(shape):
    with pytest.raises(ValidationError) as raised:
        picture(shape)
    return [(".".join(map(str, at)), said) for at, said in flatten_errors(raised.value, Picture)]


def test_a_slot_takes_a_bare_name_a_mapping_or_a_choice():
    bare = picture("square")
    assert bare == picture({"use": "square"}) == picture(bare)
    assert (bare.component, repr(bare)) == (Square, "Use(shape square)")


def test_a_slot_has_every_default_to_the_leaf():
    assert picture("square").values() == {
        "use": "square",
        "colour": {"use": "mixed", "first": {"use": "red"}, "share": 0.25},
        "outline": None,
        "corners": [{"angle": 90}],
        "named": {},
        "style": "plain",
        "size": None,
        "word": "x",
    }


def test_values_can_leave_out_a_kind_wherever_it_is():
    shape = picture({"use": "square", "outline": "red", "named": {"a": "red"}})
    assert shape.values(without=("colour",)) == {
        "use": "square",
        "corners": [{"angle": 90}],
        "named": {},
        "style": "plain",
        "size": None,
        "word": "x",
    }
    assert to_plain_dict(shape.options, without=("shape",)) == to_plain_dict(shape.options)


def test_building_gives_options_and_wiring():
    square = picture({"use": "square", "style": "dotted"}).build(size=3)
    assert (square.size, square.options.style) == (3, "dotted")


def test_replacing_an_option_leaves_the_first_choice_as_it_was():
    shape = picture("square")
    assert shape.replace(style="dotted").options.style == "dotted"
    assert shape.options.style == "plain"
    assert shape.replace(style="dotted") != shape
    assert shape.replace(style="plain") == shape
    assert hash(shape.replace(style="plain")) == hash(shape)
    assert shape != "square"


def test_every_problem_is_told_with_its_place():
    assert problems(
        {
            "use": "square",
            "colour": {"use": "mixed", "first": "blue", "share": 2},
            "outline": {"use": 3},
            "corners": [{"angel": 1}, {"angle": 0}, 5],
            "named": {"a": "red", "b": {"share": 1}, "c": None},
            "style": "fancy",
            "size": "big",
            "word": "bad",
            "colur": "red",
        }
    ) == [
        ("shape.colour.first.use", "no colour is called 'blue' {here}"),
        ("shape.colour.share", "must be at most 1 (got 2)"),
        ("shape.outline.use", "must be the name of a colour (got 3)"),
        ("shape.corners.0.angel", "unknown option; did you mean 'angle'?"),
        ("shape.corners.1.angle", "must be greater than 0 (got 0)"),
        ("shape.corners.2", "must be a mapping of options (got 5)"),
        ("shape.named.b", "must say which colour to use (`use: <name>`)"),
        (
            "shape.named.c",
            "must be the name of a colour, or `use: <name>` with options (got null)",
        ),
        ("shape.style", "must be 'plain' or 'dotted' (got 'fancy')"),
        ("shape.size", "must be a whole number, or must be a list (got 'big')"),
        ("shape.word", "must not be 'bad'"),
        ("shape.colur", "unknown option; did you mean 'colour'?"),
    ]


@pytest.mark.parametrize(
    ("shape", "place", "message"),
    [
        ("circle", "shape.use", "no shape is called 'circle' {here}"),
        ({"use": "circle", "x": 1}, "shape.use", "no shape is called 'circle' {here}"),
        (7, "shape", "must be the name of a shape, or `use: <name>` with options (got 7)"),
        (
            ["square"],
            "shape",
            "must be the name of a shape, or `use: <name>` with options (got a list)",
        ),
        ({}, "shape", "must say which shape to use (`use: <name>`)"),
        (
            {"use": "square", "colour": {"use": "red", "x": 1}},
            "shape.colour.x",
            "unknown option; there are none",
        ),
        (
            {"use": "square", "colour": {"use": "mixed", "x": 1}},
            "shape.colour.x",
            "unknown option; there are 'first' and 'share'",
        ),
        ({"use": "square", "xyz": 1}, "shape.xyz", "unknown option"),
        ({"use": "square", "size": [1, "a"]}, "shape.size.1", "must be a whole number (got 'a')"),
        (
            {"use": "square", "corners": [{}] * 5},
            "shape.corners",
            "must have 4 items at most (got 5)",
        ),
        ({"use": "square", "corners": 5}, "shape.corners", "must be a list (got 5)"),
        ({"use": "square", "word": [1]}, "shape.word", "must be text (got a list)"),
    ],
)
def test_a_wrong_choice_says_what_would_be_right(shape, place, message):
    assert (place, message) in problems(shape)


def test_a_default_is_checked_like_a_value_that_a_recipe_gives():
    class Wrong(Options):
        angle: int = Field(0, gt=0, description="degrees")

    with pytest.raises(ValidationError) as raised:
        Wrong()
    assert flatten_errors(raised.value, Wrong) == [(("angle",), "must be greater than 0 (got 0)")]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value):
    with pytest.raises(ValidationError) as raised:
        Mixed.Options.model_validate({"share": value}, context={"registry": Shelf()})
    assert [said for _, said in flatten_errors(raised.value, Mixed.Options)] == [
        f"must be a finite number (got {value})"
    ]


def test_options_are_frozen():
    with pytest.raises(ValidationError):
        Corner().angle = 3


class Place(Component):
    kind = "place"
    latitude: int
    longitude: int
    name: ClassVar[str]
    climate = "mild"


class Town(Place):
    name = "town"

    def __init__(self, options):
        self.latitud = 1

    @property
    def longitude(self):
        raise AttributeError("known after training")


class Nowhere(Place):
    name = "nowhere"

    def __init__(self, options): ...


def test_a_component_that_lacks_what_its_interface_declares_is_not_built():
    with pytest.raises(PluginError) as raised:
        Use(Town, Options()).build()
    assert str(raised.value) == (
        "test_component.Town: place 'town' must set self.latitude in its constructor"
    )
    with pytest.raises(PluginError) as raised:
        Use(Nowhere, Options()).build()
    assert str(raised.value).splitlines() == [
        "test_component.Nowhere: place 'nowhere' must set self.latitude in its constructor",
        "test_component.Nowhere: place 'nowhere' must set self.longitude in its constructor",
    ]
