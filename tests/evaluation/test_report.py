"""The report: written once for the same weights, whatever there is to compare."""

import json
from pathlib import Path

import nano
import pytest

from mousai_kit import audio
from mousai_kit.core.errors import WeightsError
from mousai_kit.evaluation import report
from mousai_kit.training.run import train_run
from mousai_kit.training.validation import draws


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing, and measure few losses."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())
    monkeypatch.setattr(report, "draws", lambda *it, **kw: draws(*it, **{**kw, "at_least": 2}))


@pytest.fixture
def system(trained):
    return nano.system().load()


def written(*overrides, text=nano.RECIPE):
    return report.write_report(nano.system(*overrides, text=text).load())


def test_it_tells_of_every_stage_and_split(system):
    figures = report.write_report(system)
    assert [(it["stage"], it["split"], it["clips"]) for it in figures["decoded"]] == [
        ("autoencoder", "validation", ["tone 79", "tone 38"]),
        ("autoencoder", "train", ["tone 0", "tone 40"]),
    ]
    assert {split: list(it) for split, it in figures["loss"]["generator"].items()} == {
        "validation": ["right", "other", "none"],
        "train": ["right", "other", "none"],
    }
    folder = Path("runs/nano")
    assert json.loads((folder / "report.json").read_text()) == figures
    assert (folder / "report.md").read_text().startswith("# Report of nano\n")
    assert sorted(it.name for it in (folder / "evaluation").iterdir()) == [
        f"autoencoder-{split}-{number}.png"
        for split in ("train", "validation")
        for number in (1, 2)
    ]


def test_a_report_of_the_same_weights_is_used_again(system, monkeypatch):
    first = report.write_report(system)
    monkeypatch.setattr(report, "_reconstructions", lambda _: pytest.fail("evaluated again"))
    assert report.write_report(system) == first


def test_what_a_stage_learned_from_is_not_read_again_for_the_report(here, monkeypatch):
    shown, bar = [], nano.Screen.bar

    def noted(screen, label, total, *, stays=True):
        shown.extend([label] if stays else [])
        return bar(screen, label, total, stays=stays)

    monkeypatch.setattr(nano.Screen, "bar", noted)
    system = nano.system()
    train_run(system)
    report.write_report(system)
    latents = [f"latents for generator ({split})" for split in ("train", "validation")]
    assert shown == [*latents, "evaluating"]


def test_figures_that_are_not_finite_are_an_error_and_no_report(system):
    for stage in system.cascade.stages.values():
        for weights in stage.parameters():
            weights.data.fill_(float("nan"))
    with pytest.raises(WeightsError) as caught:
        report.write_report(system)
    told = (
        "is not finite (NaN or infinity), so no report was written; the weights are broken: train "
        "anew with a lower `learning_rate` or `precision: fp32`"
    )
    assert str(caught.value).splitlines() == [
        f"{place} on {split} clips {told}"
        for place in ("autoencoder: log-mel-distance", "generator: loss")
        for split in ("validation", "train")
    ]
    assert not Path("runs/nano/report.md").exists()


def test_a_report_that_holds_nan_is_written_anew(system):
    first = report.write_report(system)
    path = Path("runs/nano/report.json")
    path.write_text(json.dumps({**first, "loss": float("nan")}))
    assert report.write_report(system) == first


@pytest.mark.parametrize("damage", ["[1]", "{}", "3", "{", '{"made_from": 1}', None])
def test_a_damaged_report_is_written_anew(system, damage):
    first = report.write_report(system)
    path = Path("runs/nano") / ("report.json" if damage else "report.md")
    path.unlink()
    if damage:
        path.write_text(damage)
    assert report.write_report(system) == first
    assert Path("runs/nano/report.md").is_file()


def test_another_recipe_for_the_evaluation_is_another_report(system):
    first = report.write_report(system)
    assert len(written("evaluate.clips=1")["decoded"][0]["clips"]) == 1
    assert report.write_report(system) == first


