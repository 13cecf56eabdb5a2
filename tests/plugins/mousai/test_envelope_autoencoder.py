"""The autoencoder of log power: pitch before the first step, sides, windows, its place in a run.

Legend: b batch, c channels, t time in samples.
"""

from functools import cache
from math import pi
from random import Random

import nano
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.recipe import stage_hash
from mousai_kit.testing.signals import loudness, white
from mousai_kit.training.run import train_run
from mousai_kit_mousai.envelope_player import Halves, sharpen, surroundings

RATE = 16_000
LENGTH = 2 * RATE
BANDS = {"low": 2048, "high": 256, "bands": 16, "stereo_bands": 8}
STEREO = mk.SignalSpace(channels=2, stride=1, sample_rate=RATE)
STAGE = {
    "use": "envelope-autoencoder",
    **BANDS,
    "channels": 32,
    "encoder": {"use": "band-split", **BANDS, "hop": 512, "channels": 32, "latent_channels": 48},
}
METRICS = ["log-mel-distance", "pitch", "attacks"]
RECIPE = nano.RECIPE.replace(
    nano.RECIPE[nano.RECIPE.index("      use: diffusion-auto") : nano.RECIPE.index("    train:")],
    """\
      use: envelope-autoencoder
      low: 512
      high: 128
      channels: 16
      low_rounds: 2
      high_rounds: 1
      encoder: {use: band-split, low: 512, high: 128, hop: 128, channels: 16, latent_channels: 8}
""",
)


def music(seed, channels=2):
    """Return two seconds [c, t] of plucked chords, a quarter of a second each, and of a drum."""
    random, clip = Random(seed), torch.zeros(channels, LENGTH)
    beat = RATE // 4
    moments = torch.arange(beat) / RATE
    for start in range(0, LENGTH, beat):
        chord = torch.zeros(beat)
        for _ in range(3):
            hertz = 440 * 2 ** (random.randint(-24, 12) / 12)
            for harmonic in range(1, 5):
                chord += (2 * pi * harmonic * hertz * moments + random.random()).sin() / harmonic
        drum = white(beat, seed=random.getrandbits(30)) * (-moments * 80).exp()
        clip[:, start : start + beat] = 0.05 * (-moments * 6).exp() * chord + 0.1 * drum
    return clip


def build(space=STEREO, **changes):
    torch.manual_seed(0)
    return mk.build(mk.Stage, {**STAGE, **changes}, input_space=space).eval()


@cache
def prepared(channels=2):
    """Return a stage that has seen 48 s of music and took no step."""
    stage = build(mk.SignalSpace(channels, 1, RATE))
    stage.fit_statistics((music(seed, channels)[None] for seed in range(24)), [])
    return stage


@torch.no_grad()
def heard(stage, wave, **asked):
    """Return audio [b, c, t] through the latents and back."""
    request = {"prompts": [""] * len(wave), "seeds": list(range(len(wave)))}
    request |= {"samples": wave.shape[-1], **asked}
    return stage.decode(stage.encode(wave), mk.GenerationRequest(**request))


def scores(ours, theirs):
    metrics = [mk.build(mk.Metric, {"use": name}, sample_rate=RATE) for name in METRICS]
    return [metric.score(ours, theirs) for metric in metrics]


def with_emphasis(emphasis):
    """Return a stage prepared with an emphasis, and the deviations of its latents [c]."""
    stage = build(emphasis=emphasis)
    stage.fit_statistics((music(seed)[None] for seed in range(8)), [])
    return stage, stage.encode(UNHEARD).transpose(0, 1).flatten(1).std(1)


UNHEARD = torch.stack([music(seed) for seed in range(100, 103)])


@torch.no_grad()
def test_channels_that_more_of_the_sound_hangs_on_deviate_more():
    (_, alike), (_, half), (_, wide) = (with_emphasis(emphasis) for emphasis in (0.0, 0.5, 1.0))
    assert alike.max() < 3 * alike.min()
    for deviations, least in ((half, 2), (wide, 6)):
        leading, last = deviations[:4].mean(), deviations[-8:].mean()
        assert leading > least * last
        assert deviations.max() <= 1


@torch.no_grad()
def test_emphasis_does_not_change_what_is_heard():
    (even, _), (wide, _) = (with_emphasis(emphasis) for emphasis in (0.0, 1.0))
    torch.testing.assert_close(heard(wide, UNHEARD), heard(even, UNHEARD), rtol=0, atol=1e-3)


