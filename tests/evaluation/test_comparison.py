"""Systems side by side: the same prompts and seeds, figures, pictures, a page that opens."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nano
import pytest
import small_metrics

from mousai_kit import audio
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, MousaiError, RecipeError, RequestError
from mousai_kit.core.files import file_lock
from mousai_kit.core.interfaces import Matrix, SetScore
from mousai_kit.evaluation import compare as comparing
from mousai_kit.evaluation import comparison, speed
from mousai_kit.evaluation.set_scores import MetricScore, format_figure
from mousai_kit.recipe import load_recipe
from mousai_kit.training.run import train_run

METRICS = "evaluate.metrics=[level-distance, word-count]"
SMALL = ("evaluate.generated=2", "evaluate.real=2")


@pytest.fixture
def runs(trained):
    """Return two runs: one of 8 kHz, one of 16 kHz."""
    other = nano.RECIPE.replace("8000", "16000").replace("name: nano", "name: other")
    train_run(nano.system(text=other, folder="runs/other", path="other.yaml"))
    return [str(trained), "runs/other"]


def judge(*overrides):
    return load_recipe("nano.yaml", [*SMALL, *overrides], registry=small_metrics.registry())


def compared(runs, *overrides, **settings):
    systems = comparing.contestants(runs)
    recipe = judge(*(overrides or (METRICS,)))
    return comparing.compare(systems, recipe, Path("out"), Screen(), **settings)


class Page(HTMLParser):
    """What a page names: players, pictures and text; every element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.sources += [unquote(value) for name, value in attrs if name == "src"]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


