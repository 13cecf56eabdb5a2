"""Generation: any prompt is a file in the folder, and a seed is a clip."""

import math
import threading
from dataclasses import dataclass
from pathlib import Path

import nano
import pytest
import torch

from mousai_kit import __version__, audio
from mousai_kit.core.console import ProgressBar
from mousai_kit.core.errors import AudioError, MousaiError, RequestError
from mousai_kit.generation import generate
from mousai_kit.generation.generator import GenerationJob, make_jobs
from mousai_kit.runs import checkpoint

ODD = [
    "",
    " ",
    "x" * 10_000,
    "\N{MUSICAL KEYBOARD} \N{SNOWMAN}",
    "two\nlines\r\nand three",
    "../../x",
    "/etc/passwd",
    "C:\\con",
    "$(rm -rf /)",
    "a=b;c",
    "Caf\u00e9 \u97f3\u697d",
    "-h",
    ".",
    "..",
]


def wanted(*prompts, seconds=0.2, seed=0, count=1, guidance=2.0):
    return make_jobs(prompts, seed=seed, count=count, seconds=seconds, guidance=guidance)


def refusal(**changes):
    values = {"prompts": ["x"], "seed": 0, "count": 1, "seconds": 1.0, "guidance": 1.0} | changes
    with pytest.raises(RequestError) as refused:
        make_jobs(values.pop("prompts"), **values)
    return str(refused.value)


