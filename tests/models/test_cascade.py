"""The cascade: stages stacked from the waveform upwards, encoded up and played back down."""

from dataclasses import replace

import pytest
import torch

from mousai_kit.core.errors import RecipeError, RequestError
from mousai_kit.core.interfaces import GenerationRequest, SignalSpace
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.seeds import derive_seed
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe

CAPTIONS = ["drums", "synth"]


@pytest.fixture
def recipe(specs):
    """Return a function that makes a recipe of stages by name."""

    def made(seed=0, **stages):
        values = {
            "version": 1,
            "name": "small",
            "seed": seed,
            "audio": {"sample_rate": 8000, "channels": 2},
            "data": "tones",
            "stages": {name: {"model": model} for name, model in (stages or specs).items()},
        }
        return Recipe.model_validate(values, context={"registry": installed_registry()})

    return made


@pytest.fixture
def cascade(recipe):
    made = Cascade.build(recipe())
    made.stages["generator"].text.fit_statistics(CAPTIONS)
    return made


def weights(cascade):
    return {
        f"{name}.{key}": value
        for name, stage in cascade.stages.items()
        for key, value in stage.state_dict().items()
    }


def music(clips=2, samples=300):
    return 0.3 * torch.randn(clips, 2, samples, generator=torch.Generator().manual_seed(0))


def request(prompts=CAPTIONS, seeds=(0, 1), samples=300, **more):
    return GenerationRequest(prompts, seeds, samples, **more)


def seeds_heard(cascade, order, monkeypatch):
    """Return the seeds that each stage gets to decode with."""
    heard = {}

    def spying(name, decode):
        def spy(latents, part):
            heard[name] = part.seeds
            return decode(latents, part)

        return spy

    for name, way in [("autoencoder", "stream_latents"), ("generator", "decode")]:
        stage = cascade.stages[name]
        monkeypatch.setattr(stage, way, spying(name, getattr(stage, way)))
    cascade.decode(None, order)
    return heard


class TestBuild:
    def test_stages_stand_on_each_other_from_the_waveform_upwards(self, cascade, audio, latents):
        assert list(cascade.stages) == ["autoencoder", "generator"]
        assert cascade.audio == cascade.input_space("autoencoder") == audio
        assert (
            cascade.input_space("generator")
            == cascade.stages["autoencoder"].latent_space
            == latents
        )
        assert cascade.top is cascade.stages["generator"]

    def test_the_same_seed_gives_the_same_weights(self, recipe):
        torch.manual_seed(1)
        first = weights(Cascade.build(recipe(seed=5)))
        torch.manual_seed(2)
        again = weights(Cascade.build(recipe(seed=5)))
        assert first.keys() == again.keys()
        assert all(torch.equal(first[name], again[name]) for name in first)

    def test_another_seed_gives_other_weights(self, recipe):
        name = "generator.null"
        first, other = (weights(Cascade.build(recipe(seed=seed)))[name] for seed in (0, 1))
        assert not torch.equal(first, other)

    def test_a_stages_weights_do_not_depend_on_the_other_stages(self, recipe, specs):
        alone = weights(Cascade.build(recipe(autoencoder=specs["autoencoder"])))
        both = weights(Cascade.build(recipe()))
        assert all(torch.equal(alone[name], both[name]) for name in alone)

    def test_it_is_built_to_be_used_not_trained(self, cascade):
        assert [stage.training for stage in cascade.stages.values()] == [False, False]

    def test_on_the_meta_device_it_has_shapes_only(self, recipe):
        made = Cascade.build(recipe(), device="meta")
        devices = {p.device.type for stage in made.stages.values() for p in stage.parameters()}
        assert devices == {"meta"}
        assert {name: p.shape for name, p in weights(made).items() if "extra" not in name} == {
            name: p.shape
            for name, p in weights(Cascade.build(recipe())).items()
            if "extra" not in name
        }

    def test_nothing_stands_above_a_stage_that_makes_signals_from_text(self, recipe, specs):
        generator = specs["generator"]
        with pytest.raises(RecipeError) as raised:
            Cascade.build(recipe(**specs, second=generator, third=generator))
        assert str(raised.value) == (
            "stages.second: stands above 'generator', which makes signals from text alone; "
            "leave it out"
        )


