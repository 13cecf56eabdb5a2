"""The training library: its list of tracks, and the script that makes it from Debian packages."""

import csv
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

FOLDER = Path(__file__).resolve().parents[2] / "training_data"
SCRIPT = FOLDER / "fetch.py"
FREE = {
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC-BY-3.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "MIT",
    "Zlib",
}
FIELDS = "package,path,file,title,artist,album,genre,year,seconds,licence,held_out"


@pytest.fixture(scope="module")
def rows():
    with (FOLDER / "sources.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestSources:
    def test_every_licence_is_free(self, rows):
        assert {row["licence"] for row in rows} <= FREE

    def test_there_are_fifteen_hours_in_fourteen_styles_or_more(self, rows):
        assert sum(int(row["seconds"]) for row in rows) > 15 * 3600
        assert len({row["genre"] for row in rows}) >= 14

    def test_each_style_has_a_track_held_out_and_two_from_a_dozen_on(self, rows):
        count = Counter(row["genre"] for row in rows)
        held_out = Counter(row["genre"] for row in rows if row["held_out"] == "yes")
        assert {style: held_out[style] for style in count} == {
            style: 2 if tracks >= 12 else 1 for style, tracks in count.items()
        }

    def test_no_name_and_no_source_comes_twice(self, rows):
        names = [row["file"].casefold() for row in rows]
        assert len(set(names)) == len(names)
        sources = [(row["package"], row["path"]) for row in rows]
        assert len(set(sources)) == len(sources)

    def test_names_are_plain_ones_on_every_system(self, rows):
        for row in rows:
            assert row["file"].isascii()
            assert not set(row["file"]) & set('<>:"/\\|?*'), row["file"]

    def test_every_track_says_who_made_it_and_lasts_half_a_minute(self, rows):
        for row in rows:
            assert all(row[field] for field in ("title", "artist", "genre", "licence"))
            assert int(row["seconds"]) >= 30

    def test_what_the_shipped_clips_hold_out_is_held_out_here(self, rows):
        manifest = FOLDER.parent / "plugins" / "mousai_kit_clips" / "music" / "manifest.json"
        clips = {
            (clip["source_package"], " + ".join(clip["source_files"]))
            for clip in json.loads(manifest.read_text())
            if clip["split"] == "validation"
        }
        kept = {(row["package"], row["path"]) for row in rows if row["held_out"] == "yes"}
        assert len(clips) == 3
        assert clips <= kept

    def test_the_page_shows_the_table_that_the_command_prints(self):
        printed = fetch("--list").stdout.partition("\n\n")[0]
        assert printed in (FOLDER / "README.md").read_text(encoding="utf-8")

    def test_list_prints_credits_with_licences(self):
        lines = fetch("--list").stdout.splitlines()
        assert "- Highland Mist by Wildfire Games, from 0 A.D.: CC-BY-SA-3.0, held out" in lines
        assert "Music of 0 A.D. by [Wildfire Games](https://play0ad.com), under" in lines


def fetch(*arguments, path=None):
    """Run the script; `path` comes before the programs that are installed."""
    environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def sine(hertz, seconds=1.0, peak=0.5, rate=44_100):
    time = np.arange(int(seconds * rate)) / rate
    wave = (peak * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    return np.stack([wave, wave], axis=1)


def encoded(wave, rate=44_100):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="OGG", subtype="VORBIS")
    return file.getvalue()


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def wad(**lumps):
    """Return Doom's archive: a head, the lumps, then where each lies."""
    body, entries = b"", b""
    for name, content in lumps.items():
        entries += struct.pack("<ii8s", 12 + len(body), len(content), name.encode())
        body += content
    return struct.pack("<4sii", b"IWAD", len(lumps), 12 + len(body)) + body + entries


def build(folder, package, files):
    """Write a .deb of these files."""
    root = folder / package
    control = f"Package: {package}\nVersion: 1.0\nArchitecture: all\n"
    control += "Maintainer: Nobody <nobody@example.org>\nDescription: music\n"
    for name, content in {"DEBIAN/control": control.encode(), **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    deb = folder / f"{package}_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--build", root, deb], check=True, capture_output=True)
    shutil.rmtree(root)
    return deb


