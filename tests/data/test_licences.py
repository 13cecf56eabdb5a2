"""Licences: told by their short names, whatever tag they stand in."""

import mutagen
import nano
import pytest
from mutagen.id3 import TCOP, WCOP

import mousai_kit.api as mk


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC-BY-SA-3.0", "CC-BY-SA-3.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc by-nc-sa", "CC-BY-NC-SA"),
        ("http://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        ("Licensed under https://creativecommons.org/licenses/by-nc/2.5/ch", "CC-BY-NC-2.5"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("MIT", "MIT"),
        ("(c) 2001\nSomebody", "(c) 2001 Somebody"),
        ("", ""),
    ],
)
def test_a_licence_by_its_text(text, licence):
    assert mk.licence_from_tags({"License": text}) == licence


def test_a_licence_goes_before_a_notice_of_copyright():
    assert mk.licence_from_tags({"copyright": "2001 Somebody", "licence": "MIT"}) == "MIT"
    assert mk.licence_from_tags({"copyright": "2001 Somebody", "license": ""}) == "2001 Somebody"
    assert mk.licence_from_tags({"title": "MIT"}) == ""


@pytest.mark.parametrize(
    ("frame", "licence"),
    [
        (WCOP(url="http://creativecommons.org/licenses/by/3.0/"), "CC-BY-3.0"),
        (TCOP(encoding=3, text=["2001 Somebody"]), "2001 Somebody"),
    ],
)
def test_an_mp3s_frames_tell_a_licence(tmp_path, frame, licence):
    path = nano.tone(tmp_path / "a.mp3")
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(frame)
    file.save()
    assert mk.licence_from_tags(mk.read_tags(path)) == licence