class TestEncode:
    def test_all_the_way_up_are_the_latents_of_the_lowest_stage(self, cascade):
        expected = cascade.stages["autoencoder"].encode(music())
        assert torch.equal(cascade.encode(music()), expected)
        assert torch.equal(cascade.encode(music(), up_to="generator"), expected)

    def test_the_lowest_stage_learns_the_audio_itself(self, cascade):
        assert torch.equal(cascade.encode(music(), up_to="autoencoder"), music())

    def test_no_gradient_is_kept(self, cascade):
        assert not cascade.encode(music()).requires_grad


class TestDecode:
    @pytest.mark.parametrize("samples", [1, 33, 300])
    def test_any_length_is_made_from_text(self, cascade, samples):
        made = cascade.generate_signal(request(samples=samples, guidance=2.0))
        assert made.shape == (2, 2, samples)
        assert made.isfinite().all()
        assert not made.requires_grad

    @pytest.mark.parametrize("samples", [1, 33, 300])
    def test_any_length_goes_up_and_comes_back(self, cascade, samples):
        latents = cascade.encode(music(samples=samples))
        order = request(["", ""], samples=samples)
        assert cascade.decode(latents, order, top="autoencoder").shape == (2, 2, samples)

    def test_generating_is_one_stage_after_the_other(self, cascade):
        made = cascade.generate_signal(request())
        upper, lower = (
            request(seeds=[derive_seed(seed, name) for seed in (0, 1)])
            for name in ("generator", "autoencoder")
        )
        latents = cascade.stages["generator"].decode(None, upper)
        torch.testing.assert_close(cascade.stages["autoencoder"].decode(latents, lower), made)

    def test_the_same_seed_makes_the_same_clip_alone_and_in_a_batch(self, cascade):
        together = cascade.generate_signal(request(guidance=2.0))
        second = cascade.generate_signal(request(CAPTIONS[1:], [1], guidance=2.0))
        torch.testing.assert_close(together[1:], second, atol=1e-4, rtol=1e-3)
        assert torch.equal(together, cascade.generate_signal(request(guidance=2.0)))

    def test_every_stage_and_clip_has_a_seed_of_its_own(self, cascade, monkeypatch):
        heard = seeds_heard(cascade, request(), monkeypatch)
        assert {name: len(seeds) for name, seeds in heard.items()} == {
            "autoencoder": 2,
            "generator": 2,
        }
        assert len({*heard["autoencoder"], *heard["generator"], 0, 1}) == 6

    def test_a_system_without_text_can_only_reconstruct(self, recipe, specs):
        made = Cascade.build(recipe(autoencoder=specs["autoencoder"]))
        with pytest.raises(RequestError) as raised:
            made.generate_signal(request())
        assert str(raised.value) == (
            "the top stage, diffusion-autoencoder, does not make music from text; "
            "this recipe can only `reconstruct`"
        )
        assert made.decode(made.encode(music()), request()).shape == (2, 2, 300)


