"""Genre confusion: what a classifier of real music hears in clips."""

import pytest
import torch
from pydantic import ValidationError
from sampled_clips import Samples, Words, clips, measured_by, real

import mousai_kit.api as mk
from mousai_kit_metrics.genre_classifier import GenreClassifier, cross_validate
from mousai_kit_metrics.genre_confusion import GenreConfusion

PLACES = {"metal": (4.0, 0.0, 1.0), "jazz": (0.0, 4.0, -1.0), "folk": (-3.0, -3.0, 0.0)}


def music(genres, *, seed=0, spread=0.3, heard=None):
    """Return clips of three vectors near their genre's place, or near that of what is `heard`."""
    draw = torch.Generator().manual_seed(seed)
    places = torch.tensor([PLACES[genre] for genre in heard or genres])
    vectors = places[:, None] + spread * torch.randn(len(genres), 3, 3, generator=draw)
    names = [f"{seed}-{number}.wav" for number in range(len(genres))]
    return clips(vectors, genres=list(genres), sources=names)


TRAIN = music(["metal", "jazz", "folk"] * 6, seed=1)
HELD_OUT = music(["metal", "jazz", "folk"] * 2, seed=2)


def score(made, train=TRAIN, held_out=HELD_OUT, **options):
    return measured_by(GenreConfusion, **options).score(made, real(train, held_out))


def message(*arguments, **options):
    with pytest.raises(mk.RequestError) as raised:
        score(*arguments, **options)
    return str(raised.value)


def test_clips_of_their_genres_are_all_told_right():
    found = score(music(["metal", "jazz", "folk", "folk"]))
    assert found.value == 100
    assert found.beside == {"chance": pytest.approx(100 / 3), "real music": 100}
    assert found.note == "4 generated clips; real music: 6 held-out clips"
    made, theirs = found.matrices
    assert (made.title, theirs.title) == ("generated clips", "real music: 6 held-out clips")
    assert made.rows == made.columns == ["folk", "jazz", "metal"]
    assert made.shares == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_the_table_says_what_was_heard_instead():
    asked, heard = ["metal", "metal", "jazz", "jazz"], ["metal", "folk", "jazz", "jazz"]
    found = score(music(asked, heard=heard))
    assert found.value == 75
    assert found.matrices[0].rows == ["jazz", "metal"]
    assert found.matrices[0].columns == ["folk", "jazz", "metal"]
    assert found.matrices[0].shares == [[0, 1, 0], [0.5, 0, 0.5]]


def test_without_held_out_genres_it_is_tried_on_tracks_that_it_did_not_learn_from():
    found = score(music(["metal", "jazz"]), held_out=music(["metal", "metal"], seed=2))
    assert found.beside["real music"] == 100
    told = "18 training clips, of tracks that it did not learn from"
    assert found.note == f"2 generated clips; real music: {told}"
    assert found.matrices[1].title == f"real music: {told}"


