import nano
import pytest
import soundfile

from mousai_kit import audio
from mousai_kit.studio.blind_copies import BlindCopies, write_blind_copy


@pytest.fixture
def source(tmp_path):
    """Return a FLAC file with tags, of an odd number of bytes as WAV."""
    wave = audio.read(nano.tone(tmp_path / "tone.wav", seconds=1), sample_rate=8000, channels=1)
    path = tmp_path / "clip.flac"
    audio.write(path, wave[:, :7999], sample_rate=8000, tags={"title": "Symphonic Metal"})
    assert audio.read_tags(path)
    return path


def test_a_blind_copy_has_the_samples_and_no_tags(source, tmp_path):
    copy = tmp_path / "X.wav"
    write_blind_copy(source, copy)
    assert audio.read_tags(copy) == {}
    assert b"Metal" not in copy.read_bytes()
    (before, _), (after, rate) = (soundfile.read(it, dtype="int32") for it in (source, copy))
    assert (before == after).all()
    assert (len(after), rate, soundfile.info(copy).subtype) == (7999, 8000, "PCM_24")
    assert copy.read_bytes()[4:8] == (copy.stat().st_size - 8).to_bytes(4, "little")


def test_copies_of_one_sound_have_one_size_and_differ_in_bytes_and_place(source, tmp_path):
    copies = BlindCopies(tmp_path / "heard")
    asked = [
        {"test": "abx", "trial": trial, "letter": letter} for trial in (0, 1) for letter in "AX"
    ]
    paths = [copies.copy(source, **it) for it in asked]
    assert [copies.copy(source, **it) for it in asked] == paths
    assert len({path.read_bytes() for path in paths}) == len({path.parent for path in paths}) == 4
    assert len({path.stat().st_size for path in paths}) == 1
    assert [path.name for path in paths] == ["A.wav", "X.wav"] * 2


def test_a_copy_that_nobody_asks_for_is_removed_after_an_hour(source, tmp_path, monkeypatch):
    copies = BlindCopies(tmp_path / "heard")
    first = copies.copy(source, test="abx", trial=0, letter="A")
    monkeypatch.setattr("mousai_kit.studio.blind_copies.KEPT_FOR", -1.0)
    second = copies.copy(source, test="abx", trial=0, letter="B")
    assert (first.parent.exists(), second.exists()) == (False, True)