class TestWindows:
    @torch.no_grad()
    def test_long_audio_is_encoded_in_windows_that_say_nearly_the_same(self, cascade, monkeypatch):
        wave, stage = music(1, 20_000), cascade.stages["autoencoder"]
        heard, encode = [], stage.encode
        whole = cascade.encode_to(wave, "autoencoder")
        assert torch.equal(whole, encode(wave))
        assert torch.equal(whole, cascade.encode_to(wave, "autoencoder", window=20_000))
        monkeypatch.setattr(stage, "encode", lambda it: heard.append(it.shape[-1]) or encode(it))
        found = cascade.encode_to(wave, "autoencoder", window=5000)
        assert len(heard) == 5
        assert max(heard) <= 5024  # whole latents
        assert found.shape == whole.shape
        assert (found - whole).abs().mean() < 0.05 * whole.abs().mean()

    def test_pieces_are_what_is_made_and_reports_are_foreseen(self, cascade):
        for together in (1, 2, 9):
            calls = []
            order = request(samples=2000, window=500, together=together)
            asked = replace(order, progress=lambda calls=calls: calls.append(1))
            pieces = list(cascade.generate_stream(asked))
            assert len(pieces) == cascade.stages["autoencoder"].windows(order) > 3
            torch.testing.assert_close(
                torch.cat(pieces, -1), cascade.generate_signal(order), atol=1e-4, rtol=1e-3
            )
            assert len(calls) == cascade.reports(order)


class TestWhatItTells:
    def test_evaluations_are_counted_by_stage(self, cascade):
        calls = []
        cascade.generate_signal(request(progress=lambda: calls.append(1)))
        assert cascade.nfe == {"autoencoder": 3, "generator": 3}
        assert len(calls) == 6

    def test_parts_are_named_with_their_parameters(self, cascade):
        rows = [(stage, part, count) for stage, part, _, count in cascade.named_parts()]
        assert [(stage, part) for stage, part, _ in rows] == [
            ("autoencoder", "domain"),
            ("autoencoder", "encoder"),
            ("autoencoder", "unet"),
            ("generator", "text"),
            ("generator", "unet"),
        ]
        null = cascade.stages["generator"].null.numel()
        everything = sum(p.numel() for it in cascade.stages.values() for p in it.parameters())
        assert sum(count for *_, count in rows) + null == everything


def test_audio_of_any_rate_and_channels_is_the_lowest_space(specs):
    values = {
        "version": 1,
        "name": "mono",
        "audio": {"sample_rate": 44100, "channels": 1},
        "data": "tones",
        "stages": {"only": {"model": specs["autoencoder"]}},
    }
    recipe = Recipe.model_validate(values, context={"registry": installed_registry()})
    assert Cascade.build(recipe).input_space("only") == SignalSpace(1, 1, 44100)


class TestPrecision:
    @pytest.fixture
    def heard(self, cascade, monkeypatch):
        """Return a function that plays, and tells in what each stage's linear layers computed."""

        def play():
            found = {name: set() for name in cascade.stages}
            for name, stage in cascade.stages.items():
                for layer in stage.modules():
                    if isinstance(layer, torch.nn.Linear):
                        layer.register_forward_hook(
                            lambda _, __, out, name=name: found[name].add(out.dtype)
                        )
            wave = cascade.decode(None, request())
            assert wave.dtype == torch.float32
            return found

        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
        return play

    def test_each_stage_plays_in_its_own(self, cascade, heard):
        cascade.precision = {"generator": "bf16"}
        found = heard()
        assert torch.bfloat16 in found["generator"]
        assert found["autoencoder"] <= {torch.float32}
        cascade.precision = {}
        assert torch.bfloat16 not in heard()["generator"]

    def test_a_processor_without_such_products_plays_in_float32(self, cascade, heard, monkeypatch):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True}
        )
        cascade.precision = {"generator": "bf16"}
        assert heard()["generator"] == {torch.float32}

    def test_a_recipe_says_it_else_it_is_what_the_stage_learned_in(self, recipe):
        plain = recipe()
        assert Cascade.build(plain, device="meta").precision == {
            "autoencoder": "fp32",
            "generator": "fp32",
        }
        values = plain.to_dict() | {"generate": {"precision": {"autoencoder": "bf16"}}}
        values["stages"]["generator"]["train"]["precision"] = "fp16"
        found = Recipe.model_validate(values, context={"registry": installed_registry()})
        assert found.played_precision == {"autoencoder": "bf16", "generator": "fp16"}
        assert "precision" not in plain.to_dict()["generate"]  # so that hashes stay