PLAYER = """\
#!/bin/sh
# Plays nothing: writes a sine where the real program would write what it played.
while [ "$1" != "$OUTPUT" ]; do shift; done
echo "$0" >> {folder}/played
test -e {folder}/slow && exec sleep 60
cp {folder}/sine.wav "$2"
"""

TRACKS = [
    ("games", "usr/games/plain.ogg", "Ann - Plain.ogg", "no"),
    ("games", "usr/games/nameless", "Ann - Nameless.ogg", "yes"),
    ("games", "usr/games/song.ogg + usr/games/guitar.ogg", "Ann - Mix.flac", "no"),
    ("games", "usr/games/data.zip!music/In Zip!.ogg", "Ann - Zipped.ogg", "no"),
    ("played", "usr/games/doom.wad!D_E1M1", "Ann - Lump.flac", "no"),
    ("played", "usr/games/song.xm", "Ann - Module.flac", "yes"),
]
PLAIN = encoded(sine(220))
MIDI = b"MThd and so on"


class Shelf:
    """Two packages, players, and a list of what they make."""

    def __init__(self, folder):
        self.folder = folder
        self.library = folder / "library"
        self.debs = folder / "debs"
        self.debs.mkdir()
        document = "usr/share/doc/{}/copyright"
        games = {
            document.format("games"): b"free as in freedom\n",
            "usr/games/plain.ogg": PLAIN,
            "usr/games/nameless": encoded(sine(330)),
            "usr/games/song.ogg": encoded(sine(440, peak=0.7)),
            "usr/games/guitar.ogg": encoded(sine(440, 0.5, 0.7, 48_000), 48_000),
            "usr/games/data.zip": zipped("music/In Zip!.ogg", encoded(sine(550))),
            "usr/games/unwanted.ogg": PLAIN,
        }
        played = {
            document.format("played"): b"free\n",
            "usr/games/doom.wad": wad(TEXTURE=b"no music", D_E1M1=MIDI),
            "usr/games/song.xm": b"Extended Module: ",
        }
        build(self.debs, "games", games)
        build(self.debs, "played", played)
        self.players = folder / "players"
        self.players.mkdir()
        quiet = sine(660, peak=0.2)
        soundfile.write(self.players / "sine.wav", np.vstack([quiet, 0 * quiet]), 44_100)
        self.font = self.players / "font.sf2"
        self.font.touch()
        for name, option in {"fluidsynth": "-F", "openmpt123": "--output"}.items():
            player = self.players / name
            player.write_text(PLAYER.format(folder=self.players).replace("$OUTPUT", option))
            player.chmod(0o755)
        self.write_list(TRACKS)

    def write_list(self, tracks, licence="MIT"):
        """Write the list of tracks."""
        lines = [
            f"{package},{path},{file},{file[6:].partition('.')[0]},Ann,,Deep House,2001,1,"
            f"{licence},{held}"
            for package, path, file, held in tracks
        ]
        (self.folder / "sources.csv").write_text("\n".join([FIELDS, *lines]) + "\n")

    @property
    def arguments(self):
        sources, font = self.folder / "sources.csv", self.font
        return [self.library, "--debs", self.debs, "--sources", sources, "--sound-font", font]

    def fetch(self, *more):
        """Run the script; return its status, and its lines but for the table's."""
        result = fetch(*self.arguments, *more, path=self.players)
        assert result.stderr == ""
        lines = [line for line in result.stdout.splitlines() if line and line[0] != "|"]
        return result.returncode, lines

    def files(self):
        """Return all files of the library with their times of change."""
        return {
            str(path.relative_to(self.library)): path.stat().st_mtime_ns
            for path in sorted(self.library.rglob("*"))
            if path.is_file()
        }

    def played(self):
        """Return which players ran."""
        record = self.players / "played"
        return [Path(line).name for line in record.read_text().split()] if record.exists() else []


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


