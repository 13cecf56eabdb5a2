"""Evaluation: what is decoded is compared with what is real, and told in tables."""

from pathlib import Path

import nano
import pytest

from mousai_kit import audio
from mousai_kit.core.interfaces import Metric
from mousai_kit.evaluation.evaluation import Evaluation, ReconstructionScores, render_markdown


class Loudness(Metric):
    """How much louder the real audio is."""

    name, unit, better = "loudness", "", "lower"

    def __init__(self, options=None, *, sample_rate=8000):
        self.heard = []

    def score(self, generated, reference):
        self.heard.append((generated, reference))
        return float(reference.abs().mean() - generated.abs().mean())


def decoded(system, count, *, metric=None, ticks=None):
    ticks = [] if ticks is None else ticks
    evaluation = Evaluation(
        system.cascade,
        system.untrained_copy(),
        [metric or Loudness()],
        seed=0,
        tick=lambda: ticks.append(1),
    )
    clips = system.recipe.data.build(sample_rate=8000, channels=1, length=4000, split="train")
    return evaluation.decode("autoencoder", "train", [clips[i] for i in range(count)], Path("p"))


@pytest.fixture
def system(trained, monkeypatch):
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())
    Path("p").mkdir()
    return nano.system().load()


def test_each_clip_is_scored_in_each_way_and_drawn(system):
    found = decoded(system, 3)
    assert {way: len(it) for way, it in found.scores["loudness"].items()} == {
        "trained": 3,
        "untrained": 3,
        "other": 3,
    }
    assert found.sources == ["tone 0", "tone 40", "tone 80"]
    assert sorted(it.name for it in Path("p").iterdir()) == [
        f"autoencoder-train-{number}.png" for number in (1, 2, 3)
    ]


def test_trained_untrained_and_another_latent_sound_differently(system):
    metric = Loudness()
    decoded(system, 2, metric=metric)
    made = [it for it, _ in metric.heard]
    assert all(not one.equal(other) for i, one in enumerate(made) for other in made[:i])


def test_real_audio_is_what_is_compared_with(system):
    metric = Loudness()
    decoded(system, 2, metric=metric)
    clips = system.recipe.data.build(sample_rate=8000, channels=1, length=4000, split="train")
    for number, (_, real) in enumerate(metric.heard):
        assert real[0].equal(clips[number % 2].wave)


def test_a_single_clip_has_no_other(system):
    assert list(decoded(system, 1).scores["loudness"]) == ["trained", "untrained"]


def test_the_same_evaluation_gives_the_same_figures(system):
    assert decoded(system, 2).scores == decoded(system, 2).scores


def test_every_evaluation_of_the_network_is_a_tick(system):
    ticks = []
    decoded(system, 2, ticks=ticks)
    assert len(ticks) == 3 * 2


def test_the_document_has_a_table_a_metric_and_means():
    ways = {"trained": [1.0, 2.0], "untrained": [3.0, 4.0], "other": [5.0, 6.0]}
    text = render_markdown(
        "Report of x",
        [ReconstructionScores("autoencoder", "validation", ["a", "b"], {"distance": ways})],
        {"generator": {"train": {"right": 1.0, "other": 2.0, "none": 3.0}}},
        {"distance": "dB"},
    )
    assert text == (
        "# Report of x\n"
        "\n"
        "## autoencoder: distance (dB), validation clips\n"
        "\n"
        "| clip | trained | untrained | other |\n"
        "| --- | --- | --- | --- |\n"
        "| a | 1.00 | 3.00 | 5.00 |\n"
        "| b | 2.00 | 4.00 | 6.00 |\n"
        "| **mean** | **1.50** | **3.50** | **5.50** |\n"
        "\n"
        "## Validation loss of stages that follow a text\n"
        "\n"
        "| stage | clips | right caption | another's | none |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| generator | train | 1.0000 | 2.0000 | 3.0000 |\n"
    )


def test_what_a_single_clip_lacks_the_document_leaves_out():
    text = render_markdown(
        "R",
        [ReconstructionScores("a", "train", ["x"], {"d": {"trained": [1.0], "untrained": [2.0]}})],
        {"g": {"train": {"right": 1.0, "none": 3.0}}},
        {"d": ""},
    )
    assert "## a: d, train clips\n\n| clip | trained | untrained |\n" in text
    assert "| g | train | 1.0000 | - | 3.0000 |" in text


def test_a_source_can_not_break_the_table():
    ways = {"trained": [1.0]}
    text = render_markdown(
        "R", [ReconstructionScores("a", "train", ["x|y\nz.wav"], {"d": ways})], {}, {"d": ""}
    )
    assert "| x\\|y z.wav | 1.00 |" in text


def test_nothing_is_no_less_than_nothing():
    ways = {"trained": [-0.004, 0.0], "other": [-0.2, 0.1]}
    text = render_markdown(
        "R", [ReconstructionScores("a", "train", ["x", "y"], {"d": ways})], {}, {"d": ""}
    )
    assert "| x | 0.00 | -0.20 |\n| y | 0.00 | 0.10 |\n| **mean** | **0.00** | **-0.05** |" in text
