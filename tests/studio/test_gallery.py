import json
import os
import shutil
import subprocess
import sys

import nano
import pytest
import studio_parts

from mousai_kit import audio
from mousai_kit.core.errors import RequestError
from mousai_kit.studio.gallery import Gallery
from mousai_kit.studio.studio import continue_clip, count_up, vary_clip


def test_a_clip_is_there_with_its_settings_its_picture_and_its_tags(opened):
    record = studio_parts.make(opened)
    folder = opened.gallery.clips / record.key
    assert nano.names(folder) == ["clip.flac", "clip.json", "clip.png"]
    tags = audio.read_tags(opened.gallery.audio(record.key))
    assert (tags["prompt"], tags["seed"]) == ("low saw chord", "3")
    assert json.loads((folder / "clip.json").read_text())["settings"]["seed"] == 3
    assert nano.names(opened.gallery.making) == ["sounds"]


def test_a_gallery_that_is_opened_again_has_the_same_clips(opened, here):
    records = [studio_parts.make(opened, seed=seed) for seed in (1, 2)]
    opened.gallery.__exit__()
    with Gallery(here / "gallery") as gallery:
        assert gallery.records() == sorted(records, key=lambda it: it.key, reverse=True)


def test_a_clip_made_again_from_its_record_is_the_same_to_the_sample(opened):
    first = studio_parts.make(opened)
    *_, state = opened.make([opened.gallery.find(first.key).settings])
    second = state.clips[0]
    assert second.key != first.key
    waves = [
        audio.read(opened.gallery.audio(it.key), sample_rate=8000, channels=1)
        for it in (first, second)
    ]
    assert waves[0].equal(waves[1])


def test_variations_differ_and_a_continued_clip_is_longer(opened):
    first = studio_parts.make(opened, seconds=1.0)
    *_, state = opened.make(vary_clip(first, 2, 0.5), parent=first.key, how="varied")
    assert [it.settings.controls["variation"] for it in state.clips] == [1, 2]
    assert {it.parent for it in state.clips} == {first.key}
    *_, state = opened.make([continue_clip(first, 0.5)])
    assert state.clips[0].seconds == pytest.approx(1.5, abs=0.01)


def test_what_was_deleted_is_gone(opened):
    record = studio_parts.make(opened)
    opened.gallery.delete(record.key)
    assert opened.gallery.records() == []
    assert nano.names(opened.gallery.clips) == []
    with pytest.raises(RequestError, match=f"^clip: the gallery has no clip '{record.key}'$"):
        opened.gallery.find(record.key)


def test_a_clip_whose_folder_was_removed_by_hand_can_be_deleted(opened):
    clip = studio_parts.make(opened)
    shutil.rmtree(opened.gallery.clips / clip.key)
    opened.gallery.delete(clip.key)
    assert opened.gallery.records() == []


@pytest.mark.parametrize(
    "reference",
    ["/etc/passwd", "clip:../../x", "upload:../.lock", "upload:/etc/passwd", "file:x", "clip:", ""],
)
def test_no_file_outside_of_the_gallery_can_be_named(opened, reference):
    with pytest.raises(RequestError):
        opened.gallery.resolve(reference)
    with pytest.raises(RequestError):
        list(opened.make([studio_parts.settings(controls={"source": reference or "x"})]))


def test_a_second_studio_is_told_who_has_the_gallery(opened, here):
    code = (
        "from pathlib import Path\nfrom mousai_kit.studio.gallery import Gallery\n"
        "from mousai_kit.core.errors import RequestError\n"
        "try: Gallery(Path('gallery')).__enter__()\nexcept RequestError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here)
    assert done.stdout == (
        f"{here.resolve()}/gallery: another studio (process {os.getpid()}) has it open; "
        "stop that one, or use --gallery\n"
    )


def test_what_a_killed_studio_left_half_made_is_gone_and_what_is_no_clip_is_left_alone(here, capfd):
    half = here / "gallery" / ".studio-making" / "20260101-000000-00000000"
    half.mkdir(parents=True)
    (half / "clip.flac").write_bytes(b"half")
    strange = here / "gallery" / "clips" / "holiday"
    strange.mkdir(parents=True)
    with Gallery(here / "gallery") as gallery:
        assert gallery.records() == []
        assert nano.names(gallery.making) == []
    assert strange.is_dir()
    assert "holiday: is no clip; it is left alone" in capfd.readouterr().err


def test_seeds_of_an_order_count_up():
    orders = count_up(studio_parts.settings(), 3)
    assert [it.seed for it in orders] == [3, 4, 5]
