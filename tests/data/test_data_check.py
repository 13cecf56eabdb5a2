"""The command `data check`: what it prints, writes and returns."""

import json
import re
from pathlib import Path

import nano
import numpy as np
import pytest
import soundfile

from mousai_kit_mousai.folder import INDEX


@pytest.fixture
def command(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *words: nano.call(capfd, "data", "check", *words)


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(3):
        nano.tone(folder / f"{number}.wav", seconds=2 + number, hertz=300 * (number + 1))
        (folder / f"{number}.json").write_text(f'{{"title": "T{number}", "licence": "MIT"}}')
    return folder


def test_a_folder_of_music(command, music):
    answer = command("music")
    assert answer.code == 0
    lines = [line.rstrip() for line in answer.out.splitlines()]
    assert lines == [
        "tracks    3 (2 train, 1 validation)",
        "hours     0.00",
        "seconds   2.0 to 4.0, half under 3.0",
        "Hz        3 x 8000",
        "channels  3 x 1",
        "formats   3 x WAV PCM_16",
        "LUFS      -9.6 to -9.2, half under -9.4",
        "peak      0.499 to 0.500, half under 0.500",
        "silence   0.00% of the time",
        "licences  3 x MIT",
        "",
        "nothing is wrong",
    ]


def test_what_is_wrong_is_named_and_only_strict_ends_with_1(command, music):
    soundfile.write(music / "silent.wav", np.zeros(8_000), 8_000)
    (music / "copy.wav").write_bytes((music / "1.wav").read_bytes())
    answer = command("music")
    assert answer.code == 0
    assert re.search(
        r"\nsilent, or mostly so: 1\n  music/silent\.wav\n"
        r"\nthe same audio as another: 1\n  music/(1|copy)\.wav  =  music/(1|copy)\.wav\n",
        answer.out,
    )
    assert "\nno licence told: 2\n" in answer.out
    assert command("music", "--strict").code == 1
    assert command("music", "--strict", "--json").code == 1


def test_a_broken_file_is_named_once(command, music):
    nano.tone(music / "cut.flac", seconds=5)
    nano.cut(music / "cut.flac")
    (music / "garbage.wav").write_bytes(b"RIFFgarbage")
    told = command("music").out.partition("\n\n")[2].splitlines()
    assert [line.strip() for line in told] == [
        "can't be used: 1",
        "music/cut.flac: can't be decoded from 2.00 s on (flac decoder lost sync)",
        "",
        "left out: 1",
        "music/garbage.wav: is no audio file that can be read (Format not recognised)",
    ]


def test_samples_far_beyond_full_scale_and_channels_that_cancel_out_are_told(command, music):
    wave = np.sin(np.arange(16_000) / 5)
    soundfile.write(music / "loud.wav", 32_768 * wave, 8_000, subtype="FLOAT")
    soundfile.write(music / "anti.wav", np.stack([wave, -wave], 1), 8_000, subtype="FLOAT")
    Path("nano.yaml").write_text(nano.RECIPE)  # mono
    told = command("nano.yaml", "--set", "data={use: folder, path: music}").out
    lines = [line.strip() for line in told.partition("\n\n")[2].splitlines()]
    cancels = (
        "is silent once its channels are mixed to 1: they cancel each other out (antiphase); "
        "invert one of them, set `audio.channels` to as many, or leave it out"
    )
    loud = "holds samples beyond 8 times full scale; scale it to [-1, 1], or leave it out"
    assert lines[0] == "can't be used: 2"
    place = music.resolve()
    assert sorted(lines[1:3]) == [f"{place}/anti.wav: {cancels}", f"{place}/loud.wav: {loud}"]


def test_json_has_every_figure(command, music):
    found = json.loads(command("music", "--json").out)
    assert found["name"] == "music"
    assert found["splits"] == {"train": 2, "validation": 1}
    assert found["loudness"]["max"] == pytest.approx(-9.17, abs=0.01)


def test_of_many_names_a_few_are_printed(command, music):
    for number in range(7):
        soundfile.write(music / f"s{number}.wav", np.zeros(8_000), 8_000)
    answer = command("music")
    assert "silent, or mostly so: 7\n" in answer.out
    assert "  and 2 more (--json has all)\n" in answer.out


def test_a_recipe_and_its_data(command, tmp_path, music):
    Path("nano.yaml").write_text(nano.RECIPE)
    assert "\nclips     6 (4 train, 2 validation)" in "\n" + command("nano.yaml").out
    answer = command("nano.yaml", "--set", "data={use: folder, path: music}", "--quick")
    assert answer.out.startswith("tracks    3 (2 train, 1 validation)")
    assert "LUFS" not in answer.out


def test_a_picture_and_the_figures_are_written_where_asked(command, music):
    answer = command("music", "--out", "report/music")
    assert answer.out.splitlines()[-2:] == [
        "report/music/data-check.json",
        "report/music/data-check.png",
    ]
    picture = Path("report/music/data-check.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert json.loads(Path("report/music/data-check.json").read_text())["pieces"] == 3


def test_nothing_is_written_but_the_index(command, music, tmp_path):
    before = {*nano.names(music)}
    command("music")
    assert nano.names(tmp_path) == ["music"]
    assert {*nano.names(music)} == before | {INDEX}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["empty"],
            "empty: holds no music, nor do folders in it (.flac, .mp3, .oga, .ogg, .opus, .wav)\n",
        ),
        (["music", "--set", "seed=1"], "music: is a folder of music; `--set` changes a recipe\n"),
    ],
)
def test_what_can_t_be_checked_is_told_in_a_line(command, music, words, line):
    Path("empty").mkdir()
    answer = command(*words)
    assert (answer.code, answer.out, answer.err) == (2, "", line)


def test_ctrl_c_ends_it_in_a_line(command, music, monkeypatch):
    def interrupted(dataset, track):
        raise KeyboardInterrupt

    monkeypatch.setattr("mousai_kit.data.tracks.TrackDataset.measure", interrupted)
    answer = command("music")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == (
        "interrupted; what `folder` has measured is kept, and the same command goes on\n"
    )