@pytest.fixture(scope="class")
def made(tmp_path_factory):
    """A shelf whose library is made; tests leave it as it is."""
    shelf = Shelf(tmp_path_factory.mktemp("made"))
    shelf.result = shelf.fetch()
    return shelf


class TestLibrary:
    def test_the_command_says_what_it_made(self, made):
        assert made.result == (
            0,
            [
                "games: 4 tracks made, 0 there before",
                "played: 2 tracks made, 0 there before",
                "6 of 6 tracks, faults: 0",
            ],
        )

    def test_each_track_lies_in_its_split_and_style_with_a_sidecar(self, made):
        assert list(made.files()) == [
            "CREDITS.md",
            "held_out/deep-house/Ann - Module.flac",
            "held_out/deep-house/Ann - Module.json",
            "held_out/deep-house/Ann - Nameless.json",
            "held_out/deep-house/Ann - Nameless.ogg",
            "licences/games.txt",
            "licences/played.txt",
            "train/deep-house/Ann - Lump.flac",
            "train/deep-house/Ann - Lump.json",
            "train/deep-house/Ann - Mix.flac",
            "train/deep-house/Ann - Mix.json",
            "train/deep-house/Ann - Plain.json",
            "train/deep-house/Ann - Plain.ogg",
            "train/deep-house/Ann - Zipped.json",
            "train/deep-house/Ann - Zipped.ogg",
        ]

    def test_files_are_copied_to_the_byte(self, made):
        style = made.library / "train" / "deep-house"
        assert (style / "Ann - Plain.ogg").read_bytes() == PLAIN
        assert soundfile.info(style / "Ann - Zipped.ogg").frames == 44_100

    def test_stems_of_other_lengths_and_rates_are_added_below_full_scale(self, made):
        wave, rate = soundfile.read(made.library / "train" / "deep-house" / "Ann - Mix.flac")
        assert (rate, wave.shape) == (44_100, (44_100, 2))
        assert np.abs(wave).max() == pytest.approx(0.9, abs=1e-3)
        both, alone = np.abs(wave[2000:20_000]).max(), np.abs(wave[24_000:42_000]).max()
        assert both == pytest.approx(2 * alone, rel=0.05)

    def test_renders_are_brought_to_one_peak_and_end_with_their_sound(self, made):
        path = made.library / "train" / "deep-house" / "Ann - Lump.flac"
        wave, rate = soundfile.read(path)
        assert (rate, soundfile.info(path).subtype) == (44_100, "PCM_16")
        assert np.abs(wave).max() == pytest.approx(0.9, abs=1e-3)
        assert len(wave) == pytest.approx(44_100, abs=200)

    def test_the_dataset_folder_reads_the_sidecars(self, made, tmp_path):
        import mousai_kit.api as mk
        from mousai_kit_mousai.folder import Folder

        path, index = str(made.library / "train"), str(tmp_path / "index.sqlite")
        options = Folder.Options(path=path, validation=0, index=index)
        dataset = Folder(options, split="train", sample_rate=44_100, channels=2, length=4096)
        track = next(track for track in dataset.tracks if track.name.endswith("Plain.ogg"))
        assert track.about == mk.CaptionFields("Plain", "Ann", "", "Deep House", "2001")
        assert track.licence == "MIT"
        assert dataset.skipped_files() == []

    def test_credits_name_every_track_and_licences_are_the_packages_own(self, made):
        page = (made.library / "CREDITS.md").read_text()
        assert "- Plain by Ann (2001): MIT" in page
        assert "- Module by Ann (2001): MIT, held out" in page
        assert (made.library / "licences" / "games.txt").read_text() == "free as in freedom\n"


