"""Controls: said in a recipe, in Python or on the command line, the same clip and tags."""

from pathlib import Path

import nano
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit import audio
from mousai_kit.core.interfaces import Controls
from mousai_kit.generation import generate
from mousai_kit.generation.generator import GenerationJob
from mousai_kit_mousai.text_to_latent import TextToLatent

NEAR = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def system(trained):
    return nano.system().load()


@pytest.fixture
def cascade(trained):
    return mk.load(trained, quiet=True)


def asking(prompts, more=""):
    """Return the recipe with other prompts, as YAML writes them."""
    return nano.RECIPE.replace("{prompts: [low saw chord]", f"{{prompts: {prompts}{more}")


def sound(path):
    return audio.read(Path(path), sample_rate=nano.RATE, channels=1)


def job(prompt="low saw", seed=0, **controls):
    return GenerationJob(prompt, seed, 0.2, 2.0, Controls(**controls))


def make(system, *jobs, folder="out", batch=None):
    return generate.generate(system, jobs, folder=Path(folder), batch=batch)


def refusal(call, *arguments, **values):
    with pytest.raises(mk.MousaiError) as refused:
        call(*arguments, **values)
    return str(refused.value)


# said in three places


@pytest.mark.parametrize(
    ("controls", "options", "tags"),
    [
        ({"negative": "high"}, ["--negative=high"], {"negative": "high"}),
        (
            {"guidance_rescale": 0.5, "guidance_interval": (0.2, 0.9)},
            ["--guidance-rescale=0.5", "--guidance-interval", "0.2", "0.9"],
            {"guidance_rescale": "0.5", "guidance_interval": "[0.2, 0.9]"},
        ),
        (
            {"guidance_schedule": "cosine"},
            ["--guidance-schedule=cosine"],
            {"guidance_schedule": "cosine"},
        ),
        ({"blend": "high"}, ["--blend=high"], {"blend": "high"}),
        (
            {"blend": "high", "blend_at": 0.0},
            ["--blend=high", "--blend-at=0"],
            {"blend": "high", "blend_at": "0.0"},
        ),
    ],
)
def test_recipe_command_and_python_make_the_same_clip(trained, command, controls, options, tags):
    plain = mk.load(trained, quiet=True).generate("low saw")
    music = mk.load(trained, quiet=True).generate("low saw", **controls)
    written = Path(command("generate", trained, "low saw", *options).out.strip())
    asked = {
        name: [*value] if isinstance(value, tuple) else value for name, value in controls.items()
    }
    system = nano.system(text=asking([{"prompt": "low saw", **asked}])).load()
    (found,) = make(system, *generate.recipe_jobs(system), folder="recipe's")
    torch.testing.assert_close(sound(written), sound(found.path))
    torch.testing.assert_close(music.audio, sound(written), rtol=0, atol=1e-3)
    told = [music.tags, audio.read_tags(written), audio.read_tags(found.path)]
    for each in told:
        assert {name: each[name] for name in each if name in Controls.model_fields} == tags
    if controls.get("blend_at") != 0.0:
        assert not music.audio.equal(plain.audio)


def test_what_a_recipe_asks_of_all_prompts_a_prompt_may_take_back(trained):
    prompts = "[low saw, {prompt: low saw, negative: ''}, {prompt: low saw, guidance_rescale: 0}]"
    text = asking(prompts, ", controls: {negative: high, guidance_rescale: 1}")
    system = nano.system(text=text)
    assert [job.controls.active() for job in generate.recipe_jobs(system)] == [
        {"negative": "high", "guidance_rescale": 1.0},
        {"guidance_rescale": 1.0},
        {"negative": "high"},
    ]
    assert generate.parse_controls(system.recipe, negative=None).negative == "high"
    again = nano.recipe(text=system.recipe.to_yaml())
    assert again == system.recipe
    assert generate.recipe_jobs(nano.system(text=again.to_yaml())) == generate.recipe_jobs(system)


def test_a_written_recipe_says_what_was_said(trained):
    said = nano.recipe(text=asking("[a, {prompt: b, negative: c, spread: 1, variation: 2}]"))
    written = said.to_yaml()
    assert (
        "  prompts:\n  - a\n  - negative: c\n    variation: 2\n    spread: 1.0\n    prompt: b\n"
        in (written)
    )
    assert "controls" not in written
    assert said.demo_prompts == ["a", "b"]


# files


def test_a_clip_with_other_controls_is_another_file_and_each_is_found_made(system):
    jobs = [job(), job(negative="high"), job(blend="high"), job(blend="high", blend_at=0.5)]
    made = make(system, *jobs)
    assert [clip.path.name for clip in made] == [
        *("low-saw-0.flac", "low-saw-0-2.flac", "low-saw-0-3.flac", "low-saw-0-4.flac")
    ]
    for asked, clip in zip(jobs, made, strict=True):
        (again,) = make(system, asked)
        assert (again.path, again.reused) == (clip.path, True)
    (first, *_) = make(system, *reversed(jobs))
    assert (first.path, first.reused) == (made[-1].path, True)


def test_an_empty_negative_is_none(system):
    assert job(negative="") == job(negative=" \n") == job()
    assert [clip.reused for one in (job(), job(negative="")) for clip in make(system, one)] == [
        *(False, True)
    ]


