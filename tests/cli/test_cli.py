"""The commands: what they answer, where, and with which exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nano
import pytest

from mousai_kit import __version__, audio
from mousai_kit.cli import app
from mousai_kit.core.plugins import installed_registry
from mousai_kit.training.trainer import Trainer
from mousai_kit_starter import FOLDER

COMMANDS = (
    *("run", "generate", "reconstruct", "evaluate", "compare"),
    *("validate", "ls", "show", "plan", "plugins", "doctor", "cp", "schema", "studio"),
    *("import", "export", "publish"),
)
GROUPS = {"data": ("check", "encode"), "new": ("plugin", "recipe")}
PROGRAM = [
    sys.executable,
    "-c",
    """from mousai_kit import cli
from mousai_kit.core import console
console.WORD_AFTER = 1e9
cli.main()""",
]
"""The program on a machine that is quick enough to say nothing of what it does."""


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Draw nothing; tables as wide as they like."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())
    monkeypatch.setenv("COLUMNS", "200")


# help


def test_every_command_has_help(command):
    grouped = [(group, it) for group, names in GROUPS.items() for it in names]
    for name in ((), *((it,) for it in COMMANDS), *grouped):
        answer = command(*name, "--help")
        assert answer.code == 0
        assert answer.err == ""
        assert "Usage: mousai-kit" in answer.out
        assert "--no-" not in answer.out  # what is off by default needs no way to be off
    assert {it.name or it.callback.__name__ for it in app.registered_commands} == set(COMMANDS)
    assert {it.name for it in app.registered_groups} == set(GROUPS)
    for group in app.registered_groups:
        found = {it.callback.__name__ for it in group.typer_instance.registered_commands}
        assert found == set(GROUPS[group.name])


def test_without_a_command_there_is_help(command):
    answer = command()
    assert (answer.code, answer.err) == (2, "")
    assert all(name in answer.out for name in COMMANDS)


def test_help_and_version_load_nothing_heavy(here):
    code = (
        "import sys\nsys.argv = ['mousai-kit', '{}']\nfrom mousai_kit.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([it for it in ('torch', 'transformers', 'numpy', 'soundfile', 'matplotlib', "
        "'mousai_kit.recipe', 'mousai_kit_mousai') if it in sys.modules])"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(option)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"
        assert done.stderr == ""


@pytest.mark.parametrize("recipe", ["mousai", "mousai-tiny"])
def test_a_recipe_is_validated_without_what_takes_seconds_to_import(here, recipe):
    code = (
        f"import sys\nsys.argv = ['mousai-kit', 'validate', '{recipe}']\n"
        "from mousai_kit.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([it for it in ('transformers', 'torch._dynamo', 'sympy', 'scipy', 'matplotlib', "
        "'accelerate', 'datasets', 'huggingface_hub') if it in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    valid, loaded = done.stdout.splitlines()
    assert valid.startswith(f"{recipe}: valid (")
    assert loaded == "[]"


@pytest.mark.skipif(not any(FOLDER.glob("*/weights.safetensors")), reason="no weights here")
def test_playing_imports_nothing_that_only_training_or_a_picture_needs_before_it_sounds(here):
    code = (
        "import sys\nsys.argv = ['mousai-kit', 'generate', 'starter', 'Rock', '--seconds', '0.5', "
        "'--steps', '2']\nfrom mousai_kit.cli import main\n"
        "from mousai_kit.generation.rendering import FileSink\n"
        "add, finish = FileSink.add, FileSink.finish\n"
        "def noted(sink, piece): there.update(sys.modules); add(sink, piece)\n"
        "def last(sink): finish(sink); print(sorted(absent & set(sys.modules)))\n"
        "there = {}\nFileSink.add, FileSink.finish = noted, last\n"
        "absent = {'transformers', 'torch._dynamo', 'sympy', 'scipy', 'accelerate', 'datasets', "
        "'huggingface_hub', 'packaging.requirements', 'mousai_kit.training', "
        "'mousai_kit.evaluation', 'matplotlib'}\n"
        "later = absent | {'PIL', 'torchaudio', 'mutagen', 'soundfile'}\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted(later & set(there)), bool(there))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    at_the_end, _, before_sound = done.stdout.splitlines()
    assert at_the_end == "[]"
    assert before_sound == "[] True"


def test_the_version(command):
    assert command("--version").out == f"mousai-kit {__version__}\n"


# run and what follows


def test_a_run_makes_everything_and_a_second_one_reuses_it(here, command):
    Path("nano.yaml").write_text(nano.RECIPE)
    first = command("run", "nano.yaml")
    assert first.code == 0
    assert "\n  runs/nano/audio/low-saw-chord-0.flac\n" in first.out
    assert "\nTry next:\n" in first.out
    assert "Traceback" not in first.err
    kept = Path("runs/nano/audio/low-saw-chord-0.flac").stat().st_mtime_ns
    again = command("run", "nano.yaml", "--json")
    values = json.loads(again.out)
    assert values["folder"] == "runs/nano"
    assert values["clips"] == [
        {
            "path": "runs/nano/audio/low-saw-chord-0.flac",
            "picture": "runs/nano/audio/low-saw-chord-0.png",
            "prompt": "low saw chord",
            "seed": 0,
            "reused": True,
        }
    ]
    assert Path("runs/nano/audio/low-saw-chord-0.flac").stat().st_mtime_ns == kept


def test_prompts_of_a_system_without_text_are_refused_before_training(here, command):
    Path("a.yaml").write_text(nano.AUTOENCODER_ONLY + "generate: {prompts: [x]}\n")
    answer = command("run", "a.yaml")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "a.yaml:17: generate.prompts: the top stage, diffusion-autoencoder, makes no music from "
        "text, so that there is nothing to do with prompts; leave them out (`generate.prompts`), "
        "or add a stage above it\n"
    )
    assert not Path("runs/nano/autoencoder").exists()


def test_a_system_without_text_runs_and_reconstructs(here, command):
    Path("a.yaml").write_text(nano.AUTOENCODER_ONLY)
    assert command("run", "a.yaml").code == 0
    nano.tone("a.wav", seconds=0.2)
    answer = command("reconstruct", "runs/nano", "a.wav", "--json")
    assert json.loads(answer.out) == {"path": "runs/nano/audio/a-reconstructed.flac"}
    assert "makes no music from text" in command("generate", "runs/nano", "x").err


def test_generating_by_run_folder_or_recipe_prints_the_files(trained, command):
    answer = command("generate", trained, "low", "saw", "--seconds", "0.1", "--count", 2)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"runs/nano/audio/{it}.flac" for it in ("low-0", "low-1", "saw-0", "saw-1")
    ]
    again = command("generate", "nano.yaml", "low", "--seconds", "0.1", "--seed", 1, "--json")
    assert [(it["path"], it["reused"]) for it in json.loads(again.out)] == [
        ("runs/nano/audio/low-1.flac", True)
    ]


def test_steps_reach_every_sampler(trained, command):
    command("generate", trained, "a", "--seconds", "0.1", "--steps", 4, "--out", "out")
    assert audio.read_tags(Path("out/a-0.flac"))["steps"] == "4+4"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_prompts_has_one_a_line(trained, command, end):
    text = end.join(["\ufefflow saw", "", "  high \u266b  ", "   "])
    Path("p.txt").write_bytes(text.encode())
    answer = command("generate", trained, "--prompts", "p.txt", "--seconds", "0.1", "--json")
    assert [it["prompt"] for it in json.loads(answer.out)] == ["low saw", "high \u266b"]


def test_a_report_is_printed_or_given_as_json(trained, command):
    assert command("evaluate", trained).out.startswith("# Report of nano\n")
    assert json.loads(command("evaluate", "nano.yaml", "--json").out)["loss"]["generator"]


# looking around


def test_lists_have_a_row_a_component(command):
    rows = json.loads(command("ls", "sampler", "--json").out)
    assert {"ddim", "dpmpp-2m"} <= {it["name"] for it in rows}
    assert {it["kind"] for it in rows} == {"sampler"}
    assert all(set(it) == {"kind", "name", "summary", "plugin"} for it in rows)
    assert "mousai-tiny" in command("ls", "recipe").out
    assert "spectral_encoder  mel" in command("ls", "spectral-encoder").out


def test_a_component_is_shown_with_ranges_and_defaults(command):
    lines = [" ".join(line.split()) for line in command("show", "ddim").out.splitlines()]
    assert lines[0] == "ddim (sampler)"
    assert "option type range default meaning" in lines
    assert "steps integer >= 1, <= 10000 50 evaluations of the network" in lines
    assert json.loads(command("show", "sampler/ddim", "--json").out)["build_kwargs"] == ["schedule"]
    assert "It has no options." in command("show", "waveform").out


def test_a_recipe_is_shown_with_its_stages(trained, command):
    out = command("show", "nano.yaml").out
    assert out.startswith("nano  8000 Hz, 1 channel, ")
    assert "4 x T/256 (31.25 frames/s; a crop: 4 x 8)" in out


def test_plug_ins_are_listed_with_what_they_offer(command):
    assert "  sampler: ddim\n" in command("plugins").out
    rows = json.loads(command("plugins", "--json").out)
    assert {"clips", "mousai", "solvers"} <= {it["name"] for it in rows if it["fault"] == ""}


def test_a_shipped_recipe_is_copied_and_valid(here, command):
    assert command("cp", "mousai-tiny").out == "mousai-tiny.yaml\n"
    Path("folder").mkdir()
    assert command("cp", "mousai-tiny", "folder").out == "folder/mousai-tiny.yaml\n"
    assert command("cp", "mousai-tiny", "x.yaml").out == "x.yaml\n"
    assert command("cp", "mousai-tiny", "x.yaml", "--force").code == 0
    answer = command("validate", "x.yaml", "--json")
    values = json.loads(answer.out)
    assert (answer.code, values["valid"], values["name"]) == (0, True, "mousai-tiny")
    assert command("validate", "x.yaml").out == f"x.yaml: valid (mousai-tiny, {values['hash']})\n"


def test_validation_as_json_tells_every_problem(here, command):
    Path("bad.yaml").write_text(
        nano.RECIPE.replace("hop: 64", "hop: no").replace("seconds", "secs")
    )
    answer = command("validate", "bad.yaml", "--json")
    assert (answer.code, answer.err) == (2, "")
    problems = json.loads(answer.out)["problems"]
    assert len(problems) == 3
    assert problems == command("validate", "bad.yaml").err.splitlines()


# being interrupted


@pytest.mark.parametrize(
    ("step", "left", "told"),
    [
        (
            1,
            (
                "runs/nano has a checkpoint of 'autoencoder' at step 2 of 4; the same command "
                "goes on from it"
            ),
            "autoencoder: going on from step 2\n",
        ),
        (
            3,
            (
                "runs/nano has no checkpoint of 'generator' yet; the same command goes on with "
                "what is there"
            ),
            "autoencoder: trained already (runs/nano/autoencoder/weights.safetensors)\n",
        ),
    ],
)
def test_ctrl_c_is_one_line_and_the_run_goes_on_from_there(
    here, command, monkeypatch, step, left, told
):
    Path("nano.yaml").write_text(nano.RECIPE)
    learn = Trainer.train_step

    def pressed(self, batch):
        if self.step == step:
            signal.raise_signal(signal.SIGINT)
        return learn(self, batch)

    monkeypatch.setattr(Trainer, "train_step", pressed)
    answer = command("run", "nano.yaml")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == f"interrupted; {left}\n"
    monkeypatch.setattr(Trainer, "train_step", learn)
    again = command("run", "nano.yaml")
    assert again.code == 0
    assert again.err.startswith(told)


def test_ctrl_c_while_music_is_made_says_that_training_is_over(here, command, monkeypatch):
    Path("nano.yaml").write_text(nano.RECIPE)

    def pressed(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mousai_kit.generation.generate.generate", pressed)
    answer = command("run", "nano.yaml")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.splitlines()[-1] == (
        "interrupted; all stages in runs/nano are trained; the same command goes on with the music"
    )


@pytest.mark.parametrize("arguments", [["run", "mousai-tiny"], ["ls"]])
def test_ctrl_c_from_outside_is_one_line(here, arguments):
    script = (
        "import sys, threading, os, signal\nfrom mousai_kit import cli\n"
        "import mousai_kit.core.plugins, time\n"
        "def slow(**_):\n"
        "    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "    time.sleep(9)\n"
        "mousai_kit.core.plugins.entry_points.entry_points = slow\n"
        f"sys.argv = ['mousai-kit', *{arguments!r}]\n"
        "cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted\n"


@pytest.mark.parametrize("arguments", [["ls"], ["ls", "--json"], ["show", "unet1d"], ["--help"]])
def test_a_reader_that_has_seen_enough_is_no_trouble(here, arguments):
    ready, end = os.pipe()
    os.close(ready)
    done = subprocess.run(
        [*PROGRAM, *arguments], stdout=end, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(end)
    assert done.stderr == ""


def test_a_name_that_is_no_text_can_be_read_and_told(trained, command):
    name = os.fsdecode(b"a\xff\n.wav")
    answer = command("reconstruct", trained, name)
    assert answer.err == "a\\xff\\n.wav: does not exist\n"
    nano.tone("b.wav", seconds=0.1).rename(name)
    done = subprocess.run(
        [*PROGRAM, "reconstruct", str(trained), os.fsencode(name)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_words_of_an_earlier_version_are_told_in_a_line_and_go_on_working(command, monkeypatch):
    options = installed_registry().find("sampler", "ddim").Options
    monkeypatch.setattr(options, "former_names", {"evaluations": "steps"})
    changed = "stages.autoencoder.model.sampler.evaluations=7"
    answer = command("validate", "mousai-tiny", "--set", changed)
    assert (answer.code, answer.err) == (
        0,
        f"--set {changed}: stages.autoencoder.model.sampler.evaluations: is called 'steps' now\n",
    )
    assert answer.out.startswith("mousai-tiny: valid (mousai-tiny, ")