def test_the_same_command_again_changes_nothing(shelf):
    shelf.fetch()
    before = shelf.files()
    shutil.rmtree(shelf.debs)
    assert shelf.fetch() == (
        0,
        [
            "games: 4 tracks there",
            "played: 2 tracks there",
            "6 of 6 tracks, faults: 0",
        ],
    )
    assert shelf.files() == before
    assert shelf.played() == ["fluidsynth", "openmpt123"]


def test_only_what_is_missing_is_made_again(shelf):
    shelf.fetch()
    before = shelf.files()
    lost = ["held_out/deep-house/Ann - Module.flac", "train/deep-house/Ann - Plain.json"]
    for name in lost:
        (shelf.library / name).unlink()
    assert shelf.fetch()[1][:2] == [
        "games: 4 tracks there",
        "played: 1 track made, 1 there before",
    ]
    after = shelf.files()
    assert list(after) == list(before)
    assert {name for name in after if after[name] != before[name]} == set(lost)


def test_a_changed_line_of_the_list_changes_the_sidecar_alone(shelf):
    shelf.fetch()
    before = shelf.files()
    sources = shelf.folder / "sources.csv"
    sources.write_text(sources.read_text().replace(",Plain,Ann,", ",Plainer,Ann,"))
    assert shelf.fetch()[0] == 0
    after = shelf.files()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"CREDITS.md", "train/deep-house/Ann - Plain.json"}


def test_what_cannot_be_made_is_counted_and_the_rest_is_made(shelf):
    shelf.write_list(
        [
            *TRACKS,
            ("absent", "usr/games/song.ogg", "Ann - Absent.ogg", "no"),
            ("games", "usr/games/gone.ogg", "Ann - Gone.ogg", "no"),
            ("games", "usr/games/data.zip!gone.ogg", "Ann - Gone member.ogg", "no"),
            ("games", "usr/games/data.zip", "Ann - No audio.ogg", "no"),
            ("played", "usr/games/doom.wad!D_GONE", "Ann - Gone lump.flac", "no"),
            ("broken", "usr/games/song.ogg", "Ann - Broken.ogg", "no"),
        ]
    )
    (shelf.debs / "broken_1.0_all.deb").write_bytes(b"no package")
    status, lines = shelf.fetch()
    assert status == 1
    broken = lines.pop(1)
    assert broken.startswith("broken: 1 track missing (dpkg-deb: error:")
    assert lines == [
        f"absent: 1 track missing (no absent_*.deb in {shelf.debs})",
        "games: Gone is missing (the package has no usr/games/gone.ogg)",
        "games: Gone member is missing (data.zip has no gone.ogg)",
        "games: No audio is missing (data.zip is no audio (Format not recognised.))",
        "games: 4 tracks made, 0 there before",
        "played: Gone lump is missing (doom.wad has no D_GONE)",
        "played: 2 tracks made, 0 there before",
        "6 of 12 tracks, faults: 6",
    ]
    assert not (shelf.library / ".part").exists()


def test_without_a_player_its_tracks_are_left_out(shelf):
    shelf.font.unlink()
    assert shelf.fetch() == (
        0,
        [
            "1 track left out: apt-get install fluidsynth fluid-soundfont-gm, and fetch again",
            "games: 4 tracks made, 0 there before",
            "played: 1 track made, 0 there before",
            "5 of 6 tracks, faults: 0",
        ],
    )
    shelf.font.touch()
    assert shelf.fetch()[1][1] == "played: 1 track made, 1 there before"


def test_strict_makes_nothing_without_a_player(shelf):
    shelf.font.unlink()
    assert shelf.fetch("--strict") == (
        1,
        ["1 track left out: apt-get install fluidsynth fluid-soundfont-gm, and fetch again"],
    )
    assert not shelf.library.exists()


