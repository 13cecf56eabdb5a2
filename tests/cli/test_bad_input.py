"""Careless use: exit code 2, one line a problem on standard error, nothing on standard output."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import nano
import pytest

from mousai_kit import audio

UNTRAINED = "is missing: the stage is not trained; `mousai-kit run` trains it"
NO_RECIPE = (
    "there is no such file and no such shipped recipe; shipped are 'mousai', 'mousai-64x', "
    "'mousai-melody', 'mousai-paper', 'mousai-small', 'mousai-tiny', 'mousai-tune', 'riffusion', "
    "'riffusion-small', 'stable-audio' and 'stable-audio-small'"
)

NO_RUN = (
    "there is no such run folder and no such recipe; `mousai-kit run RECIPE` makes a run folder"
)
NO_MUSIC = "is no recipe; name the folder that the music is in, a recipe (.yaml) or a run folder"

CARELESS = {
    # commands
    "bogus": "mousai-kit: no such command 'bogus'; see `mousai-kit --help`",
    "runn nano.yaml": "mousai-kit: no such command 'runn'. Did you mean 'run'?",
    "--bogus": "mousai-kit: no such option: --bogus; see `mousai-kit --help`",
    "run": "mousai-kit run: missing argument 'source'; see `mousai-kit run --help`",
    "run nano.yaml --ste seed=1": "mousai-kit run: no such option: --ste; did you mean '--set'?",
    "run nano.yaml --learning-rate 1": (
        "mousai-kit run: no such option: --learning-rate; values of a recipe are changed with "
        "--set PATH=VALUE, see `mousai-kit run --help`"
    ),
    "doctor --bogus": "mousai-kit doctor: no such option: --bogus; see `mousai-kit doctor --help`",
    "run a b": "mousai-kit run: got unexpected extra argument(s) (b); see `mousai-kit run --help`",
    "run nano.yaml --set": (
        "mousai-kit: option '--set' requires an argument; see `mousai-kit --help`"
    ),
    "cp": "mousai-kit cp: missing argument 'name'; see `mousai-kit cp --help`",
    # recipes
    "run nope": f"nope: {NO_RECIPE}",
    "run nano.yml": (
        "nano.yml: there is no such file and no such shipped recipe; did you mean 'nano.yaml'?"
    ),
    "run folder": "folder: is a folder; a recipe is a YAML file",
    "run runs/nano": "runs/nano: is a run folder; name its recipe: runs/nano/recipe.yaml",
    "validate runs/nano": "runs/nano: is a run folder; name its recipe: runs/nano/recipe.yaml",
    "validate empty": "empty: is empty; a recipe begins with `version: 1`",
    "run nano.yaml --set seed=x": "--set seed=x: seed: must be a whole number (got 'x')",
    "run nano.yaml --set seed": "--set seed: must be written as path=value, such as seed=1",
    "run nano.yaml --out tone.wav": "tone.wav: is a file; name a folder for the run",
    "run nano.yaml --out tone.wav/x": (
        "tone.wav/x: can't be written (Not a directory); name another folder for the run"
    ),
    "show nope": f"nope: {NO_RECIPE}",
    "show ddmi": "there is no component and no recipe 'ddmi'; did you mean 'ddim'?",
    "show sampler/cosine": "no sampler is called 'cosine'; 'cosine' is a schedule",
    "ls samplers": "there is no kind 'samplers'; did you mean 'sampler'?",
    "cp mousia": "no shipped recipe is called 'mousia'; did you mean 'mousai'?",
    "cp mousai nano.yaml": "nano.yaml: is there already; name another file or use --force",
    "cp mousai missing/x.yaml": "missing/x.yaml: No such file or directory",
    # generate
    "generate": "mousai-kit generate: missing argument 'target'; see `mousai-kit generate --help`",
    "generate runs/nano": (
        "there is no prompt; give one or more, or a file of them with --prompts"
    ),
    "generate nope x": f"nope: {NO_RUN}",
    "generate folder x": "folder: is no run folder: it holds no recipe.yaml; `run` makes one",
    "generate mousai x": (
        f"runs/mousai/autoencoder/weights.safetensors: {UNTRAINED}\n"
        f"runs/mousai/generator/weights.safetensors: {UNTRAINED}"
    ),
    "generate runs/nano x --seconds abc": (
        "mousai-kit generate: invalid value for '--seconds': Input should be a valid number, "
        "unable to parse string as a number; see `mousai-kit generate --help`"
    ),
    "generate runs/nano x --seconds 0": "--seconds: must be a number above 0 (got 0)",
    "generate runs/nano x --seconds -3": "--seconds: must be a number above 0 (got -3)",
    "generate runs/nano x --seconds nan": "--seconds: must be a number above 0 (got nan)",
    "generate runs/nano x --guidance nan": "--guidance: must be a number from 0 to 1000 (got nan)",
    "generate runs/nano x --guidance -1": "--guidance: must be a number from 0 to 1000 (got -1)",
    "generate runs/nano x --count 0": "--count: must be 1 to 10000 (got 0)",
    "generate runs/nano x --count 99999999999": "--count: must be 1 to 10000 (got 99999999999)",
    "generate runs/nano x --seed -1": "--seed: must be 0 or more (got -1)",
    "generate runs/nano x --batch 0": (
        "mousai-kit generate: invalid value for '--batch': Input should be greater than or equal "
        "to 1; see `mousai-kit generate --help`"
    ),
    "generate runs/nano x --steps 0": (
        "--steps 0: stages.autoencoder.model.sampler.steps: must be at least 1 (got 0)\n"
        "--steps 0: stages.generator.model.sampler.steps: must be at least 1 (got 0)"
    ),
    "generate runs/nano --prompts missing.txt": "missing.txt: No such file or directory",
    "generate runs/nano --prompts folder": "folder: is a folder; --prompts names a text file",
    "generate runs/nano --prompts empty": (
        "there is no prompt; give one or more, or a file of them with --prompts"
    ),
    "generate runs/nano --prompts latin.txt": "latin.txt: is no UTF-8 text; save it as such",
    "generate runs/nano x --out tone.wav": "tone.wav: is a file; name a folder to write to",
    "generate runs/nano x --out tone.wav/x": "tone.wav: is a file; name a folder to write to",
    "generate runs/nano x --set seed=3": (
        "runs/nano/autoencoder/weights.safetensors: was made by another recipe; it differs in seed"
    ),
    # reconstruct
    "reconstruct runs/nano": (
        "mousai-kit reconstruct: missing argument 'source'; see `mousai-kit reconstruct --help`"
    ),
    "reconstruct runs/nano missing.wav": "missing.wav: does not exist",
    "reconstruct runs/nano folder": "folder: is a folder; name an audio file",
    "reconstruct runs/nano empty": "empty: is empty (0 bytes); leave it out",
    "reconstruct runs/nano nano.yaml": (
        "nano.yaml: is no audio file that can be read (Format not recognised)"
    ),
    "reconstruct runs/nano tone.wav --start 99": (
        "tone.wav: has nothing at 99.00 s; it is 0.20 s long"
    ),
    "reconstruct runs/nano tone.wav --start inf": (
        "--start: must be a number of 0 or more (got inf)"
    ),
    "reconstruct runs/nano tone.wav --seconds 0": "--seconds: must be a number above 0 (got 0)",
    "reconstruct runs/nano tone.wav --out x.mp3": (
        "x.mp3: --out must end in one of .flac, .wav, .ogg"
    ),
    "reconstruct runs/nano tone.wav --out folder": "folder: is a folder; --out names a file",
    "reconstruct runs/nano tone.wav --out tone.wav": (
        "tone.wav: is the file to be read; --out is another"
    ),
    "reconstruct mousai-tiny tone.wav": (
        f"runs/mousai-tiny/autoencoder/weights.safetensors: {UNTRAINED}"
    ),
    # data
    "data check tone.wav": f"tone.wav: {NO_MUSIC}",
    "data check latin.txt": f"latin.txt: {NO_MUSIC}",
    "data check empty": f"empty: {NO_MUSIC}",
    "data check nope": f"nope: {NO_RECIPE}",
    "data check nano.yaml --out tone.wav": "tone.wav: is a file; name a folder to write to",
    "data check nano.yaml --out tone.wav/x": "tone.wav: is a file; name a folder to write to",
    "data encode nano.yaml --out tone.wav": "tone.wav: is a file; name a folder to write to",
    "data encode runs/nano --stage nope": (
        "--stage: the recipe has no stage 'nope'; there is 'generator'"
    ),
    # export
    "export runs/nano --stage nope": (
        "--stage: the recipe has no stage 'nope'; there are 'autoencoder' and 'generator'"
    ),
    # evaluate
    "evaluate nope": f"nope: {NO_RUN}",
    "evaluate runs/nono": (
        "runs/nono: there is no such run folder and no such recipe; did you mean 'runs/nano'?"
    ),
    "evaluate folder": "folder: is no run folder: it holds no recipe.yaml; `run` makes one",
}


@pytest.fixture
def desk(trained):
    """Stand in a folder with a trained run and things to be mistaken for something else."""
    Path("folder").mkdir()
    Path("empty").write_text("")
    Path("latin.txt").write_bytes("h\u00f6her".encode("latin-1"))
    nano.tone("tone.wav", seconds=0.2)


@pytest.mark.parametrize("line", CARELESS)
def test_a_careless_command_is_told_in_a_line(desk, command, line):
    before = sorted(Path().rglob("*"))
    answer = command(*line.split())
    assert answer.err == CARELESS[line] + "\n"
    assert (answer.code, answer.out) == (2, "")
    assert sorted(Path().rglob("*")) == before


def test_all_that_is_wrong_is_told_at_once(desk, command):
    text = nano.RECIPE.replace("hop: 64", "hopp: 64").replace("steps: 4", "steps: 0")
    Path("bad.yaml").write_text(text)
    answer = command("run", "bad.yaml", "--set", "seed=-1")
    assert answer.err.splitlines() == [
        "bad.yaml:10: stages.autoencoder.model.domain.hopp: unknown option; did you mean 'hop'?",
        "bad.yaml:16: stages.autoencoder.train.steps: must be at least 1 (got 0)",
        "bad.yaml:26: stages.generator.train.steps: must be at least 1 (got 0)",
        "--set seed=-1: seed: must be at least 0 (got -1)",
    ]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: nano.cut(path), "is broken or cut short ("),
        (lambda path: path.write_text(""), "is broken or cut short ("),
        (lambda path: path.write_text("text" * 99), "is broken or cut short ("),
        (lambda path: path.unlink(), "is missing: the stage is not trained; "),
        (
            lambda path: path.write_bytes(
                path.with_name("checkpoints").joinpath("step-00000004.safetensors").read_bytes()
            ),
            "fits another model: lacks ",
        ),
        (
            lambda path: path.write_bytes(
                Path("runs/nano/generator/weights.safetensors").read_bytes()
            ),
            "was made by another recipe; it differs in stages.generator, the weights of",
        ),
    ],
)
def test_damaged_weights_are_one_line(desk, command, damage, told):
    path = Path("runs/nano/autoencoder/weights.safetensors")
    damage(path)
    answer = command("generate", "runs/nano", "x")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith(f"{path}: {told.partition(', the')[0]}")


def test_a_damaged_recipe_in_a_run_folder_is_one_line(desk, command):
    Path("runs/nano/recipe.yaml").write_text("version: 1\nname: [\n")
    answer = command("generate", "runs/nano", "x")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("runs/nano/recipe.yaml:")
    assert answer.err.count("\n") == 1


FULL = """
import resource, sys
from mousai_kit import cli
from mousai_kit.core import console
console.WORD_AFTER = 1e9
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.argv = ["mousai-kit", *sys.argv[2:]]
cli.main()
"""


def on_a_full_disk(room, *arguments):
    """Run a command that may write files of so many bytes."""
    return subprocess.run(
        [sys.executable, "-c", FULL, str(room), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_disk_that_is_full_to_the_end_of_a_training_ends_it_in_one_line(desk):
    done = on_a_full_disk(30_000, "run", "nano.yaml", "--out", "new")
    assert (done.returncode, done.stdout) == (2, "")
    *warnings, last = done.stderr.splitlines()
    assert last == (
        "new/autoencoder/checkpoints/step-00000004.safetensors: can't be written (File too large); "
        "free some space or write elsewhere"
    )
    assert all(it.startswith("autoencoder: step ") for it in warnings)
    assert not list(Path("new").rglob(".*.part"))


def test_a_disk_that_is_full_when_audio_is_written_is_one_line(desk):
    done = on_a_full_disk(2000, "generate", "runs/nano", "low", "--seconds", "1", "--out", "new")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "new/low-0.flac: can't be written (File too large)\n"
    assert nano.names("new") == []


def test_a_run_folder_that_is_in_use_is_one_line(desk, command):
    with Path("runs/nano/.lock").open("a+") as file:
        file.write("123\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = command("run", "nano.yaml")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "runs/nano: is in use by another run (process 123); wait for it or name another folder "
        "for the run\n"
    )


def test_a_file_in_a_stages_place_is_one_line(here, command):
    Path("nano.yaml").write_text(nano.RECIPE)
    Path("runs/nano").mkdir(parents=True)
    Path("runs/nano/autoencoder").write_text("")
    answer = command("run", "nano.yaml")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
    assert answer.err.startswith("runs/nano/autoencoder")


def test_prompts_can_not_lead_out_of_the_folder(desk, command):
    before = {it for it in Path().rglob("*") if "new" not in it.parts}
    odd = ["../../x", "/etc/passwd", "a\nb", "\U0001f3b9", "", "x" * 10_000]
    answer = command("generate", "runs/nano", *odd, "--seconds", "0.1", "--out", "new")
    assert answer.code == 0
    assert {it for it in Path().rglob("*") if "new" not in it.parts} == before
    made = [Path(line) for line in answer.out.splitlines()]
    assert [audio.read_tags(it)["prompt"] for it in made] == odd
    assert {it.parent for it in made} == {Path("new")}