def test_each_clip_is_the_same_alone_and_in_a_batch(system):
    jobs = [
        *(job("high"), job(), job(negative="high"), job("slow", negative="high")),
        *(job(blend="high"), job("slow", blend="high"), job(guidance_interval=[0.3, 0.9])),
        *(job(variation=number, spread=0.5) for number in (0, 1, 2)),
    ]
    together = make(system, *jobs, batch=8)
    for number, (asked, clip) in enumerate(zip(jobs, together, strict=True)):
        (alone,) = make(system, asked, folder=f"alone/{number}")
        torch.testing.assert_close(sound(clip.path), sound(alone.path), **NEAR)


def test_those_that_are_alike_are_made_together(system, monkeypatch):
    asked, stream = [], system.cascade.generate_stream
    monkeypatch.setattr(
        system.cascade, "generate_stream", lambda request: asked.append(request) or stream(request)
    )
    same, varied = job(negative="high"), [job(variation=n, spread=0.5) for n in (1, 2)]
    make(system, job(), same, job("slow", negative="high"), *varied, batch=8)
    assert [(request.controls.negative, request.variations) for request in asked] == [
        *((None, [0]), ("high", [0, 0]), (None, [1, 2]))
    ]


# variations


def test_variations_are_numbered_files_each_another_clip_near_the_seeds(command, trained):
    out = command(
        "generate", trained, "low saw", "--variations=2", "--count=2", "--seconds=0.2"
    ).out
    names = [Path(line).name for line in out.splitlines()]
    assert names == [f"low-saw-{seed}-v{number}.flac" for seed in (0, 1) for number in (1, 2)]
    clips = [sound(line) for line in out.splitlines()]
    for i, one in enumerate(clips):
        assert all(not one.equal(other) for other in clips[:i])
    tags = audio.read_tags(Path(out.splitlines()[1]))
    assert (tags["seed"], tags["variation"], tags["spread"]) == ("0", "2", "0.2")


def test_at_no_spread_a_variation_is_the_seeds_clip_to_the_bit(cascade):
    own = cascade.generate("low saw", seconds=0.2)
    assert cascade.generate("low saw", seconds=0.2, variation=3, spread=0.0).audio.equal(own.audio)
    third = cascade.generate("low saw", seconds=0.2, variation=3, spread=0.3)
    assert third.audio.equal(
        cascade.generate("low saw", seconds=0.2, variation=3, spread=0.3).audio
    )
    assert not third.audio.equal(own.audio)


def test_lower_stages_keep_the_seeds_own_noise(cascade, monkeypatch):
    drawn, decode = [], TextToLatent.decode

    def same_latents(stage, latents, request):
        drawn.append(decode(stage, latents, request))
        return drawn[0]

    monkeypatch.setattr(TextToLatent, "decode", same_latents)
    own, varied = (
        cascade.generate("low saw", seconds=0.2, variation=number, spread=1.0).audio
        for number in (0, 1)
    )
    assert not torch.allclose(*drawn)
    assert own.equal(varied)


# what can't be


def test_a_name_or_value_that_is_wrong_is_told(cascade):
    assert refusal(cascade.generate, "x", negativ="y") == (
        "negativ: unknown option; did you mean 'negative'?"
    )
    assert refusal(cascade.generate, "x", zzz=1) == "zzz: unknown option"
    assert refusal(cascade.generate, "x", negative=5) == (
        "negative: must be text; put it in quotes (got 5)"
    )
    assert refusal(cascade.generate, "x", guidance_interval=(0.5, 2)) == (
        "guidance_interval: 1: must be at most 1 (got 2)"
    )
    assert refusal(cascade.generate, "x", blend_at=0.5) == (
        "blend_at: means nothing without `blend`"
    )


def test_the_command_names_its_option(command, trained):
    said = command("generate", trained, "x", "--guidance-rescale=2")
    assert (said.code, said.err) == (2, "--guidance-rescale: must be at most 1 (got 2.0)\n")


def test_a_stage_without_the_control_refuses(command, trained, monkeypatch):
    monkeypatch.setattr(TextToLatent, "controls", ("variation", "spread"))
    told = "the top stage, text-to-latent, has no such control; it has 'spread' and 'variation'"
    cascade = mk.load(trained, quiet=True)
    assert refusal(cascade.generate, "x", negative="y") == f"negative: {told}"
    said = command("generate", trained, "x", "--negative=y")
    assert (said.code, said.err) == (2, f"--negative: {told}\n")
    place = "mine.yaml:28: generate.prompts.1.negative"
    Path("mine.yaml").write_text(asking("[a, {prompt: b, negative: c}]"))
    for words in ("validate", "run"):
        said = command(words, "mine.yaml")
        assert (said.code, said.err) == (2, f"{place}: {told}\n")
    monkeypatch.setattr(TextToLatent, "controls", ())
    Path("mine.yaml").write_text(asking("[a]", ", controls: {negative: c}"))
    assert command("validate", "mine.yaml").err == (
        "mine.yaml:28: generate.controls.negative: the top stage, text-to-latent, has no such "
        "control; it has none\n"
    )


def test_guidance_that_leads_nowhere_is_told_once(command, trained):
    told = (
        "at guidance 1, 'guidance_rescale' and 'negative' do nothing: the prompt alone is "
        "followed; ask for more guidance"
    )
    options = ["--negative=c", "--guidance-rescale=0.5", "--seconds=0.1"]
    said = command("generate", trained, "low", "saw", *options, "--guidance=1")
    assert said.err.splitlines().count(told) == 1
    assert told not in command("generate", trained, "low", "saw", *options).err


def test_words_that_the_system_never_saw_are_told_of_every_text(command, trained):
    said = command("generate", trained, "low", "--negative=zyx", "--blend=wvu", "--seconds=0.1")
    for text in ("zyx", "wvu"):
        assert f"'{text}': of these words the system never saw '{text}'" in said.err