def test_a_download_that_fails_says_so_and_leaves_nothing(shelf):
    (shelf.players / "apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate' >&2\nexit 100\n")
    (shelf.players / "apt-get").chmod(0o755)
    arguments = [argument for argument in shelf.arguments if argument not in ("--debs", shelf.debs)]
    result = fetch(*arguments, path=shelf.players)
    assert result.returncode == 1
    assert "games: 4 tracks missing (apt-get: E: Unable to locate)" in result.stdout
    assert list(shelf.files()) == ["CREDITS.md"]


def test_a_download_is_kept_for_the_next_time(shelf):
    apt = f"#!/bin/sh\ncp {shelf.debs}/$3_1.0_all.deb .\n"
    (shelf.players / "apt-get").write_text(apt)
    (shelf.players / "apt-get").chmod(0o755)
    arguments = [argument for argument in shelf.arguments if argument not in ("--debs", shelf.debs)]
    assert fetch(*arguments, path=shelf.players).returncode == 0
    assert [path.name for path in sorted((shelf.library / ".debs").iterdir())] == [
        "games_1.0_all.deb",
        "played_1.0_all.deb",
    ]


def test_ctrl_c_leaves_no_half_of_a_track_and_the_same_command_goes_on(shelf):
    (shelf.players / "slow").touch()
    environment = os.environ | {"PATH": f"{shelf.players}:{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, SCRIPT, *shelf.arguments], env=environment, stdout=subprocess.PIPE
    ) as process:
        while not shelf.played():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.stdout.read().decode()
    assert process.returncode == 130
    assert said.endswith("\nstopped; the same command goes on from here\n")
    music = [name for name in shelf.files() if name.endswith((".ogg", ".flac", ".json"))]
    assert len(music) == 8
    assert not (shelf.library / ".part").exists()
    (shelf.players / "slow").unlink()
    assert shelf.fetch()[1][0] == "games: 4 tracks there"
    assert len(shelf.files()) == 15


def test_what_a_killed_run_left_is_cleared_away(shelf):
    half = shelf.library / ".part" / "usr" / "games" / "plain.ogg"
    half.parent.mkdir(parents=True)
    half.write_bytes(PLAIN[:100])
    assert shelf.fetch()[0] == 0
    plain = shelf.library / "train" / "deep-house" / "Ann - Plain.ogg"
    assert plain.read_bytes() == PLAIN
    assert not (shelf.library / ".part").exists()


def test_a_track_that_is_held_out_from_now_on_is_not_left_among_the_others(shelf):
    shelf.fetch()
    moved = [(*track[:3], "yes") if "plain" in track[1] else track for track in TRACKS]
    shelf.write_list(moved)
    status, lines = shelf.fetch()
    assert status == 1
    assert lines[2] == "train/deep-house/Ann - Plain.ogg is not in the list: delete it"


def test_a_licence_that_is_not_free_is_refused(shelf):
    shelf.write_list([*TRACKS, ("games", "usr/games/song.ogg", "Ann - Song.ogg", "no")], "GPL-2")
    sources = shelf.folder / "sources.csv"
    assert fetch(*shelf.arguments).stderr.splitlines()[-1] == (
        f"fetch.py: error: {sources}:2: GPL-2 is none of BSD-2-Clause, BSD-3-Clause, CC-BY-3.0, "
        "CC-BY-4.0, CC-BY-SA-3.0, CC-BY-SA-4.0, CC0-1.0, MIT, Zlib, public domain"
    )


def test_a_line_that_is_no_track_is_refused(shelf):
    shelf.write_list([("games", "usr/games/song.ogg", "Ann - Song.ogg", "maybe")])
    sources = shelf.folder / "sources.csv"
    assert fetch(*shelf.arguments).stderr.splitlines()[-1] == (
        f"fetch.py: error: {sources}:2: no track (held_out is 'maybe', not yes or no); its fields "
        "are package, path, file, title, artist, album, genre, year, seconds, licence, held_out"
    )


def test_a_library_or_list_has_to_be_asked_for():
    result = fetch()
    assert result.returncode == 2
    assert result.stderr.endswith("error: name a folder for the library, or --list\n")
