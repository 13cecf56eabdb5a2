"""Mix: clips of several sets by their weights, every set gone through evenly."""

import json
import pickle
from collections import Counter
from pathlib import Path

import nano
import pytest

import mousai_kit.api as mk
from mousai_kit.cli.publishing.portable_recipe import neutral
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, RecipeError
from mousai_kit.data import track_stats
from mousai_kit.data.datasets import dataset, training_clips
from mousai_kit.data.duplicates import duplicates_and_silence
from mousai_kit.data.track_stats import measure
from mousai_kit.recipe import load_recipe, stage_hash
from mousai_kit.recipe.paths import paths_in
from mousai_kit.training.finetuning import own_music
from mousai_kit.training.run import train_run

BUILD = {"sample_rate": nano.RATE, "channels": 1, "length": 1024}


def tones(tracks, held_out=2, **more):
    return {"data": {"use": "tones", "tracks": tracks, "held_out": held_out}, **more}


def mix(split="train", **options):
    return mk.build(mk.Dataset, {"use": "mix", **options}, split=split, **BUILD)


def heard(found, epoch=0):
    """Return (set, clip of it, its epoch) of all clips of an epoch."""
    return [found.locate(index, epoch) for index in range(len(found))]


@pytest.fixture
def music(here):
    """Two folders of songs: organ has 12, drums 3."""
    for name, count, base in (("organ", 12, 200), ("drums", 3, 900)):
        Path(name).mkdir()
        for number in range(count):
            nano.tone(f"{name}/{name} {number}.flac", hertz=base + 31 * number)
    return here


RECIPE = nano.RECIPE.replace(
    "{use: tones, tracks: 4, held_out: 2}",
    "{use: mix, sets: {organ: {data: {use: folder, path: organ}, weight: 3}, "
    "drums: {data: {use: folder, path: drums, validation: 0.4}}}}",
)


def recipe(*overrides, text=RECIPE):
    return nano.recipe(*overrides, text=text)


class TestShares:
    def test_of_an_epoch_each_set_has_the_share_that_its_weight_says(self):
        found = mix(
            sets={"one": tones(10, weight=3), "two": tones(10), "three": tones(5, weight=1)}
        )
        assert Counter(name for name, *_ in heard(found)) == {"one": 30, "two": 10, "three": 10}

    def test_weights_are_compared_with_each_other_alone(self):
        small = mix(sets={"one": tones(10, weight=0.3), "two": tones(10, weight=0.1)})
        large = mix(sets={"one": tones(10, weight=30), "two": tones(10, weight=10)})
        assert heard(small) == heard(large)

    @pytest.mark.parametrize("weights", [(1, 1), (5, 1), (1, 7), (0.3, 0.7)])
    @pytest.mark.parametrize("epoch", [0, 1, 5])
    def test_every_clip_of_every_set_comes_in_each_epoch_and_as_often_as_the_others(
        self, weights, epoch
    ):
        found = mix(sets={"one": tones(13, weight=weights[0]), "two": tones(60, weight=weights[1])})
        for name, count in (("one", 13), ("two", 60)):
            times = Counter(index for its, index, _ in heard(found, epoch) if its == name)
            assert len(times) == count
            assert max(times.values()) - min(times.values()) <= 1

    @pytest.mark.parametrize("clips", [None, 7, 20])
    def test_no_crop_comes_twice_and_over_epochs_all_come_equally_often(self, clips):
        found = mix(sets={"one": tones(5, weight=3), "two": tones(11)}, clips=clips)
        all_heard = [place for epoch in range(44) for place in heard(found, epoch)]
        assert len(set(all_heard)) == len(all_heard)
        for name in ("one", "two"):
            times = Counter(index for its, index, _ in all_heard if its == name)
            assert max(times.values()) - min(times.values()) <= 1

    def test_clips_says_how_long_an_epoch_is(self):
        found = mix(sets={"one": tones(60, weight=3), "two": tones(60)}, clips=8)
        assert Counter(name for name, *_ in heard(found)) == {"one": 6, "two": 2}

    def test_a_set_of_little_weight_is_heard_all_the_same(self):
        found = mix(sets={"one": tones(60, weight=1000), "two": tones(60)}, clips=10)
        assert Counter(name for name, *_ in heard(found)) == {"one": 10, "two": 1}

    def test_any_stretch_of_an_epoch_has_about_its_share_of_each_set_and_all_of_its_length(self):
        found = mix(sets={"one": tones(60, weight=3), "two": tones(60)})
        for first in range(0, len(found) - 40, 20):
            stretch = [found.locate(index) for index in range(first, first + 40)]
            assert Counter(name for name, *_ in stretch)["two"] == pytest.approx(10, abs=2)
        begun = sorted(index for name, index, _ in map(found.locate, range(40)) if name == "two")
        assert begun[0] < 12
        assert begun[-1] > 48

    def test_held_out_are_all_that_the_sets_hold_out_whatever_their_weights(self):
        sets = {"one": tones(4, held_out=3, weight=9), "two": tones(4, held_out=2)}
        held = heard(mix("validation", sets=sets, clips=1))
        assert sorted(held) == [
            *(("one", at, 0) for at in range(3)),
            *(("two", at, 0) for at in (0, 1)),
        ]

    def test_the_order_in_which_sets_are_written_changes_nothing(self):
        one, two = tones(7), tones(9, weight=2)
        assert heard(mix(sets={"a": one, "b": two})) == heard(mix(sets={"b": two, "a": one}))

    def test_a_pickled_copy_of_a_mix_finds_the_same_clips(self):
        found = mix(sets={"one": tones(7), "two": tones(9, weight=2)})
        assert heard(pickle.loads(pickle.dumps(found)), 3) == heard(found, 3)