def test_genres_that_can_not_be_told_apart_are_no_better_than_chance_on_real_music():
    """Clips of one track are alike: who tried them on their own track would hear 100 %."""
    draw = torch.Generator().manual_seed(0)
    places = torch.randn(40, 1, 6, generator=draw).repeat_interleave(3, 0)
    vectors = places + 0.01 * torch.randn(120, 2, 6, generator=draw)
    tracks = [f"{number // 3}.wav" for number in range(120)]
    genres = [("metal", "jazz")[number // 3 % 2] for number in range(120)]
    train = clips(vectors, sources=tracks, genres=genres)
    found = score(
        music(["metal", "jazz"]),
        train=clips(vectors[..., :3], sources=tracks, genres=genres),
        held_out=mk.ClipSet([]),
    )
    assert len(train) == 120
    assert found.beside["real music"] < 70


def test_a_genre_of_many_clips_is_no_likelier_than_one_of_few():
    train = music(["metal"] * 40 + ["jazz"] * 4, seed=1, spread=2.0)
    made = score(music(["metal", "jazz"] * 20, seed=5, spread=2.0), train=train).matrices[0]
    right = [made.shares[number][number] for number in range(2)]
    assert min(right) > 0.7


def test_tracks_too_few_to_try_it_on_are_told():
    train = music(["metal", "jazz"], seed=1)
    found = score(music(["metal", "jazz"]), train=train, held_out=mk.ClipSet([]))
    assert found.beside == {"chance": 50}
    assert found.note == "2 generated clips; real music: too few tracks to tell how far to trust it"
    assert len(found.matrices) == 1


def test_clips_without_a_known_genre_are_left_out_and_told():
    asked = music(["metal", "jazz", "metal"])
    others = [
        mk.Clip(it.wave, "", facts=facts)
        for it, facts in zip(asked.clips, ({}, {"genre": "ska"}, {}), strict=True)
    ]
    found = score(mk.ClipSet([*asked.clips, *others]))
    assert found.note == (
        "3 generated clips (3 more without a genre that is known); real music: 6 held-out clips"
    )


def test_prompts_of_one_genre():
    assert message(music(["metal", "metal"])) == (
        "genre-confusion: needs clips of two genres or more that are known; "
        "name prompts for two genres or more in `evaluate.prompts` (got 1)"
    )


def test_prompts_of_no_genre():
    assert message(clips(torch.zeros(2, 3))) == (
        "genre-confusion: needs clips of two genres or more that are known; "
        "name prompts for two genres or more in `evaluate.prompts` (got 0)"
    )


def test_prompts_of_genres_that_the_music_has_not():
    made = clips(torch.zeros(2, 3), genres=["ska", "polka"])
    assert message(made) == (
        "genre-confusion: needs clips of two genres or more that are known; "
        "those of the training clips are folk, jazz, metal (got 0)"
    )


def test_training_clips_without_genres():
    assert message(music(["metal", "jazz"]), train=clips(torch.zeros(4, 3))) == (
        "genre-confusion: needs training clips of two genres or more, "
        "each told by its fact 'genre' (got 0)"
    )


class TestZeroShot:
    ASKED = clips(torch.eye(3), genres=["a", "b", "b"])

    def score(self, *arguments):
        metric = measured_by(GenreConfusion, Words, classifier="zero-shot")
        return metric.score(*arguments)

    def test_the_nearest_name_is_what_is_heard(self):
        found = self.score(self.ASKED, real(clips(torch.eye(3), genres=["a", "b", "ccc"])))
        assert found.value == pytest.approx(200 / 3)
        assert found.matrices[0].columns == ["a", "b", "ccc"]
        assert found.matrices[0].shares == [[1, 0, 0], [0, 0.5, 0.5]]
        assert found.beside == {"chance": pytest.approx(100 / 3), "real music": 100}
        assert found.note == "3 generated clips; real music: 3 training clips"

    def test_no_real_music_is_needed(self):
        found = self.score(self.ASKED, real())
        assert found.matrices[0].columns == ["a", "b"]

    def test_an_embedding_that_reads_no_text_is_refused(self):
        with pytest.raises(ValidationError) as raised:
            measured_by(GenreConfusion, Samples, classifier="zero-shot")
        (problem,) = raised.value.errors()
        assert problem["msg"] == (
            "Value error, `classifier: zero-shot` needs an embedding that reads text, such as clap "
            "(got 'samples')"
        )


class TestClassifier:
    def test_it_finds_the_least_of_its_loss(self):
        clips = [torch.randn(2, 3, generator=torch.Generator().manual_seed(it)) for it in range(9)]
        genres = ["x", "y", "z"] * 3
        learned = GenreClassifier.learn(clips, genres)
        weights = learned.weights.clone().requires_grad_()
        loss = 0.005 * weights[:-1].square().sum()
        for clip, genre in zip(clips, genres, strict=True):
            inputs = (clip.double() - learned.center) / learned.spread
            logits = torch.cat([inputs, torch.ones(2, 1)], 1) @ weights
            loss = loss - logits.log_softmax(-1)[:, learned.genres.index(genre)].mean() / 9
        loss.backward()
        assert weights.grad.abs().max() < 1e-4

    def test_a_feature_that_never_changes_is_no_trouble(self):
        clips = [torch.tensor([[float(it % 2), 7.0]]) for it in range(6)]
        learned = GenreClassifier.learn(clips, ["x", "y"] * 3)
        assert learned.hear(clips) == ["x", "y"] * 3

    def test_no_clip_is_heard_by_who_learned_from_its_track(self):
        """Each track's clips are alike and its genre is none that its place tells."""
        clips = [torch.tensor([[float(track), 0.0]]) for track in range(8) for _ in range(2)]
        tracks = [str(track) for track in range(8) for _ in range(2)]
        genres = ["x" if track % 2 else "y" for track in range(8) for _ in range(2)]
        numbers, heard = cross_validate(clips, genres, tracks, 8)
        assert sorted(numbers) == list(range(16))
        right = [heard[at] == genres[number] for at, number in enumerate(numbers)]
        assert sum(right) < 12