def test_pitch_and_attacks_of_unheard_music_are_there_before_the_first_step():
    distance, pitch, attacks = scores(heard(prepared(), UNHEARD), UNHEARD)
    assert distance < 5
    assert pitch > 0.85
    assert attacks > 0.8


def test_fresh_weights_with_all_that_was_measured_know_neither():
    """What `fit_statistics` finds is more than means and deviations."""
    fresh = build()
    fresh.load_state_dict({**fresh.state_dict(), **dict(prepared().named_buffers())}, strict=False)
    distance, pitch, _ = scores(heard(fresh, UNHEARD), UNHEARD)
    ready_distance, ready_pitch, _ = scores(heard(prepared(), UNHEARD), UNHEARD)
    assert distance > 2 * ready_distance
    assert pitch < ready_pitch - 0.3


def test_the_loss_begins_lower_than_that_of_an_answer_that_is_always_the_mean():
    stage = prepared()
    losses = {
        condition: stage.loss(
            UNHEARD, [""] * 3, noise=mk.NoiseSource(range(3)), condition=condition
        )
        for condition in ("right", "other", "none")
    }
    assert (losses["right"] < losses["none"] / 1.5).all()
    assert (losses["right"] < losses["other"] / 2).all()


@pytest.mark.parametrize(("left", "right"), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.3)])
def test_a_panned_sound_comes_back_on_its_side(left, right):
    stage = build()
    sides = torch.tensor([left, right])[:, None]
    panned = [(music(seed) * (sides if seed % 2 else sides.flip(0)))[None] for seed in range(24)]
    stage.fit_statistics(panned, [])
    made = heard(stage, UNHEARD * sides)
    shares = [loudness(made[:, channel]) / loudness(made) for channel in (0, 1)]
    norm = ((left**2 + right**2) / 2) ** 0.5
    assert shares == pytest.approx([left / norm, right / norm], abs=0.2)


def test_mono_in_two_channels_stays_mono():
    made = heard(prepared(), UNHEARD)
    side, mid = loudness(made[:, 0] - made[:, 1]), loudness(made[:, 0] + made[:, 1])
    assert side < 0.05 * mid


def test_channels_that_differ_come_back_wide():
    stage, wide = (
        build(),
        [torch.stack([music(2 * it)[0], music(2 * it + 1)[1]]) for it in range(13)],
    )
    stage.fit_statistics((wave[None] for wave in wide[:12]), [])
    made = heard(stage, wide[12][None])
    side, mid = loudness(made[:, 0] - made[:, 1]), loudness(made[:, 0] + made[:, 1])
    assert 0.5 < side / mid < 1.5


def test_one_channel_is_played_in_one():
    wave = UNHEARD[:, :1]
    made = heard(prepared(1), wave)
    assert made.shape == wave.shape
    assert scores(made, wave)[0] < 5


