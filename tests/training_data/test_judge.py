"""The judge of generated music, on three made-up styles: noise, tones and clicks."""

import json
import math
import subprocess
import sys
from pathlib import Path

import nano
import numpy as np
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit import audio

FOLDER = Path(__file__).resolve().parents[2] / "training_data"
RATE = 48_000
STYLES = ("Soft Noise", "Tones", "Clicks")


def judge(*words):
    return subprocess.run(
        [sys.executable, FOLDER / "judge.py", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def sound(style, seed, seconds=21.0):
    """Return music of a style [2, t]: no two seeds the same."""
    chance = torch.Generator().manual_seed(seed)
    length = int(seconds * RATE)
    hiss = torch.randn(length, generator=chance)
    if style == "Soft Noise":
        wave = torch.nn.functional.avg_pool1d(hiss[None], 5, 1, 2)[0]
    elif style == "Tones":
        notes = 110 * 2 ** (torch.randint(0, 36, (int(seconds * 2) + 1,), generator=chance) / 12)
        phase = (notes.repeat_interleave(RATE // 2)[:length] / RATE).cumsum(0) * 2 * math.pi
        wave = phase.sin() + (2 * phase).sin() / 2 + 0.001 * hiss
    else:
        places = torch.rand(int(seconds * 5), generator=chance).mul(length).long()
        wave = 0.001 * hiss
        wave[places] += 1 + torch.rand(len(places), generator=chance)
        decay = (-torch.arange(512) / 60).exp()
        wave = torch.nn.functional.conv1d(wave[None, None], decay.flip(0)[None, None], padding=256)
        wave = wave[0, 0, :length]
    level = 0.05 + 0.3 * torch.rand(1, generator=chance)
    return (level * wave / wave.abs().max()).repeat(2, 1)


def add_track(folder, style, name, wave):
    folder.mkdir(parents=True, exist_ok=True)
    audio.write(folder / f"{name}.flac", wave, sample_rate=RATE, tags={})
    (folder / f"{name}.json").write_text(json.dumps({"genre": style}))


def add_clip(folder, name, wave, prompt=None):
    folder.mkdir(parents=True, exist_ok=True)
    tags = {"prompt": prompt} if prompt else {}
    audio.write(folder / f"{name}.flac", wave, sample_rate=RATE, tags=tags)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Five tracks of each style, one held out; a track of clicks is called tones."""
    folder = tmp_path_factory.mktemp("library")
    for number, style in enumerate(STYLES):
        for track in range(5):
            split = "held_out" if track == 4 else "train"
            place = folder / split / style.lower().replace(" ", "-")
            add_track(place, style, f"{style} {track}", sound(style, 10 * number + track))
    add_track(folder / "train" / "tones", "Tones", "Wrong", sound("Clicks", 77))
    add_track(folder / "train" / "rare", "Rare", "Only One", sound("Tones", 78))
    return folder


@pytest.fixture(scope="module")
def fitted(library, tmp_path_factory):
    model = tmp_path_factory.mktemp("judge") / "judge.npz"
    return model, judge("fit", library, "--out", model, "--choose", 2)


class TestFit:
    def test_tells_every_crop_of_tracks_never_seen(self, fitted):
        _, said = fitted
        assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
        assert "held out: 6 of 6 crops right, 3 of 3 tracks; mean of the styles 100%" in said.stdout
        assert "held out: 4 of 4 crops right, 2 of 2 tracks; mean of the styles 100%" in said.stdout

    def test_notices_a_planted_wrong_label(self, fitted):
        _, said = fitted
        doubtful = [line for line in said.stdout.splitlines() if line.startswith("doubtful")]
        assert doubtful == ["doubtful: Wrong is called Tones; other tracks say Clicks"]

    def test_leaves_out_a_style_of_too_few_tracks_and_says_so(self, fitted):
        assert "Rare: left out, has 1 tracks to learn from" in fitted[1].stdout

    def test_a_style_that_a_wrong_label_spoils_is_not_among_the_chosen(self, fitted):
        with np.load(fitted[0]) as kept:
            assert kept["chosen"].tolist() == ["Clicks", "Soft Noise"]

    def test_features_are_kept_until_a_file_changes(self, library, fitted, tmp_path):
        model, first = fitted
        kept = {it: it.stat().st_mtime_ns for it in model.with_suffix(".features").iterdir()}
        again = judge("fit", library, "--out", model, "--choose", 2)
        assert again.stdout == first.stdout
        assert {it: it.stat().st_mtime_ns for it in kept} == kept


class TestSort:
    @pytest.fixture
    def clips(self, tmp_path):
        for number, style in enumerate(STYLES):
            add_clip(tmp_path / "clips", f"{number}", sound(style, 500 + number, 10), style)
        return tmp_path / "clips"

    def test_counts_a_clip_of_another_style_than_its_prompt_as_wrong(self, fitted, clips):
        add_clip(clips, "planted", sound("Soft Noise", 600, 10), "some quiet tones, 1")
        add_clip(clips, "polka", sound("Soft Noise", 600, 4), "a polka")
        said = judge("sort", fitted[0], clips)
        assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
        assert "polka.flac: left out, its prompt names no style that the judge knows" in said.stdout
        assert "3 of 4 clips told right, 75% (30% to 95%, 95 %)" in said.stdout
        result = json.loads((clips / "judged.json").read_text())
        assert (result["asked"]["right"], result["all"]["right"]) == ([3, 4], [3, 4])
        wrong = [it for it in result["clips"] if it["asked"] != it["heard"]]
        assert [(it["clip"], it["asked"], it["heard"]) for it in wrong] == [
            ("planted.flac", "Tones", "Soft Noise")
        ]

    def test_the_name_of_a_file_without_tags_is_its_prompt(self, fitted, tmp_path):
        add_clip(tmp_path / "clips", "soft-noise-3", sound("Soft Noise", 700, 10))
        said = judge("sort", fitted[0], tmp_path / "clips", "--out", tmp_path / "told.json")
        assert "1 of 1 clips told right" in said.stdout
        (clip,) = json.loads((tmp_path / "told.json").read_text())["clips"]
        assert (clip["asked"], clip["heard"]) == ("Soft Noise", "Soft Noise")

    def test_level_does_not_matter(self, fitted, clips, tmp_path):
        for path in sorted(clips.glob("*.flac")):
            wave = mk.read(path, sample_rate=RATE, channels=2) * 0.03
            add_clip(tmp_path / "quiet", path.stem, wave, mk.read_tags(path)["prompt"])
        assert "3 of 3 clips told right" in judge("sort", fitted[0], tmp_path / "quiet").stdout


class TestNovelty:
    def test_a_copy_is_told_from_another_piece_of_the_same_style(self, library, fitted, tmp_path):
        cache = fitted[0].with_suffix(".features")
        copied = sound("Tones", 10)[:, int(5.3 * RATE) : int(15.3 * RATE)]
        add_clip(tmp_path / "clips", "copy", 0.3 * copied, "Tones")
        add_clip(tmp_path / "clips", "new", sound("Tones", 800, 10), "Tones")
        said = judge("novelty", library, tmp_path / "clips", "--cache", cache)
        assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
        copy, new = json.loads((tmp_path / "clips" / "novelty.json").read_text())["clips"]
        assert (copy["copy"] > 0.9, copy["copy_of"]) == (True, "Tones 0")
        assert new["copy"] < 0.6
        assert copy["distance"] < new["distance"]


class TestReconstruct:
    def test_tells_own_latents_from_another_styles(self, library, trained_once, tmp_path):
        out, clips = tmp_path / "told.json", tmp_path / "back"
        run = trained_once
        said = judge("reconstruct", run, library, "--out", out, "--clips", clips)
        assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
        result = json.loads(out.read_text())
        assert sorted(result["styles"]) == sorted(STYLES)
        assert set(result["mean"]["own"]) == {"log-mel dB", "lines", "pitch", "attacks"}
        assert result["mean"]["own"] != result["mean"]["other"]
        prompts = {path.stem: mk.read_tags(path)["prompt"] for path in clips.glob("*.flac")}
        assert prompts == {f"{style} 4": style for style in STYLES}


class TestMelody:
    def test_compares_clips_with_the_melody_they_were_given(self, library, here):
        Path("nano.yaml").write_text(nano.TOLD)
        mk.train(mk.load_recipe("nano.yaml"), "runs/told")
        said = judge("melody", "runs/told", library, "--clips", "clips", "--seconds", "0.5")
        assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
        result = json.loads(Path("clips/melody.json").read_text())
        assert [row["track"] for row in result["tracks"]] == ["Clicks 4", "Tones 4"]
        assert "has no note that stands out" in result["left_out"]["Soft Noise 4"]
        assert len(result["each hum"]) == 5
        assert set(result["mean"]) == {"asked", "another's", "without"}
        heard, free = (
            audio.read(Path("clips", way, "Tones 4.flac"), sample_rate=nano.RATE, channels=1)
            for way in ("with", "without")
        )
        assert not torch.equal(heard, free)
        prompts = {path.stem: mk.read_tags(path)["prompt"] for path in Path("clips/with").iterdir()}
        assert prompts == {"Clicks 4": "Clicks", "Tones 4": "Tones"}

    def test_a_system_that_hears_no_melody_is_told(self, library, trained_once):
        said = judge("melody", trained_once, library, "--clips", "clips")
        assert said.returncode == 2
        assert said.stderr.splitlines()[-1].endswith(
            "this system takes no conditions; leave it out"
        )


class TestFaults:
    """Every message, whole."""

    def told(self, *words):
        said = judge(*words)
        assert (said.returncode, said.stdout) == (2, "")
        return said.stderr.splitlines()[-1]  # what came before tells how far the work was

    def test_library(self, tmp_path):
        out = tmp_path / "out.npz"
        train = tmp_path / "train"
        assert self.told("fit", tmp_path, "--out", out) == (
            f"{train}: is no folder; a library has train/STYLE and held_out/STYLE"
        )
        train.mkdir()
        assert self.told("fit", tmp_path, "--out", out) == (
            f"{train}: holds no audio (.wav, .flac, .ogg, .opus)"
        )
        add_clip(train, "one", sound("Tones", 1, 4))
        assert self.told("fit", tmp_path, "--out", out) == (
            f"{train}/one.json: is missing; it says the genre of the track"
        )
        (train / "one.json").write_text("[]")
        assert self.told("fit", tmp_path, "--out", out) == (
            f'{train}/one.json: says no genre; it needs "genre": "..."'
        )

    def test_too_few_styles(self, tmp_path):
        for split in ("train", "held_out"):
            add_track(tmp_path / split, "Tones", "One", sound("Tones", 1, 4))
        assert self.told("fit", tmp_path, "--out", tmp_path / "out.npz") == (
            "a judge tells two styles or more apart, with 3 tracks each (got Tones: 1)"
        )

    def test_a_style_to_be_without(self, library, fitted, tmp_path):
        said = self.told("fit", library, "--out", tmp_path / "out.npz", "--without", "Polka")
        assert said == "--without: there is no style Polka; there are Clicks, Soft Noise, Tones"

    def test_judge(self, tmp_path):
        model = tmp_path / "judge.npz"
        assert self.told("sort", model, tmp_path) == (
            f"{model}: does not exist; `judge.py fit LIBRARY --out` makes it"
        )
        model.write_text("nothing")
        assert self.told("sort", model, tmp_path) == (
            f"{model}: is no judge; `judge.py fit LIBRARY --out` makes one"
        )

    def test_judge_of_other_features(self, fitted, tmp_path):
        with np.load(fitted[0]) as kept:
            np.savez(tmp_path / "old.npz", **{**kept, "version": 0})
        assert self.told("sort", tmp_path / "old.npz", tmp_path) == (
            f"{tmp_path}/old.npz: is of other features than today's; fit it anew"
        )

    def test_clips(self, fitted, tmp_path):
        model, clips = fitted[0], tmp_path / "clips"
        nothing = f"{clips}: holds no clips; `mousai-kit generate` makes them"
        assert self.told("sort", model, clips) == nothing
        add_clip(clips, "tones-1", sound("Tones", 1, 2))
        assert self.told("sort", model, clips) == (
            f"{clips}/tones-1.flac: is silent, or lasts less than 3 seconds"
        )

    def test_prompts(self, fitted, tmp_path):
        add_clip(tmp_path, "other", sound("Tones", 1, 4), "a polka")
        assert self.told("sort", fitted[0], tmp_path) == (
            f"{tmp_path}: no clip's prompt names a style that the judge knows: "
            "Clicks, Soft Noise, Tones"
        )

    def test_clips_that_are_compared(self, library, tmp_path):
        assert self.told("novelty", library, tmp_path / "clips") == (
            f"{tmp_path}/clips: holds no clips; `mousai-kit generate` makes them"
        )

    def test_a_run_that_is_not_there(self, library, tmp_path):
        assert self.told("reconstruct", tmp_path / "run", library) == (
            f"{tmp_path}/run: there is no such run folder and no such recipe; "
            "`mousai-kit run RECIPE` makes a run folder"
        )
