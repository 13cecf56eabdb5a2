"""Clips made from text are judged by metrics of sets and of texts, in the report."""

import json
from pathlib import Path

import nano
import pytest
import small_metrics
import torch
from safetensors.torch import load_file, save_file

from mousai_kit import audio
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RecipeError
from mousai_kit.core.interfaces import Clip
from mousai_kit.evaluation import report
from mousai_kit.evaluation.clip_sets import AskedClip, asked_clips, distinct_captions, genre_of
from mousai_kit.evaluation.embedding_cache import EmbeddingCache
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.checks import check_run
from mousai_kit.training.validation import draws

METRICS = "evaluate.metrics=[log-mel-distance, level-distance, word-count]"
SMALL = ("evaluate.generated=3", "evaluate.real=2", "generate.guidance=1")
BY_GENRE = "evaluate.prompts={Saw: [low saw chord], Sine: [high sine, a sine]}"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw no mel picture, and measure few losses."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())
    monkeypatch.setattr(report, "draws", lambda *it, **kw: draws(*it, **{**kw, "at_least": 2}))


def system(*overrides, text=nano.RECIPE):
    path = Path("nano.yaml")
    path.write_text(text)
    recipe = load_recipe(path, [*SMALL, *overrides], registry=small_metrics.registry())
    return Run(recipe, RunFolder(Path("runs/nano")), Screen())


def scores(*overrides):
    figures = report.write_report(system(*overrides).load())
    return {it["metric"]: it for it in figures["generated"]["scores"]}


class TestReport:
    def test_metrics_of_sets_and_of_texts_stand_beside_those_of_pairs(self, trained):
        figures = report.write_report(system(METRICS).load())
        assert list(figures["decoded"][0]) == ["stage", "split", "clips", "log-mel-distance"]
        made = figures["generated"]
        assert (len(made["clips"]), made["seconds"], made["real"]) == (
            3,
            0.5,
            {"train": 2, "validation": 2},
        )
        level, words = made["scores"]
        assert level["label"] == "level-distance (loudness-of-halves)"
        assert list(level["beside"]) == ["real"]
        assert (level["note"], words["unit"]) == ("3 clips", "words")
        text = Path("runs/nano/report.md").read_text()
        assert "## Clips made from text\n\n3 clips of 0.5 s from 2 prompts, guidance 1, " in text
        row = f"| lower is better | {level['value']:.3f} | real {level['beside']['real']:.3f} |"
        assert f"| level-distance (loudness-of-halves) {row} 3 clips |" in text
        assert json.loads(Path("runs/nano/report.json").read_text()) == figures

    def test_clips_are_asked_for_by_held_out_captions_where_there_are_no_prompts(self, trained):
        found = report.write_report(system(METRICS).load())["generated"]["clips"]
        held_out = [it["prompt"] for it in found]
        assert [it["seed"] for it in found] == [0, 0, 1]
        assert held_out[0] == held_out[2] != held_out[1]

    def test_the_clips_are_files_in_the_run_that_are_used_again(self, trained, monkeypatch):
        first = report.write_report(system(METRICS).load())
        files = [Path("runs/nano", it["file"]) for it in first["generated"]["clips"]]
        times = [path.stat().st_mtime_ns for path in files]
        assert all(path.is_relative_to("runs/nano/evaluation/generated") for path in files)
        second = report.write_report(system(METRICS, "evaluate.clips=1").load())
        assert [path.stat().st_mtime_ns for path in files] == times
        assert second["generated"] == first["generated"]

    def test_another_guidance_makes_other_clips(self, trained):
        first = scores(METRICS)["level-distance"]["value"]
        assert scores(METRICS, "generate.guidance=9")["level-distance"]["value"] != first

    def test_a_text_metric_tells_right_from_other_prompts(self, trained):
        prompts = "evaluate.prompts=[one, two words, three words here]"
        words = scores(METRICS, prompts)["word-count"]
        assert words["value"] == 2
        assert words["beside"]["another's prompt"] == 2
        assert words["beside"]["real music"] == 4

    def test_one_prompt_has_no_other(self, trained):
        words = scores(METRICS, "evaluate.prompts=[one]")["word-count"]
        assert list(words["beside"]) == ["real music"]

    def test_a_metric_that_says_nothing_leaves_the_others_alone(self, trained, capfd):
        found = scores(METRICS, "evaluate.generated=1")
        assert found["level-distance"]["reason"] == (
            "needs 2 clips or more (got 1); raise `evaluate.generated`"
        )
        assert found["word-count"]["value"] == 4
        told = "level-distance (loudness-of-halves): left out: needs 2 clips or more (got 1)"
        assert told in capfd.readouterr().err.replace("\n", " ")
        assert "| - |  | left out: needs 2 clips" in Path("runs/nano/report.md").read_text()

    def test_vectors_that_are_not_finite_name_the_clip_and_the_embedding(self, trained):
        broken = "evaluate.metrics=[{use: level-distance, embedding: broken}]"
        clip = Path(report.write_report(system(broken).load())["generated"]["clips"][0]["file"])
        assert scores(broken)["level-distance"]["reason"] == (
            f"the vectors that 'broken' makes of '{clip.name}' are not finite; leave the clip "
            "out, or use another embedding"
        )

    def test_tables_are_told_and_drawn(self, trained):
        found = scores("evaluate.metrics=[genre-share]", BY_GENRE, "evaluate.generated=4")
        assert found["genre-share"]["value"] == 0.5
        assert found["genre-share"]["note"] == "1 real"
        text = Path("runs/nano/report.md").read_text()
        assert "### sorted\n\n|  | Saw | Sine |\n| --- | --- | --- |\n| Saw | 100 % |  |\n" in text
        picture = Path("runs/nano/evaluation/genre-share-1.png")
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert f"![sorted](evaluation/{picture.name})" in text


