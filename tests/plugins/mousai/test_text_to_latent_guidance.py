"""What guidance leads away from: a null embedding or nothing, with some conditioners or none."""

import pytest
import torch
from pydantic_core import PydanticCustomError
from small_conditioners import Place

import mousai_kit.api as mk
from mousai_kit.core.component import Use

PROMPTS = ["egyptian drums", "orbital synth"]
DIT = {"use": "dit1d", "features": 16, "depth": 1, "heads": 2}
REQUEST = mk.GenerationRequest(PROMPTS, [3, 4], 4096)


class Whole(Place):
    """A place, which is a whole track where nothing is said."""

    name = "whole"

    def from_nothing(self, *, samples):
        return torch.tensor([0.0, samples / 8000])


@pytest.fixture
def make(build, specs, latents):
    """Return a function that builds a generator whose every weight says something."""

    def made(kind=Place, **changes):
        told = {"place": Use(kind, kind.Options())}
        changes = {"unet": DIT, "conditioners": told} | changes
        stage = build(mk.Stage, specs["generator"] | changes, input_space=latents)
        stage.text.fit_statistics(PROMPTS)
        with torch.no_grad():
            for number, (name, parameter) in enumerate(stage.named_parameters()):
                if name != "null":
                    seed = torch.Generator().manual_seed(number)
                    parameter.add_(0.2 * torch.randn(parameter.shape, generator=seed))
        return stage.eval()

    return made


def heard(stage, monkeypatch, **asked):
    """Return the (text, null) that guidance is given for a request, and what is made."""
    given = []

    class Spy(mk.ClassifierFreeGuidance):
        def __init__(self, unet, text, null, **options):
            given.append((text, null))
            super().__init__(unet, text, null, **options)

    monkeypatch.setattr("mousai_kit.models.text_stage.ClassifierFreeGuidance", Spy)
    request = mk.GenerationRequest(PROMPTS, [3, 4], 4096, guidance=3.0, **asked)
    with torch.no_grad():
        stage.decode(None, request)
    return given[0]


PLACES = {"place": torch.tensor([[0.1, 1.0], [0.5, 2.0]])}


def test_a_masked_null_has_no_parameter_and_no_real_token(make, monkeypatch):
    stage = make(without_text="masked")
    assert "null" not in stage.state_dict()
    text, null = heard(stage, monkeypatch)
    assert text.mask.any(1).all()
    assert not null.mask.any()


def test_a_dropped_text_is_one_that_is_masked_whole(make):
    stage = make(without_text="masked", text_dropout=1.0)
    signal = torch.randn(2, 4, 7)
    dropped, none = (
        stage.loss(signal, PROMPTS, noise=mk.NoiseSource([0, 1]), condition=condition)
        for condition in ("training", "none")
    )
    assert dropped.isfinite().all()
    other = stage.loss(signal, PROMPTS[::-1], noise=mk.NoiseSource([0, 1]), condition="none")
    assert torch.equal(none, other)


@pytest.mark.parametrize("always", [[], ["place"]])
def test_a_conditioner_that_is_always_told_is_real_without_a_text(make, monkeypatch, always):
    stage = make(without_text="masked", always_told=always)
    text, null = heard(stage, monkeypatch, extras=PLACES)
    tokens = stage.conditioners.tokens
    assert text.mask[:, -tokens:].all()
    assert null.mask[:, -tokens:].all() == bool(always)
    if always:
        assert torch.equal(text.embedding[:, -tokens:], null.embedding[:, -tokens:])


def test_what_a_conditioner_stands_for_where_nothing_is_said_is_told(make, monkeypatch):
    stage = make(Whole)
    text, _ = heard(stage, monkeypatch)
    same, _ = heard(stage, monkeypatch, extras={"place": torch.tensor([[0.0, 4096 / 8000]] * 2)})
    assert torch.equal(text.embedding, same.embedding)
    assert text.mask.all(1).tolist() == same.mask.all(1).tolist()
    other, _ = heard(stage, monkeypatch, extras=PLACES)
    assert not torch.equal(text.embedding, other.embedding)


def test_one_that_stands_for_nothing_is_left_out(make, monkeypatch):
    text, _ = heard(make(), monkeypatch)
    assert not text.mask[:, -1].any()


def test_a_name_of_no_conditioner_is_refused(make):
    with pytest.raises(PydanticCustomError) as caught:
        make(always_told=["plaice"])
    (error,) = caught.value.context["errors"]
    told = "'plaice' is none of the conditioners; did you mean 'place'?"
    assert error == (("always_told",), told)
