"""Conditions: what generation is given besides text, by name, and what is wrong with it."""

import hashlib
from pathlib import Path

import pytest
import soundfile
import torch
from small_conditioners import Loudness, both

import mousai_kit.api as mk
from mousai_kit.core.component import Use
from mousai_kit.core.errors import Argument
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.conditions import condition_tags
from mousai_kit.recipe import Recipe


def recipe(specs, conditioners, **stages):
    model = specs["generator"] | {"conditioners": conditioners}
    if any(use.component is Loudness for use in conditioners.values()):
        model["unet"] = model["unet"] | {"context_at_input": True}
    values = {
        "version": 1,
        "name": "small",
        "audio": {"sample_rate": 8000, "channels": 2},
        "data": "tones",
        "stages": {"autoencoder": {"model": specs["autoencoder"]}, "generator": {"model": model}},
    }
    return Recipe.model_validate(values, context={"registry": installed_registry()})


@pytest.fixture
def cascade(specs):
    made = Cascade.build(recipe(specs, both()))
    made.top.text.fit_statistics(["drums"])
    return made


@pytest.fixture
def hum(here):
    soundfile.write("hum.wav", torch.linspace(-0.5, 0.5, 800).numpy(), 8000)
    return Path("hum.wav")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("3,60", (3, 60)),
        ("3", (3, None)),
        (" 3.5 , 60 ", (3.5, 60)),
        (3, (3, None)),
        ([3, 60.5], (3, 60.5)),
        ({"start": 3.0}, (3, None)),
        ({"total": 60}, (0, 60)),
    ],
)
def test_a_value_may_be_said_in_short(cascade, given, expected):
    place = cascade.parse_conditions({"place": given}).place
    assert (place.start, place.total) == expected


def test_a_text_is_the_first_option_whatever_is_in_it(cascade):
    found = cascade.parse_conditions({"loudness": "hum, 2.wav"}).loudness
    assert (found.file, found.gain) == ("hum, 2.wav", 1.0)
    assert cascade.parse_conditions({"loudness": ["hum.wav", 2]}).loudness.gain == 2
    nothing = cascade.parse_conditions({"loudness": None})
    assert (nothing.loudness, nothing.place) == (None, None)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"loudnes": "a.wav"},
            "condition=loudnes: this system has no such condition; did you mean 'loudness'?",
        ),
        (
            {"key": "A"},
            "condition=key: this system has no such condition; there are 'place' and 'loudness'",
        ),
        ({"place": -1}, "condition=place: start: must be at least 0 (got -1)"),
        ({"place": "soon"}, "condition=place: start: must be a number (got 'soon')"),
        (
            {"place": "1,2,3"},
            "condition=place: value 3: unknown option; there are 'start' and 'total'",
        ),
        ({"place": {"strat": 1}}, None),
        ({"place": True}, "condition=place: must be a mapping of options (got true)"),
        ({"loudness": {}}, "condition=loudness: file: is missing"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(cascade, given, told):
    with pytest.raises(mk.RequestError) as refused:
        cascade.parse_conditions(given)
    (problem,) = refused.value.problems
    assert isinstance(problem.origin, Argument)
    assert str(problem) == (told or "condition=place: strat: unknown option; did you mean 'start'?")


def test_a_system_without_conditions_says_so(specs):
    cascade = Cascade.build(recipe(specs, {}))
    assert cascade.conditions_type is None
    assert cascade.request_extras(cascade.parse_conditions({}), 400) == {}
    with pytest.raises(mk.RequestError) as refused:
        cascade.parse_conditions({"melody": "a.wav"})
    told = "condition=melody: this system takes no conditions; leave it out"
    assert str(refused.value) == told


def test_what_is_asked_reaches_the_network(cascade, hum):
    values = cascade.parse_conditions({"place": "3,60", "loudness": str(hum)})
    extras = cascade.request_extras(values, 400, clips=2)
    assert {name: tuple(it.shape) for name, it in extras.items()} == {
        "place": (2, 2),
        "loudness": (2, 1, 4),
    }
    heard = []
    cascade.top.conditioners.register_forward_hook(lambda _, given, made: heard.append(made))
    request = mk.GenerationRequest(["drums"] * 2, [0, 1], 400, extras=extras)
    made = cascade.generate_signal(request)
    assert made.shape == (2, 2, 400)
    assert heard[0].tokens.mask.all()
    assert heard[0].context[:, 3].eq(1).all()


def test_what_can_not_be_followed_names_its_condition(cascade, here):
    soundfile.write("quiet.wav", torch.zeros(800).numpy(), 8000)
    values = cascade.parse_conditions({"loudness": "quiet.wav"})
    with pytest.raises(mk.RequestError, match=r"^condition=loudness: quiet\.wav: is silent$"):
        cascade.request_extras(values, 400)
    values = cascade.parse_conditions({"loudness": "gone.wav"})
    with pytest.raises(mk.RequestError, match=r"^condition=loudness: gone\.wav: "):
        cascade.request_extras(values, 400)


def test_tags_tell_values_and_files_by_their_content(cascade, hum):
    digest = hashlib.sha256(hum.read_bytes()).hexdigest()[:12]
    values = cascade.parse_conditions({"place": "3,60.5", "loudness": str(hum.absolute())})
    assert condition_tags(values) == {
        "condition.place": "3,60.5",
        "condition.loudness": f"hum.wav {digest},1",
    }
    assert condition_tags(cascade.parse_conditions({})) == {}
    with pytest.raises(mk.RequestError, match=r"condition=loudness: gone\.wav: does not exist"):
        condition_tags(cascade.parse_conditions({"loudness": "gone.wav"}))


class Told(mk.Stage):
    """A lower stage that takes a condition, too."""

    name = "told"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.input_space = input_space
        self.latent_space = mk.SignalSpace(4, 32, 8000)
        self.scale = torch.nn.Parameter(torch.ones(1))

    @property
    def extras_type(self):
        return mk.Conditioners(
            {"place": both()["place"]}, space=self.input_space, text_features=4
        ).extras_type

    def loss(self, signal, prompts, *, noise, condition="training"):
        raise NotImplementedError

    def encode(self, signal):
        raise NotImplementedError

    def decode(self, latents, request):
        raise NotImplementedError


def test_two_stages_can_not_share_a_condition(specs):
    made = recipe(specs, {"place": both()["place"]})
    lower = made.stages["autoencoder"].model_copy(update={"model": Use(Told, Told.Options())})
    made = made.model_copy(update={"stages": {**made.stages, "autoencoder": lower}})
    with pytest.raises(mk.RecipeError, match="'place' is a condition of 'autoencoder', too"):
        Cascade.build(made)