class TestChecks:
    def test_a_metric_of_genres_needs_prompts_by_genre(self, here):
        found = system("evaluate.metrics=[genre-share]")
        with pytest.raises(RecipeError) as caught:
            check_run(found.recipe, found.cascade)
        assert str(caught.value) == (
            "--set evaluate.metrics=[genre-share]: evaluate.metrics.0: 'genre-share' sorts clips "
            "by genre; name prompts for two genres or more: `evaluate.prompts: {Metal: [Death "
            "Metal], Pop: [Synth Pop]}`"
        )

    def test_a_system_that_hears_no_text_can_not_be_judged_by_its_clips(self, here):
        text = nano.AUTOENCODER_ONLY + "evaluate: {metrics: [word-count]}\n"
        found = system(text=text)
        with pytest.raises(RecipeError) as caught:
            check_run(found.recipe, found.cascade)
        assert str(caught.value) == (
            "nano.yaml:17: evaluate.metrics.0: 'word-count' judges clips made from text, and the "
            "top stage, diffusion-autoencoder, makes none; leave it out"
        )

    @pytest.mark.parametrize(
        ("prompts", "message"),
        [
            ("Rock", "must be a list of texts, or such lists by genre (got 'Rock')"),
            ("[Rock, 1]", "1: must be text; put it in quotes (got 1)"),
            ("{Rock: loud}", "Rock: must be a list of one text or more (got 'loud')"),
            ("{Rock: []}", "Rock: must be a list of one text or more (got a list)"),
            ("{Rock: [a, true]}", "Rock.1: must be text; put it in quotes (got true)"),
            ("{' ': [a]}", "a genre must have a name (got ' ')"),
        ],
    )
    def test_prompts_that_are_none_are_refused(self, here, prompts, message):
        with pytest.raises(RecipeError) as caught:
            system(f"evaluate.prompts={prompts}")
        place = f"--set evaluate.prompts={prompts}: evaluate.prompts"
        dot = "." if message.partition(":")[0].replace(".", "").isalnum() else ": "
        assert str(caught.value) == f"{place}{dot}{message}"


