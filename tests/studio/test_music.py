"""Music to learn from: looked at, and brought."""

import nano
import pytest
import studio_parts

from mousai_kit.core.errors import AudioError, MousaiError
from mousai_kit.studio.music import CropNeeds, MusicFolders, safe_stem

NEEDS = CropNeeds(sample_rate=8000, channels=1, length=8000, batch=2, validation=0.25)


@pytest.fixture
def folders(here):
    return MusicFolders([here / "music"], here / "brought", studio_parts.LIMITS.uploads)


def look(folders, music, needs=NEEDS):
    """Return what was told at last, and what was told before."""
    *before, state = folders.look(str(music), needs)
    return state, [it.told for it in before]


def bring(folders, name, files):
    """Return the folder that files were brought into."""
    *_, state = folders.bring(name, files)
    return state.folder


def refused(folders, name, files):
    with pytest.raises(MousaiError) as error:
        bring(folders, name, files)
    return str(error.value)


def test_what_is_in_a_folder_is_told_with_how_it_is_described(folders, here):
    music = studio_parts.music(here / "music" / "mine")
    (music / "0.txt").unlink()
    state, before = look(folders, music)
    lines = state.told.splitlines()
    assert lines[0] == "4 tracks (3 to learn from, 1 held out), 0.00 hours"
    assert "described as: 'sine'" in lines
    assert "nothing known but a name: 1 ('0.wav')" in state.told
    assert state.facts["pieces"] == 4
    assert before
    assert not any(".mousai" in path for path in folders.paths)
    assert folders.paths == [str(here / "music"), str(music)]


def test_too_little_music_is_told(folders, here):
    music = studio_parts.music(here / "music" / "mine", count=1, seconds=0.5)
    expected = """\
too little: one track alone, so that none is held out and nothing tells when it is learned by \
heart; bring another
too little: 0.5 s to learn from are fewer than the 2 crops of 1 s of one step; it will be learned \
by heart
1 track of 1: shorter than a crop (1 s), so that silence follows
""".splitlines()
    assert look(folders, music)[0].told.splitlines()[1:4] == expected
    assert folders.advise(str(music), NEEDS) == expected
    studio_parts.music(here / "music" / "more")
    assert folders.advise(str(here / "music" / "more"), NEEDS) == []


def test_a_folder_without_music_or_that_is_gone_is_told(folders, here):
    (here / "music" / "empty").mkdir(parents=True)
    with pytest.raises(AudioError, match="empty: "):
        look(folders, here / "music" / "empty")
    with pytest.raises(MousaiError, match="is none of the folders of music"):
        look(folders, here / "music" / "gone")


def test_a_look_that_nobody_waits_for_ends(folders, here):
    music = studio_parts.music(here / "music" / "mine")
    states = folders.look(str(music), NEEDS)
    next(states)
    states.close()


def test_files_are_brought_by_what_they_hold_with_the_texts_beside_them(folders, here):
    files = [
        nano.tone(here / "Été, <b>1.mp3", format="FLAC"),
        nano.tone(here / "two.wav"),
        here / "two.wav.txt",
    ]
    files[2].write_text("slow organ")
    folder = bring(folders, "mine", files)
    assert nano.names(folder) == ["two.txt", "two.wav", "Été, _b_1.flac"]
    assert folders.paths == [folder]
    assert "described as: 'slow organ'" in look(folders, folder)[0].told
    assert refused(folders, "mine", files) == ("name: there is music 'mine' already; name another")


def test_files_are_brought_whole_or_not_at_all(folders, here):
    good = nano.tone(here / "good.wav")
    long = nano.tone(here / "long.wav", seconds=11)
    script = here / "page.wav"
    script.write_text("<script>")
    told = refused(folders, "mine", [good, long, script]).splitlines()
    assert told[0] == "long.wav: is 11 s long, more than 10 s; cut it"
    assert told[1].startswith("page.wav: is no audio file that can be read")
    assert nano.names(folders.brought) == []


@pytest.mark.parametrize("name", ["", "../x", "Mine", "."])
def test_a_folder_of_music_has_a_plain_name(folders, here, name):
    told = refused(folders, name, [nano.tone(here / "one.wav")])
    assert told == "name: must be small letters, digits and hyphens, as in mine-1"


def test_what_can_not_be_brought_is_told(folders, here):
    one = nano.tone(here / "one.wav")
    (here / "other").mkdir()
    same = nano.tone(here / "other" / "one.wav")
    text = here / "one.json"
    text.write_text("{")
    assert refused(folders, "mine", []) == "files: bring 1 to 500 (got 0)"
    assert refused(folders, "mine", [one, same]) == (
        "one.wav: is there twice; name files differently"
    )
    assert refused(folders, "mine", [one, text]).startswith("one.json: can't be read (not JSON: ")
    text.write_text('{"caption": "organ"}')
    assert refused(folders, "mine", [text]) == "files: there is no music among them"
    text.write_text('{"caption": "' + "x" * 100_000 + '"}')
    assert refused(folders, "mine", [one, text]) == (
        "one.json: is too long to describe a piece of music"
    )


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..", "music"),
        (".hidden", "hidden"),
        ("a/b\\c\0d\n", "a_b_c_d"),
        ("x" * 200, "x" * 80),
        ("Träumerei (1. Satz)", "Träumerei (1. Satz)"),
        ("<img src=x onerror='x'>", "img src_x onerror_'x'"),
        ("$(rm -rf)", "(rm -rf)"),
    ],
)
def test_names_of_files_are_safe(name, safe):
    assert safe_stem(name) == safe
