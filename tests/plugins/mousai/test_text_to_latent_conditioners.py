"""A generator that is told more than the text: tokens and contexts, left out at times."""

import pickle
import re

import pytest
import torch
from small_conditioners import Loudness, Place, both

import mousai_kit.api as mk
from mousai_kit.core.component import Use

PROMPTS = ["egyptian drums", "orbital synth", "metal guitar"]
DIT = {"use": "dit1d", "features": 16, "depth": 1, "heads": 2, "patch": 2, "summary": True}


def unet(specs):
    return specs["generator"]["unet"] | {"context_at_input": True}


@pytest.fixture(params=["unet1d", "dit1d"])
def make(request, build, specs, latents):
    """Return a function that builds a generator with conditioners, or with others."""

    def made(*, seed=0, conditioners=None, **changes):
        told = both(dropout=0.5) if conditioners is None else conditioners
        network = unet(specs) if request.param == "unet1d" else DIT
        if not any(use.component is Loudness for use in told.values()):
            network = {key: it for key, it in network.items() if key != "context_at_input"}
        changes = {"unet": network, "conditioners": told, **changes}
        stage = build(mk.Stage, specs["generator"] | changes, seed=seed, input_space=latents)
        stage.text.fit_statistics(PROMPTS)
        return stage.eval()

    return made


def stir(stage):
    """Return a stage whose every weight says something."""
    with torch.no_grad():
        for number, parameter in enumerate(stage.parameters()):
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
            parameter.add_(0.2 * noise)
    return stage


def signal(frames=7):
    return torch.randn(3, 4, frames, generator=torch.Generator().manual_seed(0))


def extras():
    place = torch.tensor([[0.1, 1.0], [0.5, 2.0], [0.9, 1.5]])
    return {"place": place, "loudness": torch.linspace(0, 1, 12).reshape(3, 1, 4)}


def loss(stage, told=None, *, condition="right", prompts=PROMPTS, latents=None, seeds=(0, 1, 2)):
    latents = signal() if latents is None else latents
    noise = mk.NoiseSource(seeds)
    return stage.loss(latents, prompts, noise=noise, condition=condition, extras=told)


def test_without_conditioners_it_is_as_it_was(make, specs):
    stage = make(conditioners={})
    assert not [name for name in stage.state_dict() if "conditioners" in name]
    assert (stage.extras_type, stage.extras_extractor, stage.extras_key) == (None, None, {})
    assert stage.request_extras(mk.Options(), samples=100) == {}


@pytest.mark.parametrize("told", [None, {}, "untold"])
def test_weights_learned_without_conditioners_do_as_they_did(make, told):
    plain, stage = stir(make(conditioners={})), make(seed=1)
    old = plain.state_dict()
    new = stage.state_dict()
    assert {name: it.shape for name, it in old.items() if isinstance(it, torch.Tensor)} == {
        name: it.shape for name, it in new.items() if name in old and isinstance(it, torch.Tensor)
    }
    stage.load_state_dict({**new, **old})
    if told == "untold":
        told = {name: torch.full_like(data, torch.nan) for name, data in extras().items()}
    for condition in ("right", "other", "none"):
        with torch.no_grad():
            expected = loss(plain, condition=condition)
            torch.testing.assert_close(loss(stage, told, condition=condition), expected)
    with torch.no_grad():  # a context that is told says nothing yet
        told = {"loudness": extras()["loudness"]}
        torch.testing.assert_close(loss(stage, told), loss(plain))


@pytest.mark.parametrize("name", ["place", "loudness"])
def test_each_is_heard_and_left_out_where_it_is_not_told(make, name):
    stage, told = stir(make()), extras()
    with torch.no_grad():
        all_of_it = loss(stage, told)
        other = loss(stage, {**told, name: told[name].roll(1, 0)})
        without = loss(stage, {key: it for key, it in told.items() if key != name})
        untold = told[name].clone()
        untold[1] = torch.nan
        one_without = loss(stage, {**told, name: untold})
    assert (all_of_it != other).all()
    assert (all_of_it != without).all()
    torch.testing.assert_close(one_without[[0, 2]], all_of_it[[0, 2]])
    torch.testing.assert_close(one_without[1], without[1])


@pytest.mark.parametrize("condition", ["training", "right"])
def test_a_clips_loss_does_not_depend_on_the_others(make, condition):
    stage, told = stir(make()), extras()
    with torch.no_grad():
        together = loss(stage, told, condition=condition)
        for place, expected in enumerate(together):
            alone = loss(
                stage,
                {name: it[place : place + 1] for name, it in told.items()},
                condition=condition,
                prompts=PROMPTS[place : place + 1],
                latents=signal()[place : place + 1],
                seeds=[place],
            )
            torch.testing.assert_close(alone[0], expected)


def test_training_leaves_each_out_as_often_as_it_says():
    count = 4000
    space = mk.SignalSpace(4, 32, 8000)
    told = {"place": torch.ones(count, 2), "loudness": torch.ones(count, 1, 4)}
    choices = {
        "place": Use(Place, Place.Options(dropout=0.1)),
        "loudness": Use(Loudness, Loudness.Options(dropout=0.4)),
    }
    conditioners = mk.Conditioners(choices, space=space, text_features=8)
    dropped = torch.arange(count) % 2 == 0
    kept = conditioners.drop(told, dropped, mk.NoiseSource(range(count)))
    place, loudness = (kept[name].flatten(1).isnan().any(1) for name in ("place", "loudness"))
    assert place[~dropped].double().mean() == pytest.approx(0.1, abs=0.03)
    assert loudness[~dropped].double().mean() == pytest.approx(0.4, abs=0.03)
    assert (place & loudness)[~dropped].double().mean() == pytest.approx(0.04, abs=0.02)
    assert (place & loudness)[dropped].double().mean() == pytest.approx(0.52, abs=0.03)
    assert kept["place"][~place].eq(1).all()
    assert told["place"].eq(1).all()


