import nano
import pytest
import studio_parts

from mousai_kit.core.errors import MousaiError


def test_a_file_is_kept_by_its_digest_whatever_it_is_called(opened, here):
    file = nano.tone(here / "<img src=x>.txt", seconds=0.5, format="FLAC")
    reference = opened.upload(file)
    assert reference.startswith("upload:")
    assert reference.endswith(".flac")
    assert opened.upload(file) == reference
    assert nano.names(opened.gallery.uploads) == [reference.removeprefix("upload:")]
    assert opened.gallery.resolve(reference).read_bytes() == file.read_bytes()


def too_large(path):
    nano.tone(path, seconds=8, rate=48000, channels=2)


def cut_short(path):
    nano.tone(path, format="FLAC", seconds=5)
    nano.cut(path)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda path: path.write_text("<script>"), "song.wav: is no audio file that can be read"),
        (lambda path: path.write_bytes(b""), "song.wav: is empty (0 bytes); leave it out"),
        (
            lambda path: nano.tone(path, seconds=11),
            "song.wav: is 11 s long, more than 10 s; cut it",
        ),
        (too_large, "song.wav: is larger than 1 MB; take a smaller one"),
        (
            lambda path: nano.tone(path, format="AIFF"),
            "song.wav: holds AIFF; WAV, FLAC, Ogg and MP3 are taken",
        ),
        (cut_short, "song.wav: "),
    ],
)
def test_what_is_no_music_too_large_or_too_long_is_refused_and_not_kept(opened, here, write, told):
    write(here / "song.wav")
    with pytest.raises(MousaiError) as error:
        opened.upload(here / "song.wav")
    assert str(error.value).startswith(told)
    assert nano.names(opened.gallery.uploads) == []


def test_a_clip_begins_from_an_upload_and_is_as_long(opened, here):
    reference = opened.upload(nano.tone(here / "hum.wav", seconds=0.75))
    controls = {"source": reference, "strength": 0.5}
    record = studio_parts.make(opened, seconds=None, controls=controls)
    assert record.seconds == pytest.approx(0.75, abs=0.01)
    assert record.settings.controls == controls
