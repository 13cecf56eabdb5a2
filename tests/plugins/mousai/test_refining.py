"""Refining: the diffusion begins from a draft, noised part of the way, and hears no more noise."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit_mousai.refining import DomainWindows

BANDS = {"low": 256, "high": 64, "bands": 6, "stereo_bands": 4, "low_rounds": 2, "high_rounds": 2}
ENCODER = {"use": "band-split", "hop": 64, "channels": 16, "latent_channels": 4}
ENCODER |= {key: BANDS[key] for key in ("low", "high", "bands", "stereo_bands")}
DRAFT = {"use": "envelope-autoencoder", "channels": 16, "encoder": ENCODER, **BANDS}


def music(clips=2, samples=900):
    return 0.3 * torch.randn(clips, 2, samples, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def build_stage(build, specs, audio):
    parts = {key: specs["autoencoder"][key] for key in ("use", "domain", "unet", "sampler")}

    def built(**changes):
        stage = build(mk.Stage, {**parts, "draft": DRAFT, **changes}, input_space=audio)
        stage.draft.fit_statistics([music()], [""])
        stage.fit_statistics([music()], [""])
        return stage

    return built


def request(samples=900, **more):
    return mk.GenerationRequest(["", ""], [0, 1], samples, **more)


def asked(stage, monkeypatch):
    """Return the levels at which the network is asked from now on."""
    levels, bind = [], stage.unet.bind

    def noting(*given, **told):
        velocity = bind(*given, **told)

        def heard(x, sigma):
            levels.extend(sigma.tolist())
            return velocity(x, sigma)

        return heard

    monkeypatch.setattr(stage.unet, "bind", noting)
    return levels


@pytest.mark.parametrize("pieces", [[900, 124], [1] * 24 + [1000], [1024]])
def test_windows_show_what_the_domain_shows_of_all_of_the_audio(build, pieces):
    domain = build(mk.Domain, {"use": "mdct", "hop": 16}, audio_channels=2)
    wave = music(samples=1024)
    shown = DomainWindows(iter(wave.split(pieces, -1)), domain)
    for start, frames in ((0, 20), (0, 20), (17, 20), (30, 1), (40, 24)):
        found = shown.window(start, frames)
        torch.testing.assert_close(found, domain(wave)[..., start : start + frames])


def test_its_latents_are_the_drafts(build_stage):
    stage = build_stage()
    assert stage.latent_space == stage.draft.latent_space
    assert torch.equal(stage.encode(music()), stage.draft.encode(music()))
    assert not any(name.startswith("encoder.") for name in stage.state_dict())


def test_preparing_and_training_leave_the_draft_as_it_learned(build_stage):
    stage = build_stage()
    before = {name: it.clone() for name, it in stage.draft.state_dict().items()}
    stage.fit_statistics([2 * music()], [""])
    stage.train()
    assert not stage.draft.training
    stage.loss(music(), ["", ""], noise=mk.NoiseSource([0, 1])).sum().backward()
    after = stage.draft.state_dict()
    assert all(after[name].equal(before[name]) for name in before)
    assert [name for name, it in stage.draft.named_parameters() if it.grad is not None] == []


def test_it_learns_no_more_noise_than_it_is_told_to(build_stage, monkeypatch):
    stage = build_stage(levels=0.5)
    heard = asked(stage, monkeypatch)
    for seed in range(50):
        stage.loss(music(), ["", ""], noise=mk.NoiseSource([seed, seed + 50]))
    assert max(heard) < 0.5
    assert max(heard) > 0.45


@torch.no_grad()
def test_it_begins_from_the_level_it_is_told_to(build_stage, monkeypatch):
    stage = build_stage(start=0.25)
    heard = asked(stage, monkeypatch)
    stage.decode(stage.encode(music()), request())
    expected = (0.25 * stage.sampler.levels()[:-1]).repeat_interleave(2)
    torch.testing.assert_close(torch.tensor(heard), expected.float())


@torch.no_grad()
def test_the_lower_the_start_the_more_of_the_draft_stays(build_stage):
    distances = []
    for start in (0.001, 0.1, 1.0):
        stage = build_stage(start=start)
        latents = stage.encode(music())
        draft = stage.draft.decode(latents, request())
        distances.append((stage.decode(latents, request()) - draft).abs().mean().item())
    assert distances == sorted(distances)
    assert distances[0] < 1e-2 * distances[2]


@torch.no_grad()
def test_without_refining_the_draft_is_heard_as_it_is(build_stage):
    stage = build_stage(refine=False)
    latents, ticks = stage.encode(music()), []
    wanted = request(window=400, progress=lambda: ticks.append(1))
    assert torch.equal(
        stage.decode(latents, wanted), stage.draft.decode(latents, request(window=400))
    )
    assert len(ticks) == stage.nfe * stage.windows(wanted)


def test_a_stage_without_a_draft_refines_nothing(build, specs, audio):
    stage = build(mk.Stage, specs["autoencoder"], input_space=audio)
    assert (stage.first, stage.refines) == ({}, None)