def test_every_parameter_learns_told_or_not(make):
    stage = stir(make())
    (loss(stage, extras()).mean() + loss(stage, condition="none").mean()).backward()
    idle = [name for name, it in stage.named_parameters() if it.requires_grad and not it.grad.any()]
    assert idle == []
    stage.zero_grad()
    loss(stage, {}).mean().backward()
    assert all(it.grad is not None for it in stage.conditioners.parameters())


def request(**more):
    return mk.GenerationRequest(PROMPTS[:2], (0, 1), 200, **more)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_what_is_made_follows_it_alone_and_in_a_batch(make, guidance):
    stage, told = stir(make()), {name: it[:2] for name, it in extras().items()}
    with torch.no_grad():
        plain = stage.decode(None, request(guidance=guidance))
        made = stage.decode(None, request(guidance=guidance, extras=told))
        half = {name: it.clone() for name, it in told.items()}
        for data in half.values():
            data[1] = torch.nan
        mixed = stage.decode(None, request(guidance=guidance, extras=half))
    assert made.shape == plain.shape == (2, 4, 7)
    assert not torch.allclose(made, plain, atol=1e-3)
    torch.testing.assert_close(mixed[0], made[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(mixed[1], plain[1], rtol=1e-3, atol=1e-4)


def test_guidance_leads_away_from_what_is_told_nothing(make, monkeypatch):
    stage, seen = stir(make()), []
    bind = stage.unet.bind

    def spy(context=None, text=None, levels=None):
        seen.append((context, text))
        return bind(context, text, levels=levels)

    monkeypatch.setattr(stage.unet, "bind", spy)
    told = {name: it[:2] for name, it in extras().items()}
    with torch.no_grad():
        stage.decode(None, request(guidance=2.0, extras=told))
    ((context, text),) = seen
    assert text.mask[:2, -2:].all()
    assert not text.mask[2:, -2:].any()
    assert context[:2, 3].eq(1).all()
    assert context[2:, 3].eq(0).all()
    assert context.shape == (4, 4, 8)


def test_its_extras_are_told_by_a_clip_and_by_what_is_asked(make, tmp_path):
    import soundfile

    stage = make()
    extract = pickle.loads(pickle.dumps(stage.extras_extractor))
    wave = torch.linspace(-0.5, 0.5, 400).expand(2, -1).clone()
    found = extract(mk.Clip(wave, "", start=50.0, track_seconds=100.0))
    assert {name: tuple(it.shape) for name, it in found.items()} == {
        "place": (2,),
        "loudness": (1, 4),
    }
    assert list(extract(mk.Clip(wave, ""))) == ["loudness"]
    soundfile.write(tmp_path / "hum.wav", wave[:1].T.numpy(), 8000, subtype="FLOAT")
    values = stage.extras_type.model_validate(
        {"place": {"start": 50.0, "total": 100.0}, "loudness": {"file": str(tmp_path / "hum.wav")}}
    )
    asked = stage.request_extras(values, samples=400)
    for name, data in asked.items():
        torch.testing.assert_close(data, found[name])
    assert stage.request_extras(stage.extras_type(), samples=400) == {}


def test_what_makes_data_draws_nothing_and_shares_no_weight(make):
    stage = make()
    before = torch.get_rng_state()
    extract = stage.extras_extractor
    assert torch.equal(torch.get_rng_state(), before)
    assert extract is stage.extras_extractor
    own = {it.data_ptr() for it in stage.parameters()}
    assert not own & {it.data_ptr() for part in extract.parts.values() for it in part.parameters()}


def test_how_often_it_is_left_out_is_no_part_of_what_its_data_are():
    space = mk.SignalSpace(4, 32, 8000)

    def key(**options):
        return mk.Conditioners(both(**options), space=space, text_features=8).key

    assert key(dropout=0.1) == key(dropout=0.9)
    assert key()["loudness"] == {"use": "small-loudness", "frames": 4}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Melody", "must be named with lower-case letters, digits and '_' (got 'Melody')"),
        ("copy", "'copy' can't be a name here; choose another"),
        ("items", "'items' can't be a name here; choose another"),
    ],
)
def test_a_name_that_none_can_have_is_refused(name, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        mk.Conditioners.check_names([name])


def test_a_network_that_takes_no_context_says_so(build, specs, latents):
    changes = {"conditioners": {"loudness": both()["loudness"]}}
    with pytest.raises(mk.RecipeError, match="context_at_input"):
        build(mk.Stage, specs["generator"] | changes, input_space=latents)


class Odd(Place):
    """Neither tokens nor a context."""

    name = "odd"

    def __init__(self, options, **build):
        super().__init__(options, **build)
        self.tokens = 0


def test_one_with_neither_tokens_nor_a_context_is_refused(build, specs, latents):
    changes = {"conditioners": {"odd": Use(Odd, Odd.Options())}}
    with pytest.raises(mk.MousaiError, match="must have tokens or a context, one of them"):
        build(mk.Stage, specs["generator"] | changes, input_space=latents)