def test_it_plays_as_loud_as_it_heard():
    made = heard(prepared(), UNHEARD)
    assert loudness(made) / loudness(UNHEARD) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("window", [RATE // 2, RATE])
def test_windows_make_what_the_whole_makes_without_a_seam(window):
    """Phases are others, which is not heard; where they did not go on, a seam would be quiet."""
    whole, windowed = heard(prepared(), UNHEARD), heard(prepared(), UNHEARD, window=window)
    assert windowed.shape == whole.shape
    assert scores(windowed, whole)[0] < 2.5
    assert scores(windowed, UNHEARD)[0] < scores(whole, UNHEARD)[0] + 0.5


def test_a_held_tone_goes_on_through_windows_without_a_beat():
    moments = torch.arange(LENGTH) / RATE
    tones = [(0.3 * (2 * pi * hertz * moments).sin()).expand(1, 2, -1) for hertz in (330.0, 440.0)]
    stage = build()
    stage.fit_statistics([wave.clone() for wave in tones], [])
    made = heard(stage, tones[1], window=RATE // 4)[0, 0]
    power = made.unfold(0, 800, 400).square().mean(1).sqrt()[4:-4]
    assert power.min() > 0.6 * power.median()


def test_after_silence_that_is_known_music_begins_all_the_same():
    player = prepared().player
    features = player.spectrum(UNHEARD)
    noise = white(len(features), features.shape[-1] * player.spectrum.hop, seed=3)
    free = player.halves(features, noise, known=None, tick=lambda: None)
    silence = Halves(torch.zeros_like(free.low)[:, :4096], torch.zeros_like(free.high)[:, :4096])
    made = player.halves(features, noise, known=silence, tick=lambda: None)
    assert loudness(made.low[:, 8192:]) == pytest.approx(loudness(free.low[:, 8192:]), rel=0.2)


def test_the_same_music_sounds_alike_wherever_it_begins_in_a_window():
    once, later = (heard(prepared(), UNHEARD[..., lead:])[..., 512 - lead :] for lead in (0, 512))
    assert scores(once, later)[0] < 3


def test_windows_that_are_counted_together_are_reported_together():
    stage = prepared()
    latents = stage.encode(UNHEARD)
    for together in (1, 3, 100):
        reports = []
        asked = mk.GenerationRequest(
            [""] * 3,
            [0, 1, 2],
            LENGTH,
            window=RATE // 4,
            together=together,
            progress=lambda: reports.append(1),  # noqa: B023 - called before the next round
        )
        stage.decode(latents, asked)
        windows = -(-stage.windows(asked) // together)
        assert len(reports) == windows * stage.nfe


@pytest.mark.parametrize("rounds", [0, 1])
def test_without_a_round_of_griffin_lim_it_plays_all_the_same(rounds):
    stage = build(low_rounds=rounds, high_rounds=0)
    stage.fit_statistics([music(0)[None]], [])
    assert stage.nfe == rounds
    assert heard(stage, UNHEARD).isfinite().all()


def test_contrast_brings_out_lines_that_a_network_told_too_faintly():
    player, metric = prepared().player, mk.build(mk.Metric, "lines", sample_rate=RATE)
    features = player.spectrum(UNHEARD)
    low = features[:, : player.spectrum.low_bins]
    low.copy_((player.around @ low).lerp(low, 0.5))
    found = {}
    for contrast in (1.0, 1.5):
        player.contrast = contrast
        noise = white(len(features), features.shape[-1] * player.spectrum.hop, seed=3)
        halves = player.halves(features, noise, known=None, tick=lambda: None)
        made = player.play(halves, features)
        there = UNHEARD[..., : made.shape[-1]]
        found[contrast] = metric.score(made, there), loudness(made)
    player.contrast = 1.0
    assert found[1.5][0] > found[1.0][0] + 0.03
    assert found[1.5][1] == pytest.approx(found[1.0][1], rel=0.1)


def test_contrast_leaves_an_even_spectrum_as_it_is():
    even, around = torch.full((1, 40, 3), -2.0), surroundings(40, 11.7)
    assert torch.allclose(sharpen(even, around, 2.0), even)
    line = even.index_fill(1, torch.tensor([20]), 1.0)
    sharp = sharpen(line, around, 2.0)
    assert sharp[0, 20, 0] - sharp[0, 15, 0] > line[0, 20, 0] - line[0, 15, 0] + 0.1
    assert torch.allclose(sharp[0, :10], even[0, :10])


def test_surroundings_are_the_wider_the_higher_a_bin_is():
    wide = (surroundings(427, 11.71875) > 0).sum(1)
    assert wide[40] == 7  # 0.7 of a critical band of 113 Hz, at 480 Hz
    assert wide[340] == 41  # of 684 Hz, at 4 kHz


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_is_played_at_the_sizes_of_the_options_defaults(channels, rate):
    space = mk.SignalSpace(channels, 1, rate)
    stage = mk.build(
        mk.Stage, {"use": "envelope-autoencoder", "channels": 8}, input_space=space
    ).eval()
    wave = 0.1 * white(1, channels, 5000)
    stage.fit_statistics([wave], [])
    made = heard(stage, wave)
    assert made.shape == wave.shape
    assert made.isfinite().all()
    assert loudness(made) == pytest.approx(loudness(wave), rel=0.5)


def test_silence_and_nothing_leave_it_usable():
    for signals in ([], [torch.zeros(1, 2, 4096)]):
        stage = build().train()
        stage.fit_statistics(signals, [])
        loss = stage.loss(0 * UNHEARD, [""] * 3, noise=mk.NoiseSource(range(3)))
        loss.sum().backward()
        assert loss.isfinite().all()
        assert all(it.grad.isfinite().all() for it in stage.parameters() if it.grad is not None)
        assert heard(stage.eval(), UNHEARD).isfinite().all()


def test_silence_stays_silent_once_music_was_heard():
    stage = build()
    stage.fit_statistics(
        [torch.cat([music(seed), torch.zeros(2, LENGTH)], 1)[None] for seed in range(8)], []
    )
    assert loudness(heard(stage, torch.zeros(1, 2, LENGTH))) < 0.02 * loudness(UNHEARD)


def test_lowered_precision_plays_alike():
    with torch.autocast("cpu", torch.bfloat16):
        lowered = heard(prepared(), UNHEARD)
    assert lowered.dtype == torch.float32
    assert scores(lowered, heard(prepared(), UNHEARD))[0] < 3


def test_any_encoder_can_stand_in_it():
    encoder = {"use": "mel", "channels": 16, "multipliers": [1, 1], "factors": [2], "blocks": [1]}
    encoder |= {"mels": 80, "n_fft": 1024, "hop_length": 256, "latent_channels": 32}
    stage = build(encoder=encoder)
    stage.fit_statistics([music(seed)[None] for seed in range(12)], [])
    distance, _, attacks = scores(heard(stage, UNHEARD), UNHEARD)
    assert distance < 9
    assert attacks > 0.5


@pytest.mark.parametrize(
    ("space", "changes", "told"),
    [
        (
            mk.SignalSpace(2, 4, RATE),
            {},
            "envelope-autoencoder encodes audio: it must be the lowest stage",
        ),
        (mk.SignalSpace(6, 1, RATE), {}, "envelope-autoencoder knows mono and stereo (got 6)"),
        (
            mk.SignalSpace(2, 1, RATE),
            {"low": 512},
            (
                "frames of 512 samples need a `low` window of at least twice as many (got 512) and "
                "a quarter of `high` that divides them (got 64)"
            ),
        ),
    ],
)
def test_what_it_can_not_be_is_told(space, changes, told):
    with pytest.raises(mk.PluginError) as refused:
        build(space, **changes)
    assert str(refused.value) == told


def test_other_autoencoders_let_this_encoder_measure(here):
    text = nano.RECIPE.replace(
        nano.RECIPE[nano.RECIPE.index("{use: mel") : nano.RECIPE.index("      unet:")],
        "{use: band-split, low: 512, high: 128, hop: 128, channels: 16, latent_channels: 8}\n",
        1,
    )
    stage = mk.Cascade.build(nano.recipe(text=text)).stages["autoencoder"]
    stage.fit_statistics((0.1 * white(1, 1, 4096, seed=seed) for seed in range(4)), [])
    assert stage.encoder.mean.abs().min() > 0.1


class TestRecipe:
    def test_it_trains_plays_and_goes_on_with_other_rounds(self, here):
        train_run(nano.system(text=RECIPE))
        system = nano.system(
            "stages.autoencoder.model.low_rounds=5",
            "stages.autoencoder.model.high_rounds=0",
            text=RECIPE,
        )
        cascade = system.load().cascade
        assert cascade.stages["autoencoder"].nfe == 5
        made = cascade.generate_signal(mk.GenerationRequest(["low saw chord"], [3], 4000))
        assert made.shape == (1, 1, 4000)
        assert made.isfinite().all()

    def test_rounds_change_no_key_and_all_else_does(self, here):
        def key(*overrides):
            return stage_hash(nano.recipe(*overrides, text=RECIPE), "generator")

        model = "stages.autoencoder.model"
        for same in ("low_rounds=9", "high_rounds=9", "contrast=1.5"):
            assert key(f"{model}.{same}") == key()
        for other in ("crossover=900", "encoder.crossover=900", "blocks=2", "encoder.hop=64"):
            assert key(f"{model}.{other}") != key()

    @pytest.mark.parametrize("words", [["validate"], ["show"], ["plan", "--seconds", "1"]])
    def test_commands_take_it(self, command, words):
        nano.recipe(text=RECIPE)
        said = command(*words, "nano.yaml")
        assert said.code == 0, said.err

    def test_windows_that_do_not_go_together_are_told_where_they_stand(self, command):
        nano.recipe(text=RECIPE)
        said = command("validate", "nano.yaml", "--set", "stages.autoencoder.model.high=1024")
        assert said.code == 2
        assert said.err == (
            "nano.yaml:8: stages.autoencoder.model: frames of 128 samples need a `low` window of "
            "at least twice as many (got 512) and a quarter of `high` that divides them (got 256)\n"
        )
