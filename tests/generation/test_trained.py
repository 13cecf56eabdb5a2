"""A system in Python's hands: the same music as the command's, to hear and to save."""

import base64
import re
from io import BytesIO
from pathlib import Path

import nano
import pytest
import soundfile
import torch

import mousai_kit.api as mk
from mousai_kit import audio


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def cascade(trained):
    return mk.load(trained, quiet=True)


def samples(path):
    return torch.from_numpy(soundfile.read(path, dtype="int32")[0])


def refusal(call, *arguments, **values):
    with pytest.raises(mk.MousaiError) as refused:
        call(*arguments, **values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({}, ()),
        ({"seed": 3, "seconds": 0.3, "guidance": 3}, ("--seed=3", "--seconds=0.3", "--guidance=3")),
        (
            {"steps": 4, "seed": 1, "seconds": 0.2, "guidance": 4},
            ("--steps=4", "--seed=1", "--seconds=0.2", "--guidance=4"),
        ),
    ],
    ids=["the recipe's", "others", "steps"],
)
def test_a_clip_is_sample_for_sample_what_the_command_writes(cascade, command, values, options):
    written = Path(command("generate", cascade.folder, "low saw", *options).out.strip())
    music = cascade.generate("low saw", **values)
    saved = music.save("mine/own.flac")
    assert saved == Path("mine/own.flac")
    assert samples(saved).equal(samples(written))
    assert audio.read_tags(saved) == audio.read_tags(written)


def test_several_prompts_make_as_many_clips_in_order(cascade):
    made = cascade.generate(["low saw", "high pulses"], seconds=0.2, seed=7)
    assert [(it.prompt, it.seed, it.seconds) for it in made] == [
        ("low saw", 7, 0.2),
        ("high pulses", 7, 0.2),
    ]
    assert made[1].audio.equal(cascade.generate("high pulses", seconds=0.2, seed=7).audio)
    assert made[0].audio.shape == (1, 1600)
    assert (made[0].audio.dtype, made[0].sample_rate) == (torch.float32, 8000)


def test_the_same_steps_asked_for_again_load_nothing(cascade, monkeypatch):
    one = cascade.generate("low saw", seconds=0.1, steps=5)
    monkeypatch.setattr("mousai_kit.generation.trained.Run", lambda *_: pytest.fail("loaded again"))
    assert one.audio.equal(cascade.generate("low saw", seconds=0.1, steps=5).audio)


def test_training_is_what_run_does_and_leaves_a_run(here):
    random = torch.manual_seed(123).get_state()
    cascade = mk.train(nano.recipe(), quiet=True)
    assert torch.get_rng_state().equal(random)
    assert repr(cascade) == "Pipeline(nano, runs/nano)"
    again = mk.load("runs/nano", quiet=True)
    one, other = (it.generate("low saw", seconds=0.1).audio for it in (cascade, again))
    assert one.equal(other)
    assert [it.name for it in cascade.stages.values()] == [
        "diffusion-autoencoder",
        "text-to-latent",
    ]


def test_training_and_making_say_nothing_where_quiet_is_asked_for(trained, capfd):
    cascade = mk.train(mk.load_recipe("nano.yaml"), trained, quiet=True)
    cascade.generate("low saw", seconds=0.1)
    assert capfd.readouterr() == ("", "")
    mk.train(mk.load_recipe("nano.yaml"), trained)
    assert "autoencoder: trained already" in capfd.readouterr().err


def test_what_is_not_trained_or_can_not_be_made_is_told(cascade, here):
    Path("empty").mkdir()
    assert refusal(mk.load, "empty") == (
        "empty: is no run folder: it holds no recipe.yaml; `run` makes one"
    )
    assert refusal(mk.load, "nowhere") == (
        "nowhere: there is no such run folder and no such recipe; "
        "`mousai-kit run RECIPE` makes a run folder"
    )
    assert refusal(mk.load, "mousai-tiny").startswith(
        "runs/mousai-tiny/autoencoder/weights.safetensors: is missing: the stage is not trained; "
    )
    assert refusal(cascade.generate, []) == ("there is no prompt; give one or more")
    for batch in (-1, 0, 1.5, "2"):
        assert refusal(cascade.generate, "x", batch=batch) == (
            f"batch: must be a whole number of at least 1 (got {batch!r})"
        )
    assert refusal(mk.train, "nano.yaml") == (
        "mk.train takes a recipe, as mk.load_recipe(...) gives (got 'nano.yaml')"
    )
    assert refusal(cascade.generate, "x", seconds=0) == (
        "seconds: must be a number above 0 (got 0)"
    )
    assert refusal(cascade.generate, "x", steps=0) == (
        "steps=0: stages.autoencoder.model.sampler.steps: must be at least 1 (got 0)\n"
        "steps=0: stages.generator.model.sampler.steps: must be at least 1 (got 0)"
    )


class TestMusic:
    @pytest.fixture
    def music(self):
        wave = 1.5 * torch.sin(torch.arange(12_000) / 9).repeat(2, 1)
        return mk.GeneratedAudio(wave, 8000, "<b>drums</b>\n& bass", 3, {"prompt": "drums"})

    def test_it_tells_what_it_is_in_a_line(self, music):
        assert repr(music) == (
            "GeneratedAudio('<b>drums</b>\\n& bass', seed 3, 1.5 s, 8000 Hz, 2 channels)"
        )
        assert repr(mk.GeneratedAudio(music.audio[:1], 8000, "x", 0, {})).endswith(
            "8000 Hz, 1 channel)"
        )

    def test_a_notebook_shows_the_prompt_and_a_player_that_holds_the_audio(self, music):
        page = music._repr_html_()
        assert "<figcaption>&lt;b&gt;drums&lt;/b&gt;\n&amp; bass (seed 3, 1.5 s)" in page
        data = re.search(r'<audio controls src="data:audio/wav;base64,([^"]*)">', page)[1]
        heard, rate = soundfile.read(BytesIO(base64.b64decode(data)), dtype="float32")
        assert (rate, heard.shape) == (8000, (12_000, 2))
        expected = (music.audio / 1.5).T
        torch.testing.assert_close(torch.from_numpy(heard), expected, atol=1e-4, rtol=0)

    def test_a_player_of_what_is_not_finite_is_silent_there(self):
        broken = mk.GeneratedAudio(
            torch.tensor([[0.5, float("nan"), float("inf")]]), 8000, "x", 0, {}
        )
        assert "data:audio/wav" in broken._repr_html_()

    def test_its_mel_picture_has_the_bands_asked_for(self, music):
        assert music.mel(bands=40).shape[:2] == (2, 40)

    @pytest.mark.parametrize("suffix", ["flac", "wav", "ogg"])
    def test_it_is_saved_by_suffix_with_tags(self, music, here, suffix):
        path = music.save(f"new/folder/drums.{suffix}")
        assert audio.read_tags(path)["prompt"] == "drums"
        assert audio.audio_info(path).frames == 12_000

    def test_a_file_that_is_there_is_not_replaced_unless_forced(self, music, here):
        Path("mine.wav").write_text("precious")
        assert refusal(music.save, "mine.wav") == (
            "mine.wav: is there already; name another file or use force=True"
        )
        assert Path("mine.wav").read_text() == "precious"
        music.save("mine.wav", force=True)
        assert audio.audio_info(Path("mine.wav")).channels == 2

    def test_another_suffix_is_refused_and_makes_no_folder(self, music, here):
        assert refusal(music.save, "new/mine.mp3") == (
            "new/mine.mp3: can't be written as '.mp3'; use one of .flac, .wav, .ogg"
        )
        assert nano.names() == []