class TestClips:
    def test_a_clip_is_the_sets_own_and_its_source_names_the_set(self):
        found = mix(sets={"one": tones(2), "two": tones(2)})
        sources = {clip.source for clip in found}
        assert sources == {"one: tone 0", "one: tone 40", "two: tone 0", "two: tone 40"}
        name, index, epoch = found.locate(1, 4)
        assert found.clip(1, 4).wave.equal(found.parts[name].clip(index, epoch).wave)

    def test_a_set_may_put_words_beside_its_captions(self):
        sets = {"one": tones(1, caption="{caption}, by hand"), "two": tones(1)}
        assert sorted(mix(sets=sets).captions()) == [
            "low saw chord, slow",
            "low saw chord, slow, by hand",
        ]
        assert {clip.text for clip in mix(sets=sets)} == set(mix(sets=sets).captions())

    def test_captions_that_are_empty_leave_the_sets_words_alone(self):
        found = mix(sets={"one": tones(1, caption="{caption}, by hand")})
        assert found.caption("one", "") == "by hand"

    def test_what_a_set_leaves_out_is_told_with_its_name(self, music):
        Path("drums/broken.wav").write_bytes(b"RIFF")
        found = training_clips(recipe(), length=1024)
        (line,) = found.skipped_files()
        assert line.startswith(
            f"drums: {music}/drums/broken.wav: is no audio file that can be read"
        )

    def test_a_file_that_turns_bad_is_told_with_its_set(self, music):
        found = training_clips(recipe(), length=1024)
        for path in Path("drums").iterdir():
            path.write_bytes(b"RIFF")
        with pytest.raises(AudioError, match=rf"^drums: {music}/drums/drums \d.flac: "):
            list(found)


