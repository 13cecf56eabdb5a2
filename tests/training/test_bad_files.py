"""Files that vanish or turn bad while a training runs are passed over and told, not fatal."""

import json
from pathlib import Path

import nano
import numpy as np
import pytest
import soundfile
import torch
from test_trainer import made

from mousai_kit.core.errors import AudioError, Problem
from mousai_kit.core.interfaces import Clip
from mousai_kit.data.datasets import readable
from mousai_kit.data.stage_data import StageData
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run
from mousai_kit.training.trainer import Trainer

SETTINGS = ("data={use: folder, path: music}", "data.validation=0.25")
HALF = (SETTINGS[0], "data.validation=0.5")


def vanish(path):
    path.unlink()


def spoil(path):
    path.write_bytes(b"no sound at all")


def become_a_folder(path):
    path.unlink()
    path.mkdir()


def be_cut(path):
    nano.cut(path, keep=0.2)


def grow_shorter(path):
    nano.tone(path, seconds=0.1)


def grow_longer(path):
    nano.tone(path, seconds=9)


@pytest.mark.parametrize("stage", ["autoencoder", "generator"])
@pytest.mark.parametrize(
    "turn", [vanish, spoil, become_a_folder, be_cut, grow_shorter, grow_longer]
)
def test_music_that_turns_bad_in_mid_run_does_not_end_it(here, monkeypatch, turn, stage):
    Path("music").mkdir()
    for number in range(8):
        nano.tone(f"music/{number}.wav", hertz=200 + 50 * number)
    learn, bad = Trainer.train_step, []

    def learned(self, batch):
        if self.name == stage and not bad:
            bad.extend(sorted(Path("music").glob("*.wav"))[:-1])
            for path in bad:
                turn(path)
        return learn(self, batch)

    monkeypatch.setattr(Trainer, "train_step", learned)
    train_run(nano.system(*SETTINGS))
    assert bad
    for name in ("autoencoder", "generator"):
        assert checkpoint.read_header(Path(f"runs/nano/{name}/weights.safetensors"))["step"] == 4


def statistics(folder):
    """Return what a fresh autoencoder is once it has measured its music."""
    run = nano.system(*HALF, folder=folder)
    data = StageData.of(run)
    clips = data.clips("autoencoder", {"below": []}, "train")
    data.fit_statistics("autoencoder", clips, run.ranks)
    return run.cascade.stages["autoencoder"].state_dict()


def test_samples_far_beyond_full_scale_reach_neither_statistics_nor_report(here, capfd):
    Path("music").mkdir()
    for number in range(8):
        nano.tone(f"music/{number}.wav", hertz=200 + 50 * number)
    plain = statistics("plain")
    wave, bad = np.sin(np.arange(2000)), []
    for number in range(4):
        bad += [Path(f"music/loud{number}.wav"), Path(f"music/spike{number}.wav")]
        soundfile.write(bad[-2], 32_768 * wave, nano.RATE, subtype="FLOAT")
        soundfile.write(bad[-1], np.append(wave, 1e29), nano.RATE, subtype="FLOAT")
    measured = statistics("measured")
    assert all(torch.equal(plain[name], measured[name]) for name in plain)
    words = [word for setting in HALF for word in ("--set", setting)]
    answer = nano.call(capfd, "run", "nano.yaml", *words, "--out", "run")
    assert answer.code == 0
    told = "holds samples beyond 8 times full scale; scale it to [-1, 1], or leave it out"
    lines = [line for line in answer.err.splitlines() if line.startswith("skipped: ")]
    assert sorted(lines) == sorted(f"skipped: {path.resolve()}: {told}" for path in bad)
    scores = json.loads(Path("run/report.json").read_text())["decoded"]
    assert all(part["log-mel-distance"]["trained"][0] < 100 for part in scores)


def test_held_out_clips_that_are_all_gone_are_a_warning(here):
    held_out = readable(Fading({0, 1, 2}), print)
    work = made(held_out=held_out, steps=3)
    work.run()
    warnings = [it["warning"] for it in nano.log_of("a/log.jsonl") if "warning" in it]
    assert warnings == ["without validation: 2.wav: is gone"]
    assert Path("a/w.safetensors").exists()


class Fading:
    """Clips that can be read once."""

    def __init__(self, gone):
        self.gone, self.asked = gone, set()

    def __len__(self):
        return 3

    def clip(self, index, epoch=0):
        if index in self.gone and index in self.asked:
            raise AudioError(Problem(f"{index}.wav", "", "is gone"))
        self.asked.add(index)
        return Clip(None, "", f"{index}.wav")


def test_another_clip_takes_the_place_of_one_that_is_gone_and_that_is_told():
    told = []
    found = readable(Fading({0, 2}), told.append)
    assert [found.clip(index, 5).source for index in range(3)] == ["1.wav"] * 3
    assert set(told) == {"0.wav: is gone", "2.wav: is gone"}


def test_where_all_are_gone_the_last_reason_is_told():
    found = readable(Fading({0, 1, 2}), lambda line: None)
    with pytest.raises(AudioError) as gone:
        found.clip(1)
    assert str(gone.value) == "0.wav: is gone"