class TestComparison:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())

    def test_each_system_makes_the_same_prompts_and_seeds(self, runs, capfd):
        found = compared(runs)
        assert [it.name for it in found.systems] == ["nano", "other"]
        tags = [[audio.read_tags(path) for path in it.files] for it in found.systems]
        asked = [[(it["prompt"], it["seed"]) for it in system] for system in tags]
        assert asked[0] == asked[1] == [(it.prompt, str(it.seed)) for it in found.asked]
        told = "other: makes 16000 Hz; resampled to 8000 Hz where it is judged"
        assert told in capfd.readouterr().err

    def test_figures_stand_in_a_row_for_each_metric(self, runs):
        found = compared(runs)
        text = Path("out/compare.md").read_text()
        value = found.systems[1].scores[0].score.value
        row = (
            r"\| level-distance \(loudness-of-halves\) \(lower is better\) \| \S+ \(real \S+\) \| "
        )
        assert re.search(row + rf"{value:.3f} \(real \S+\) \|", text)
        assert "| word-count (higher is better, words) |" in text
        assert "| sample rate | 8000 Hz, mono | 16000 Hz, mono |" in text
        assert "| longest context | 0.5 s | 0.3 s |" in text
        assert json.loads(Path("out/compare.json").read_text()) == found.to_json(Path("out"))

    def test_the_page_opens_without_a_server(self, runs):
        found = compared(runs)
        page = Page(Path("out/index.html").read_text())
        assert page.open == []
        assert len(page.sources) == 2 * sum(len(it.files) for it in found.systems)
        assert all(Path("out", source).is_file() for source in page.sources)
        assert all(it.prompt in page.text for it in found.asked)

    def test_a_prompt_can_not_write_into_the_page(self, runs):
        prompt = "<script>alert(1)</script>"
        compared(runs, METRICS, f"evaluate.prompts=['{prompt}']")
        assert "<script" not in Path("out/index.html").read_text()
        assert prompt in Page(Path("out/index.html").read_text()).text

    def test_clips_that_are_there_are_used_again(self, runs):
        first = compared(runs)
        times = [path.stat().st_mtime_ns for it in first.systems for path in it.files]
        again = compared(runs, METRICS, "evaluate.real=1")
        assert [path.stat().st_mtime_ns for it in again.systems for path in it.files] == times

    def test_a_clip_that_can_not_be_decoded_is_made_anew(self, runs):
        first = compared(runs)
        path = first.systems[0].files[0]
        good = path.read_bytes()
        path.write_bytes(good[: len(good) // 2] + bytes(64) + good[len(good) // 2 + 64 :])
        again = compared(runs)
        assert again.systems[0].files[0] == path
        assert [it.score for it in again.systems[0].scores] == [
            it.score for it in first.systems[0].scores
        ]

    def test_a_silent_clip_is_left_out_and_told(self, runs, capfd, monkeypatch):
        write, spoilt = audio.AudioWriter.write, []

        def writing(writer, tags):
            if not spoilt or spoilt[0] == tags["prompt"]:
                spoilt.append(tags["prompt"])
                raise AudioError.about("clip", "is silent")
            write(writer, tags)

        monkeypatch.setattr(audio.AudioWriter, "write", writing)
        found = compared(runs)
        assert [path is None for path in found.systems[0].files] == [True, False]
        assert "clip: is silent" in capfd.readouterr().err
        assert "silent" in Page(Path("out/index.html").read_text()).text
        assert found.systems[0].scores[1].score.note.startswith("1 clips")

    def test_a_system_that_is_silent_has_no_figures_and_the_others_do(self, runs, monkeypatch):
        write = audio.AudioWriter.write

        def writing(writer, tags):
            if tags["recipe"] == "other":
                raise AudioError.about("clip", "is silent")
            write(writer, tags)

        monkeypatch.setattr(audio.AudioWriter, "write", writing)
        good, silent = compared(runs).systems
        assert [score.reason for score in silent.scores] == [
            "needs 2 clips or more (got 1); raise `evaluate.generated`",
            "there is no clip to judge: all that was made is silent",
        ]
        assert [score.reason for score in good.scores] == ["", ""]

    def test_genres_that_no_real_clip_has_are_told(self, runs, capfd):
        compared(runs, METRICS, "evaluate.prompts={Saw: [low saw chord], Polka: [polka]}")
        assert (
            "real music: no training clip is of the genre 'Polka', by its tag `genre` or its "
            "caption; name it in `evaluate.prompts` as the music does"
        ) in " ".join(capfd.readouterr().err.split())

    def test_matrices_stand_side_by_side_and_once_where_all_are_one(self, runs):
        genres = "evaluate.prompts={Saw: [low saw chord], Sine: [high sine]}"
        compared(runs, "evaluate.metrics=[genre-share]", genres)
        assert Path("out/matrices-1.png").read_bytes().startswith(b"\x89PNG")
        assert "![genre-share: sorted](matrices-1.png)" in Path("out/compare.md").read_text()
        assert "matrices-1.png" in Page(Path("out/index.html").read_text()).sources

    def test_each_is_timed_in_a_process_of_its_own(self, runs):
        found = compared(runs, timed_seconds=1.0)
        for system in found.systems:
            assert isinstance(system.speed, speed.Speed), system.speed
            assert (system.speed.audio_seconds, system.speed.device) == (1.0, "cpu")
            assert system.speed.real_time_factor == system.speed.seconds
            assert system.speed.peak_memory > 50e6
        text = Path("out/compare.md").read_text()
        assert re.search(r"\| real-time factor \| \d+\.\d{3} \| \d+\.\d{3} \|", text)


def test_figures_of_different_embeddings_are_in_rows_of_their_own():
    def result(name, label):
        score = MetricScore("distance", label, "", "lower", SetScore(1.0))
        return comparison.SystemResult(name, {}, [], [score], None)

    systems = [result("a", "distance (mel)"), result("b", "distance (clap)")]
    rows = comparison.score_rows(comparison.Comparison([], 1.0, {}, systems))
    assert rows == [
        ["distance (mel) (lower is better)", "1.000", "-"],
        ["distance (clap) (lower is better)", "-", "1.000"],
    ]


def test_a_system_is_called_by_its_folder_whatever_leads_there(trained, monkeypatch):
    monkeypatch.chdir(trained)
    names = [it.name for it in comparing.contestants([".", "../nano"])]
    assert names == ["nano", "nano-2"]


def test_systems_of_one_name_are_told_apart(trained):
    shutil.copytree(trained, "elsewhere/nano")
    names = [it.name for it in comparing.contestants([str(trained), "elsewhere/nano"])]
    assert names == ["nano", "nano-2"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["runs/nano"], "there is nothing to compare; name two runs or more"),
        (
            ["runs/nano", "runs/nona"],
            "runs/nona: there is no such run folder and no such recipe; did you mean 'runs/nano'?",
        ),
    ],
)
def test_what_can_not_be_compared_is_told(trained, targets, message):
    with pytest.raises(MousaiError) as caught:
        comparing.contestants(targets)
    assert str(caught.value) == message


def test_a_system_that_makes_nothing_from_text_is_refused_first(trained):
    train_run(nano.system(text=nano.AUTOENCODER_ONLY, folder="runs/mute", path="mute.yaml"))
    with pytest.raises(MousaiError) as caught:
        comparing.contestants([str(trained), "runs/mute"])
    assert str(caught.value) == (
        "runs/mute: makes no music from text, which is what is compared; leave it out"
    )


def test_a_judge_without_genres_is_told_before_anything_is_made(trained):
    with pytest.raises(RecipeError) as caught:
        comparing.check_judge(judge("evaluate.metrics=[genre-share]"))
    assert "'genre-share' sorts clips by genre; name prompts for two genres" in str(caught.value)