class TestRecipes:
    def test_paths_of_sets_are_beside_the_recipe_and_told(self, music, monkeypatch):
        monkeypatch.chdir(music)
        Path("deep").mkdir()
        Path("deep/organ").mkdir()
        found = load_recipe(recipe_file("deep/nano.yaml"))
        assert paths_in(found.data) == {
            "sets.organ.data.path": f"{music}/deep/organ",
            "sets.drums.data.path": f"{music}/drums",
        }

    def test_a_weight_is_set_on_the_command_line(self, music):
        found = recipe("data.sets.organ.weight=2")
        assert found.data.options.sets["organ"].weight == 2

    @pytest.mark.parametrize(
        ("override", "told"),
        [
            ("data.sets.organ.weight=0", "data.sets.organ.weight: must be greater than 0 (got 0)"),
            (
                "data.sets.organ.weight=-1",
                "data.sets.organ.weight: must be greater than 0 (got -1)",
            ),
            (
                "data.sets.organ.data.paht=x",
                "data.sets.organ.data.paht: unknown option; did you mean 'path'?",
            ),
            (
                "data.sets.organ.data={use: mix, sets: {a: {data: tones}}}",
                "data.sets.organ.data: can't be a mix itself; name its sets beside this one",
            ),
            ('data.sets.organ.caption="a\\nb"', "data.sets.organ.caption: must be one line"),
            (
                "data.sets.My Music={data: tones}",
                "data.sets.My Music: a set's name must be lower-case words, as in 'my-set'",
            ),
            (
                "data.sets.organ.data.path=gone",
                (
                    "data.sets.organ.data.path: {here}/gone: there is no such folder; `path` names "
                    "the folder of your music"
                ),
            ),
            (
                "data.sets.organ.data.path=empty",
                (
                    "data.sets.organ.data.path: {here}/empty: holds no music, nor do folders in it "
                    "(.flac, .mp3, .oga, .ogg, .opus, .wav)"
                ),
            ),
        ],
    )
    def test_what_is_wrong_is_told_in_a_line_at_its_place(self, music, override, told):
        Path("empty").mkdir()
        with pytest.raises(RecipeError) as refused:
            training_clips(recipe(override), length=1024)
        assert str(refused.value) == f"--set {override}: {told.format(here=music)}"

    def test_a_mix_of_nothing_is_told(self, here):
        text = nano.RECIPE.replace("use: tones, tracks: 4, held_out: 2", "use: mix, sets: {}")
        with pytest.raises(RecipeError, match=r"^nano.yaml:5: data.sets: must not be empty$"):
            recipe(text=text)

    def test_all_sets_that_can_not_be_read_are_told(self, music):
        with pytest.raises(RecipeError) as refused:
            training_clips(
                recipe("data.sets.organ.data.path=a", "data.sets.drums.data.path=b"), length=1024
            )
        assert [(it.origin, it.path) for it in refused.value.problems] == [
            ("--set data.sets.drums.data.path=b", "data.sets.drums.data.path"),
            ("--set data.sets.organ.data.path=a", "data.sets.organ.data.path"),
        ]

    def test_a_set_without_clips_is_told(self, music, monkeypatch):
        found = recipe("data.sets.organ.data=tones")
        monkeypatch.setattr(found.data.options.sets["organ"].data.component, "__len__", lambda _: 0)
        with pytest.raises(RecipeError) as refused:
            training_clips(found, length=1024)
        told = "data.sets.organ.data: 'tones' holds no clips to train on"
        assert str(refused.value) == f"--set data.sets.organ.data=tones: {told}"

    def test_an_epoch_without_end_is_told(self, music):
        with pytest.raises(RecipeError) as refused:
            training_clips(recipe("data.sets.organ.weight=1e-9"), length=1024)
        assert str(refused.value) == (
            "nano.yaml:5: data.sets.organ: an epoch in which all its clips "
            "come once has more than 10,000,000 clips; raise its weight (now 1e-09), or say `clips`"
        )

    def test_where_an_index_lies_trains_nothing_again_and_weights_do(self, music):
        plain = stage_hash(recipe(), "generator")
        assert stage_hash(recipe("data.sets.organ.data.index=i.sqlite"), "generator") == plain
        assert stage_hash(recipe("data.sets.organ.weight=2"), "generator") != plain
        assert stage_hash(recipe("data.sets.organ.data.crops=2"), "generator") != plain

    def test_only_sets_that_must_be_told_where_they_are_make_a_mix_the_users_own(self, music):
        assert own_music(recipe())
        both = ("data.sets.organ.data=tones", "data.sets.drums.data=clips")
        assert not own_music(recipe(*both))

    def test_a_published_recipe_names_no_folder_of_its_owner(self, music):
        found = neutral(recipe("data.sets.organ.data.index=organ/x"))
        sets = found.to_dict()["data"]["sets"]
        assert [sets[name]["data"]["path"] for name in sets] == ["your-music", "your-music"]
        assert sets["organ"]["data"]["index"] is None
        assert (sets["organ"]["weight"], sets["organ"]["data"]["use"]) == (3.0, "folder")
        assert str(music) not in found.to_yaml()