class TestAsked:
    def test_prompts_are_gone_through_and_then_with_the_next_seed(self):
        assert asked_clips(["a", "b"], 5) == [
            AskedClip("a", 0),
            AskedClip("b", 0),
            AskedClip("a", 1),
            AskedClip("b", 1),
            AskedClip("a", 2),
        ]

    def test_genres_have_as_many_clips_each(self):
        found = asked_clips({"X": ["a", "b"], "Y": ["c"]}, 4)
        assert [(it.genre, it.prompt, it.seed) for it in found] == [
            ("X", "a", 0),
            ("Y", "c", 0),
            ("X", "b", 0),
            ("Y", "c", 1),
        ]


class TestGenres:
    GENRES = {"Metal": ["Death Metal"], "Pop": ["Synth Pop", "pop"]}

    @pytest.mark.parametrize(
        ("text", "facts", "genre"),
        [
            ("Some Song, death metal", {}, "Metal"),
            ("Metal", {}, "Metal"),
            ("A Song", {"genre": "Jazz; Pop"}, "Pop"),
            ("A metal song", {}, ""),
            ("", {}, ""),
        ],
    )
    def test_a_tag_or_a_part_of_the_caption_names_it(self, text, facts, genre):
        clip = Clip(torch.zeros(1, 4), text, facts=facts)
        assert genre_of(clip, self.GENRES) == genre


def test_captions_are_of_different_tracks():
    texts = [("a", "one"), ("b", "one"), ("b", "one"), ("", "two"), ("c", "three"), ("d", "four")]
    clips = (Clip(torch.zeros(1, 4), text, source) for text, source in texts)
    assert distinct_captions(clips, 2) == ["a", "c"]


class TestCache:
    def clip(self, level):
        return Clip(torch.full((1, 8), level), "", "clip")

    def embedding(self, **options):
        made = small_metrics.Loudness.Options(**options)
        return small_metrics.Loudness(made, sample_rate=8000)

    def test_vectors_of_the_same_sound_are_kept_on_the_disk(self, here):
        first, second = self.embedding(), self.embedding()
        cache = EmbeddingCache(here / "kept")
        found = cache.embed(first, self.clip(0.5))
        cache.embed(first, self.clip(0.5))
        cache.save()
        again = EmbeddingCache(here / "kept").embed(second, self.clip(0.5))
        assert torch.equal(again, found)
        assert (first.asked, second.asked) == (1, 0)

    def test_other_options_and_other_sounds_have_vectors_of_their_own(self, here):
        cache = EmbeddingCache(here)
        for embedding, level in ((self.embedding(), 0.5), (self.embedding(), 0.25)):
            assert cache.embed(embedding, self.clip(level)).max() == level
        assert cache.embed(self.embedding(scale=2), self.clip(0.5)).max() == 1

    @pytest.mark.parametrize(
        "wrong", [torch.zeros(3, 5), torch.full((2, 1), float("nan")), torch.zeros(0, 1)]
    )
    def test_what_can_be_no_vectors_is_made_anew(self, here, wrong):
        cache = EmbeddingCache(here)
        found = cache.embed(self.embedding(), self.clip(0.5))
        cache.save()
        (path,) = here.glob("*.safetensors")
        save_file(dict.fromkeys(load_file(path), wrong), path)
        assert torch.equal(EmbeddingCache(here).embed(self.embedding(), self.clip(0.5)), found)

    def test_a_damaged_file_is_made_anew(self, here):
        cache = EmbeddingCache(here)
        found = cache.embed(self.embedding(), self.clip(0.5))
        cache.save()
        for path in here.glob("*.safetensors"):
            nano.cut(path)
        other = self.embedding()
        assert torch.equal(EmbeddingCache(here).embed(other, self.clip(0.5)), found)
        assert other.asked == 1