def sound(path):
    return audio.read(path, sample_rate=nano.RATE, channels=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def system(trained):
    return nano.system().load()


def make(system, *prompts, folder="out", batch=None, **values):
    return generate.generate(system, wanted(*prompts, **values), folder=Path(folder), batch=batch)


# what may be asked for


def test_each_prompt_has_its_seeds():
    assert make_jobs(["a", "b"], seed=5, count=2, seconds=1.0, guidance=3.0) == [
        GenerationJob("a", 5, 1.0, 3.0),
        GenerationJob("a", 6, 1.0, 3.0),
        GenerationJob("b", 5, 1.0, 3.0),
        GenerationJob("b", 6, 1.0, 3.0),
    ]


def test_numbers_out_of_range_are_refused():
    assert refusal(prompts=[]) == "there is no prompt; give one or more"
    for number, said in [(0.0, "0"), (-1.0, "-1"), (math.nan, "nan"), (math.inf, "inf")]:
        assert refusal(seconds=number) == f"seconds: must be a number above 0 (got {said})"
    for number, said in [(86_401.0, "86401"), (1e300, "1e+300")]:
        assert refusal(seconds=number) == (f"seconds: must be at most 86400, a day (got {said})")
    for number, said in [(-1.0, "-1"), (math.nan, "nan"), (math.inf, "inf"), (1e30, "1e+30")]:
        assert refusal(guidance=number) == (
            f"guidance: must be a number from 0 to 1000 (got {said})"
        )
    for count in (0, -1, 10_001):
        assert refusal(count=count) == f"count: must be 1 to 10000 (got {count})"
    assert refusal(seed=-1) == "seed: must be 0 or more (got -1)"


@pytest.mark.parametrize("prompt", ODD)
def test_a_stem_is_a_plain_file_name_whatever_the_prompt(prompt):
    stem = GenerationJob(prompt, 7, 1.0, 1.0).stem
    assert stem.isascii()
    assert stem.replace("-", "").isalnum()
    assert stem.endswith("-7")
    assert len(stem) <= 60


def test_what_is_no_text_in_a_prompt_becomes_text():
    (order,) = wanted("a\0b\udcff")
    assert order.prompt == "a b?"


# what is made


def test_any_prompt_becomes_a_tagged_clip_inside_the_folder(system, here):
    before = {it for it in here.rglob("*") if "out" not in it.parts}
    made = make(system, *ODD)
    assert {it for it in here.rglob("*") if "out" not in it.parts} == before
    assert len({it.path for it in made}) == len(ODD)
    for it, prompt in zip(made, ODD, strict=True):
        assert it.path.parent == it.picture.parent == Path("out")
        assert it.picture.is_file()
        assert sound(it.path).shape == (1, 1600)
        tags = audio.read_tags(it.path)
        assert tags["prompt"] == prompt
        assert tags["title"] == " ".join(prompt.split())[:120]


def test_tags_say_how_to_make_the_clip_again(system):
    (it,) = make(system, "low saw chord", seed=3)
    tags = audio.read_tags(it.path)
    digests = [
        checkpoint.read_header(system.folder.stage(name).weights)["digest"]
        for name in system.cascade.stages
    ]
    assert tags["weights"] == " ".join(digests)
    assert {key: tags[key] for key in tags if key != "weights"} == {
        "title": "low saw chord",
        "prompt": "low saw chord",
        "seed": "3",
        "seconds": "0.2",
        "guidance": "2",
        "steps": "3+2",
        "recipe": "nano",
        "recipe_hash": system.recipe.hash,
        "software": f"mousai-kit {__version__}",
    }


@pytest.mark.parametrize("suffix", ["wav", "ogg"])
def test_tags_are_in_files_of_every_format(trained, suffix):
    system = nano.system(f"generate.format={suffix}").load()
    first = make(system, "", "low\nsaw")
    assert [audio.read_tags(it.path).get("prompt", "") for it in first] == ["", "low\nsaw"]
    assert [it.reused for it in make(system, "", "low\nsaw")] == [True, True]


def test_the_same_seed_gives_the_same_clip_alone_and_among_others(system):
    (alone,) = make(system, "low saw chord", seed=1, folder="alone")
    among = make(system, "high pulses", "low saw chord", count=2, folder="among")
    assert (among[3].prompt, among[3].seed) == ("low saw chord", 1)
    assert sound(among[3].path).equal(sound(alone.path))
    batch = make(system, "high pulses", "low saw chord", count=2, folder="batch", batch=4)
    for one, other in zip(among, batch, strict=True):
        torch.testing.assert_close(sound(one.path), sound(other.path), rtol=0, atol=1e-4)


def test_seed_prompt_and_guidance_change_the_clip(system):
    clips = [
        sound(make(system, prompt, seed=seed, guidance=guidance, folder=f"{i}")[0].path)
        for i, (prompt, seed, guidance) in enumerate(
            [("low saw", 0, 2.0), ("low saw", 1, 2.0), ("high sine", 0, 2.0), ("low saw", 0, 4.0)]
        )
    ]
    for i, one in enumerate(clips):
        assert all(not one.equal(other) for other in clips[:i])


def test_a_clip_that_is_there_is_not_made_again(system):
    first = make(system, "a", "b")
    stamps = [it.path.stat().st_mtime_ns for it in first]
    again = make(system, "a", "b", "c")
    assert [it.reused for it in again] == [True, True, False]
    assert [it.path.stat().st_mtime_ns for it in again[:2]] == stamps


def test_the_same_prompt_made_otherwise_takes_the_clips_place(system):
    (first,) = make(system, "a")
    (again,) = make(system, "a", guidance=3.0)
    assert (again.path, again.reused) == (first.path, False)
    assert audio.read_tags(again.path)["guidance"] == "3"


def test_another_prompts_clip_or_a_strange_file_is_never_replaced(system):
    Path("out").mkdir()
    nano.tone("out/rock-0.flac")
    held = Path("out/rock-0.flac").read_bytes()
    made = [make(system, prompt)[0] for prompt in ("Rock", "rock!", "Rock", "\u97f3", "\u697d")]
    assert [it.path.name for it in made] == [
        "rock-0-2.flac",
        "rock-0-3.flac",
        "rock-0-2.flac",
        "clip-0.flac",
        "clip-0-2.flac",
    ]
    assert [it.reused for it in made] == [False, False, True, False, False]
    assert Path("out/rock-0.flac").read_bytes() == held


@pytest.mark.parametrize("seconds", [1e-9, 1 / 8000, 0.0317, 1.0])
def test_any_length_is_made_to_the_sample(system, seconds, monkeypatch):
    monkeypatch.setattr(audio.writer, "SILENCE", 0.0)  # a single sample is soft by chance
    (it,) = make(system, "a", seconds=seconds)
    assert sound(it.path).shape[1] == max(1, round(8000 * seconds))


def test_the_progress_bar_counts_every_evaluation_of_every_stage(system, monkeypatch):
    bars = []
    bar = system.screen.bar

    def kept(label, total):
        context = bar(label, total)
        bars.append((label, total, context.__enter__()))
        return _Entered(bars[-1][2])

    monkeypatch.setattr(system.screen, "bar", kept)
    make(system, "a", "b", "c", batch=2)
    ((label, total, shown),) = bars
    assert (label, total, shown.done) == ("generating", 3 * (3 + 2), 15)


def test_threads_are_looked_after_while_clips_are_made(system, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    seen, advance = [], ProgressBar.advance

    def noted(bar, *given):
        seen.append("contention" in {it.name for it in threading.enumerate()})
        advance(bar, *given)

    monkeypatch.setattr(ProgressBar, "advance", noted)
    make(system, "a")
    assert seen == [True] * 5
    assert "contention" not in {it.name for it in threading.enumerate()}


@pytest.mark.parametrize(("batch", "rounds"), [(1, 3 * 5), (2, 2 * 5 + 3), (8, 3 * 3)])
def test_the_progress_bar_counts_every_window(trained, monkeypatch, batch, rounds):
    """Five windows of 0.5 s; of a batch, what the clips leave of it is used for windows.

    The top stage's, which go on from each other, are five for each clip.
    """
    system = nano.system("generate.window=0.5").load()
    counted = []
    monkeypatch.setattr(
        "mousai_kit.core.console.ProgressBar.advance",
        lambda bar, units=1.0: counted.append((bar.total, units)),
    )
    make(system, "a", "b", "c", batch=batch, seconds=2)
    ((total, _), *_) = counted
    assert total == sum(units for _, units in counted) == 3 * 3 * 5 + 2 * rounds


def test_long_clips_are_the_same_in_any_batch(trained):
    system = nano.system("generate.window=0.5").load()
    made = [make(system, "a", "b", batch=it, seconds=2, folder=f"{it}") for it in (1, 2, 8)]
    for one, two, eight in zip(*made, strict=True):
        torch.testing.assert_close(sound(one.path), sound(two.path), rtol=0, atol=1e-4)
        torch.testing.assert_close(sound(one.path), sound(eight.path), rtol=0, atol=1e-4)


class _Entered:
    def __init__(self, value):
        self.value = value

    def __enter__(self):
        return self.value

    def __exit__(self, *_):
        return None


# what can't be made


SILENT = (
    "out/a-0.flac: the audio made is silent (peak under -80 dB), so nothing was written; train "
    "longer, or try another seed or a lower guidance"
)
NOT_FINITE = (
    "out/a-0.flac: the audio made is not finite (NaN or infinity), so nothing was written; the "
    "weights are broken or precision is too low: try `precision: fp32`"
)


@pytest.mark.parametrize(("value", "told"), [(0.0, SILENT), (math.nan, NOT_FINITE)])
def test_silence_and_nan_are_an_error_and_no_file(system, monkeypatch, value, told):
    monkeypatch.setattr(
        system.cascade,
        "generate_stream",
        lambda request: iter([torch.full((1, 1, request.samples), value)]),
    )
    with pytest.raises(AudioError) as refused:
        make(system, "a")
    assert str(refused.value) == told
    assert nano.names("out") == []


@pytest.fixture
def at_once(system, monkeypatch):
    """Let the top stage make any length at once: then memory grows with it."""
    monkeypatch.setattr(type(system.cascade.top), "continues", False)


@pytest.mark.parametrize("seconds", [1000, 86_400])
def test_more_than_memory_holds_is_refused_before_it_is_taken(
    system, at_once, monkeypatch, seconds
):
    monkeypatch.setattr("mousai_kit.models.memory.available_bytes", lambda: 2**20)
    monkeypatch.setattr(system.cascade, "generate_stream", lambda request: pytest.fail("allocated"))
    with pytest.raises(RequestError) as refused:
        make(system, "a", seconds=seconds)
    said = str(refused.value)
    assert said.startswith(f"seconds: {seconds:g} s would take about ")
    assert " GiB of memory and 0.0 GiB are free; up to about " in said
    assert len(said) < 150
    assert not Path("out").exists()


def test_the_length_that_is_said_to_fit_fits(system, at_once, monkeypatch):
    monkeypatch.setattr("mousai_kit.models.memory.available_bytes", lambda: 2**26)
    with pytest.raises(RequestError) as refused:
        make(system, "a", seconds=86_400)
    fits = int(str(refused.value).split("up to about ")[1].removesuffix(" s fit"))
    assert 10 < fits < 5000
    monkeypatch.setattr(
        system.cascade, "generate_stream", lambda it: iter([torch.ones(1, 1, it.samples)])
    )
    assert make(system, "a", seconds=0.9 * fits)


def test_a_day_in_windows_needs_no_more_memory_than_a_minute(system, monkeypatch):
    monkeypatch.setattr("mousai_kit.models.memory.available_bytes", lambda: 2**26)
    for seconds in (60, 86_400):
        (job,) = make_jobs(["a"], seed=0, count=1, seconds=seconds, guidance=2.0)
        generate.stream(system, job)  # which checks, and makes nothing yet


def test_a_window_that_does_not_fit_into_memory_is_refused(trained, monkeypatch):
    system = nano.system("generate.window=20").load()
    monkeypatch.setattr("mousai_kit.models.memory.SAFE_SHARE", 1e-3)
    monkeypatch.setattr("mousai_kit.models.memory.available_bytes", lambda: 2**33)
    monkeypatch.setattr(type(system.cascade.top), "continues", False)  # all latents at once
    with pytest.raises(RequestError) as refused:
        make(system, "a", seconds=21)
    assert str(refused.value) == (
        "generate.window: 20 s would take about 0.0 GiB of memory and 8.0 GiB are free; lower it"
    )


def test_more_than_the_disk_holds_is_refused(system, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Disk(free=2**20))
    monkeypatch.setattr(system.cascade, "generate_stream", lambda request: pytest.fail("computed"))
    with pytest.raises(RequestError) as refused:
        make(system, "a", "b", seconds=30)
    assert str(refused.value) == (
        "out: what is asked for would take about 0.0 GiB on the disk and 0.0 GiB are free; "
        "ask for less, or name another folder to write to"
    )
    assert not Path("out").exists()


@dataclass
class _Disk:
    free: int


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("[enforce fail a"),  # cut short: there was no memory for the rest
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_memory_that_runs_out_all_the_same_is_one_line(system, monkeypatch, error):
    monkeypatch.setattr(system.cascade, "generate_stream", lambda request: _after_a_piece(error))
    with pytest.raises(RequestError) as refused:
        make(system, "a")
    assert str(refused.value) == "seconds: 0.2 s do not fit into memory; ask for less"
    assert nano.names("out") == []


def _after_a_piece(error, clips=1):
    yield torch.ones(clips, 1, 100)
    raise error


def test_ctrl_c_in_mid_clip_leaves_nothing_and_the_same_again_works(trained, monkeypatch):
    system = nano.system("generate.window=0.5").load()
    with monkeypatch.context() as patch:
        patch.setattr(
            system.cascade, "generate_stream", lambda _: _after_a_piece(KeyboardInterrupt(), 2)
        )
        with pytest.raises(KeyboardInterrupt):
            make(system, "a", "b", batch=2, seconds=0.5)
    assert nano.names("out") == []
    assert [it.path.is_file() for it in make(system, "a", "b", batch=2, seconds=2)] == [True, True]


def test_other_errors_are_not_taken_for_want_of_memory(system, monkeypatch):
    def wrong(request):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(system.cascade, "generate_stream", wrong)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        make(system, "a")


@pytest.mark.parametrize("size", [0, 1000])
def test_a_disk_that_is_full_is_one_line_and_no_file(system, size):
    with nano.full_disk(size), pytest.raises(MousaiError) as refused:
        make(system, "a")
    assert str(refused.value) == "out/a-0.flac: can't be written (File too large)"
    assert nano.names("out") == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompts": 5}, "prompts must be a list of texts (got 5)"),
        ({"prompts": "low saw"}, "prompts must be a list of texts (got 'low saw')"),
        ({"prompts": ["low saw", 5]}, "a prompt must be text (got 5)"),
        ({"seconds": "1"}, "seconds: must be a number (got '1')"),
        ({"guidance": True}, "guidance: must be a number (got true)"),
        ({"seed": 1.5}, "seed: must be a whole number (got 1.5)"),
        ({"count": float("nan")}, "count: must be a whole number (got nan)"),
    ],
)
def test_what_is_no_text_or_no_number_is_told(changes, told):
    given = {"prompts": ["low saw"], "seed": 0, "count": 1, "seconds": 1.0, "guidance": 1.0}
    with pytest.raises(RequestError) as caught:
        make_jobs(**(given | changes))
    assert str(caught.value) == told