def recipe_file(path):
    Path(path).write_text(RECIPE)
    return Path(path)


class TestLibraries:
    def test_data_check_counts_all_sets_and_names_them(self, music, capfd):
        Path("nano.yaml").write_text(RECIPE)
        facts = json.loads(nano.call(capfd, "data", "check", "nano.yaml", "--json").out)
        assert (facts["pieces"], facts["whole_tracks"]) == (15, True)
        assert f"organ: {music}/organ/organ 3.flac" in facts["without_licence"]

    def test_data_check_tells_a_track_that_one_set_learns_and_another_holds_out(self, music, capfd):
        held = dataset(recipe(), length=1024, split="validation").parts["organ"].tracks[0].path
        learned = Path("drums/other name.flac")
        learned.write_bytes(held.read_bytes())
        Path("nano.yaml").write_text(RECIPE)
        sets = "data.sets.drums.data.validation=0"
        facts = json.loads(
            nano.call(capfd, "data", "check", "nano.yaml", "--set", sets, "--json").out
        )
        names = [f"drums: {music}/{learned}", f"organ: {held}"]
        assert facts["leaks"] == [names]
        assert sorted(map(sorted, facts["duplicates"])) == [names]

    def test_one_folder_in_two_sets_with_other_splits_is_told(self, music, capfd):
        Path("nano.yaml").write_text(RECIPE)
        said = nano.call(
            capfd,
            *("data", "check", "nano.yaml", "--json"),
            *("--set", "data.sets.drums.data={use: folder, path: organ, validation: 0}"),
        )
        assert len(json.loads(said.out)["leaks"]) >= 1

    def test_copies_are_found_across_sets_before_training(self, music):
        Path("drums/copy.flac").write_bytes(Path("organ/organ 3.flac").read_bytes())
        found = duplicates_and_silence(
            training_clips(recipe("data.sets.drums.data.validation=0"), length=1024)
        )
        assert found.duplicates == [
            (f"organ: {music}/organ/organ 3.flac", f"drums: {music}/drums/copy.flac")
        ]

    def test_loudness_is_measured_before_of_each_set_that_asks_for_it(self, music, monkeypatch):
        found = training_clips(recipe("data.sets.organ.data.loudness=-20"), length=1024)
        measure(found, range(len(found)), workers=0, screen=Screen(quiet=True))
        monkeypatch.setattr(track_stats.TrackDataset, "measure", None)  # no more of it
        assert {clip.source.split(":")[0] for clip in found} == {"organ", "drums"}

    def test_a_system_learns_from_a_mix_and_goes_on_with_it(self, music):
        train_run(nano.system(text=RECIPE))
        assert Path("runs/nano/generator/weights.safetensors").is_file()
        again = stage_hash(load_recipe("runs/nano/recipe.yaml"), "generator")
        assert again == stage_hash(load_recipe("nano.yaml"), "generator")
