"""The kinds' pages: an example of each, which fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from reader import DOCS, Reader

from mousai_kit.cli.describe import describe_recipe
from mousai_kit.core.component import Use
from mousai_kit.core.console import Screen
from mousai_kit.core.interfaces import KINDS, Clip, ClipSet, NoiseSource, RealClips
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.run import train_run


class TestExamples:
    """The examples of the kinds' pages, put together."""

    @pytest.fixture
    def read(self, reader: Reader) -> Reader:
        reader.follow(DOCS / "kinds" / "index.md")
        return reader

    def test_there_is_an_example_of_every_kind(self, read):
        assert {it.kind for it in read.components()} == set(KINDS)

    def test_every_example_goes_through_the_registry(self, read):
        registry = Registry()
        for component in read.components():
            registry.add(component, owner="the page")
        assert len(list(registry)) == len(read.components())

    def test_their_recipe_trains_generates_and_reports(self, read):
        from mousai_kit.evaluation import report
        from mousai_kit.generation import generate
        from mousai_kit.generation.generator import make_jobs

        recipe = load_recipe("nine.yaml", registry=read.registry())
        system = Run(recipe, RunFolder(Path("run")), Screen())
        system.folder.make()
        train_run(system)
        wanted = make_jobs(["a sine"], seed=0, count=1, seconds=0.5, guidance=1.0)
        (made,) = generate.generate(system, wanted, folder=system.folder.audio)
        figures = report.write_report(system)
        assert made.path.is_file()
        assert {it["stage"] for it in figures["decoded"]} == {"lower"}
        assert set(figures["loss"]) == {"upper"}

    def test_their_recipe_is_shown_without_being_allocated(self, read):
        facts = describe_recipe(load_recipe("nine.yaml", registry=read.registry()))
        assert [it["name"] for it in facts["stages"] if not it["training_bytes"]] == []

    def test_the_sampler_lands_on_the_data_given_a_perfect_network(self, read):
        registry = read.registry()
        cosine = registry.find("schedule", "cosine")
        schedule = cosine(cosine.Options())
        clipped = registry.find("sampler", "clipped")
        sampler = clipped(clipped.Options(steps=20), schedule=schedule)
        data = torch.linspace(-1, 1, 24).reshape(2, 3, 4)

        def velocity(x, sigma):
            alpha, beta = (it[:, None, None] for it in schedule.weights(sigma))
            noise = (x - alpha * data) / beta
            return alpha * noise - beta * data

        made = sampler.sample(velocity, NoiseSource([0, 1]).like(data))
        torch.testing.assert_close(made, data, rtol=0, atol=1e-5)

    def test_the_other_dataset_reads_the_files_of_a_folder(self, read):
        from mousai_kit import audio

        wave = 0.5 * torch.sin(torch.arange(8000) / 5)[None]
        for number in range(4):
            audio.write(Path(f"{number}.wav"), wave, sample_rate=8000, tags={"title": f"n{number}"})
        numbered = read.module.Numbered
        build_kwargs = {"sample_rate": 8000, "channels": 2, "length": 4000}
        train, held_out = (
            numbered(numbered.Options(path="."), **build_kwargs, split=split)
            for split in ("train", "validation")
        )
        assert (len(train), len(held_out)) == (3, 1)
        assert train.clip(0).wave.shape == (2, 4000)
        assert held_out.clip(0).text == "n3, 1 of 2"

    def test_the_metric_of_sets_finds_noise_further_from_music_than_music(self, read):
        registry = read.registry()
        centre, brightness = (
            registry.find(*it)
            for it in (("metric", "centre-distance"), ("embedding", "brightness"))
        )
        use = Use(brightness, brightness.Options())
        metric = centre(centre.Options(embedding=use), sample_rate=8000)
        tones = [0.3 * (torch.arange(8000) / pitch).sin()[None] for pitch in (3, 4, 5, 6)]
        noise = 0.1 * torch.randn(4, 1, 8000, generator=torch.Generator().manual_seed(0))
        tone_set, other, noises = (
            ClipSet([Clip(wave, "") for wave in waves]) for waves in (tones[:2], tones[2:], noise)
        )
        real = RealClips(other, other)
        near, far = metric.score(tone_set, real), metric.score(noises, real)
        assert near.value < far.value
        assert near.beside == {"real music": 0}
        assert metric.label == "centre-distance (brightness)"