class TestFolder:
    def test_one_with_files_of_ones_own_is_refused(self, here):
        (here / "site").mkdir()
        (here / "site" / "index.html").write_text("mine")
        with pytest.raises(RequestError) as caught:
            comparing.check_out(Path("site"))
        assert str(caught.value) == (
            "site: holds an index.html, compare.md or compare.json that no comparison wrote; name "
            "another folder"
        )

    def test_one_of_a_comparison_is_written_again(self, runs, command):
        words = ("compare", *runs, "--timed", "0", "--out", "out", "--set", SMALL[0])
        assert [command(*words).code for _ in range(2)] == [0, 0]

    @pytest.mark.parametrize(
        ("out", "message"),
        [
            ("", "--out: must name a folder"),
            ("nano.yaml", "nano.yaml: is a file; name a folder to write to"),
        ],
    )
    def test_what_is_no_folder_is_refused(self, trained, command, out, message):
        answer = command("compare", trained, trained, "--out", out)
        assert (answer.code, answer.err) == (2, f"{message}\n")

    def test_two_comparisons_do_not_write_into_one(self, trained, command):
        Path("out").mkdir()
        with file_lock(Path("out/.lock")):
            answer = command("compare", trained, trained, "--timed", "0", "--out", "out")
        assert (answer.code, answer.err.splitlines()[-1]) == (
            2,
            "out: another comparison is being written there; wait, or name another folder",
        )


def test_weights_that_can_not_be_used_are_told_first(runs):
    nano.cut(Path(runs[1], "generator", "weights.safetensors"))
    with pytest.raises(MousaiError) as caught:
        comparing.check_weights(comparing.contestants(runs))
    assert str(caught.value).startswith("runs/other/generator/weights.safetensors: ")


class TestCommand:
    def test_the_first_run_whose_music_is_here_judges(self, trained, command):
        Path("music").mkdir()
        for number in range(6):
            nano.tone(f"music/{number}.wav", seconds=2, hertz=200 + 60 * number)
        data = "data={use: folder, path: music, validation: 0.3}"
        train_run(nano.system(data, folder="runs/gone", path="gone.yaml"))
        shutil.rmtree("music")
        words = ("--timed", "0", "--set", SMALL[0])
        answer = command("compare", "runs/gone", trained, *words)
        assert (answer.code, answer.err.count("Traceback")) == (0, 0)

    def test_what_is_not_about_judging_can_not_be_changed(self, trained, command):
        answer = command("compare", trained, trained, "--set", "generate.guidance=5")
        assert answer.code == 2
        assert answer.err == (
            "--set generate.guidance=5: each system is asked as its own recipe says; only "
            "`evaluate` and `data` change\n"
        )

    def test_compares_two_runs_with_metrics_of_its_own(self, runs, command):
        answer = command("compare", *runs, "--timed", "0", "--out", "out", "--set", SMALL[0])
        assert (answer.code, answer.err.count("Traceback")) == (0, 0)
        assert "| frechet-distance (mel-statistics) (lower is better) |" in answer.out
        assert answer.out.rstrip().endswith("Page: out/index.html")

    def test_prints_values_for_programs(self, runs, command):
        words = ("--timed", "0", "--json", *(it for pair in SMALL for it in ("--set", pair)))
        answer = command("compare", *runs, *words)
        found = json.loads(answer.out)
        assert [it["name"] for it in found["systems"]] == ["nano", "other"]
        assert found["systems"][0]["facts"]["hours"] is None
        assert Path("compared/index.html").is_file()

    def test_a_clock_beyond_an_hour_is_refused(self, trained, command):
        answer = command("compare", "runs/nano", "runs/nano", "--timed", "4000")
        assert (answer.code, answer.err) == (
            2,
            "--timed: must be 0 to 3600 seconds (got 4000)\n",
        )


def test_a_matrix_of_one_system_alone_is_drawn_for_it(tmp_path):
    matrix = Matrix(["a"], ["a"], [[1.0]], "sorted")
    score = MetricScore("m", "m", "", "higher", SetScore(1.0, matrices=[matrix]))
    systems = [comparison.SystemResult("a", {}, [], [score], None)]
    found = comparison.Comparison([], 1.0, {}, systems)
    assert comparing._draw_matrices(found, tmp_path) == {"m: sorted": "matrices-1.png"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (2253.4, "2,253"),
        (46.875, "46.9"),
        (0.6951, "0.695"),
        (-0.00001, "0.000"),
        (-12.34, "-12.3"),
    ],
)
def test_a_figure_has_as_many_digits_as_say_something(value, told):
    assert format_figure(value) == told