def test_a_single_clip_leaves_out_what_needs_another(system):
    (_, train) = written("evaluate.clips=1")["decoded"]
    assert list(train["log-mel-distance"]) == ["trained", "untrained"]


def test_without_held_out_clips_only_those_of_training_are_told(trained, monkeypatch):
    Path("music").mkdir()
    nano.tone("music/one.wav")
    system = nano.system("data={use: folder, path: music}", folder="runs/one")
    train_run(system)
    figures = report.write_report(system)
    assert [it["split"] for it in figures["decoded"]] == ["train"]
    assert list(figures["loss"]["generator"]) == ["train"]
    assert list(figures["loss"]["generator"]["train"]) == ["right", "none"]


def test_without_metrics_there_are_pictures_and_losses(system):
    figures = written("evaluate.metrics=[]")
    assert all(list(it) == ["stage", "split", "clips"] for it in figures["decoded"])
    assert list(figures["loss"]) == ["generator"]


@pytest.mark.parametrize("seconds", ["1e-9", "0.01", "3"])
def test_clips_of_any_length_can_be_evaluated(system, seconds):
    assert written(f"evaluate.seconds={seconds}")["decoded"]


def test_a_system_without_text_has_no_losses_to_tell(here):
    system = nano.system(text=nano.AUTOENCODER_ONLY)
    train_run(system)
    assert report.write_report(system)["loss"] == {}


def test_the_last_message_says_what_was_heard_and_where_all_is(system):
    figures = {
        "decoded": [
            {
                "stage": "a",
                "split": "train",
                "clips": ["x"],
                "d": {"trained": [1.0, 2.0], "other": [-0.004]},
            }
        ],
        "loss": {"g": {"train": {"right": 1.0, "none": 2.0}}},
    }
    assert report.closing_message(
        system, figures, [Path("runs/nano/audio/x.flac")], source="a b.yaml"
    ).split("\n") == [
        "",
        "a: d on train clips: trained 1.50, other 0.00",
        "g: loss on train clips by caption: right 1.0000, none 2.0000",
        "",
        "Music, each with a mel picture beside it:",
        "  runs/nano/audio/x.flac",
        "",
        "Report:   runs/nano/report.md  (pictures in runs/nano/evaluation)",
        "Weights:  runs/nano/<stage>/weights.safetensors",
        "",
        "Try next:",
        '  mousai-kit generate runs/nano "your own words" --seconds 20 --seed 7',
        "  mousai-kit reconstruct runs/nano some-music.flac",
        "  mousai-kit run 'a b.yaml' --set data.use=folder --set data.path=~/Music --out runs/mine",
    ]


def test_what_a_system_is_not_good_for_is_not_advised(here):
    Path("my music").mkdir()
    nano.tone("my music/a.wav", seconds=2)
    data = "data={use: folder, path: my music}"
    system = nano.system(data, text=nano.AUTOENCODER_ONLY, folder="my runs/nano")
    said = report.closing_message(system, {"decoded": [], "loss": {}}, [], source="nano.yaml")
    assert said.split("\n")[-2:] == [
        "Try next:",
        "  mousai-kit reconstruct 'my runs/nano' some-music.flac",
    ]


def test_the_report_shows_curves_and_the_last_demos_where_there_are_some(trained):
    from mousai_kit.evaluation import report

    system = nano.system().load()
    assert report._training_section(system) == ""
    for stage in ("autoencoder", "generator"):
        (trained / stage / "loss.png").touch()
    for step in (900, 1000):
        (trained / "autoencoder" / "demos" / f"step-{step:08d}").mkdir(parents=True)
    assert report._training_section(system) == (
        "\n## Training\n\n![The course of autoencoder's training](autoencoder/loss.png)\n\n"
        "What autoencoder made in training: [step-00001000](autoencoder/demos/step-00001000), "
        "and before.\n\n![The course of generator's training](generator/loss.png)\n"
    )
