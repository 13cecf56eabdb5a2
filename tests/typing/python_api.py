"""What a type checker knows of the public names; mypy reads this file, nothing runs it."""

from pathlib import Path
from typing import assert_type

from torch import Tensor

import mousai_kit.api as mk

recipe = mk.load_recipe("mousai-tiny", ["seed=1"])
assert_type(recipe, mk.Recipe)
cascade = mk.train(recipe, "run", quiet=True)
assert_type(cascade, mk.Pipeline)
assert_type(mk.load(Path("run"), steps=5), mk.Pipeline)

music = cascade.generate("a prompt", seconds=10, seed=0, guidance=None, steps=5)
assert_type(music, mk.GeneratedAudio)
assert_type(cascade.generate(["one", "two"]), list[mk.GeneratedAudio])
assert_type(music.audio, Tensor)
assert_type(music.sample_rate, int)
assert_type(music.mel(), Tensor)
assert_type(music.save("music.flac"), Path)

assert_type(mk.Cascade.build(recipe, device="meta"), mk.Cascade)
schedule = mk.build(mk.Schedule, "cosine")
assert_type(schedule, mk.Schedule)
sampler = mk.build(mk.Sampler, {"use": "ddim", "steps": 20}, schedule=schedule)
assert_type(sampler, mk.Sampler)
assert_type(mk.build(mk.TextEncoder, "t5-scratch"), mk.TextEncoder)
assert_type(mk.build(mk.UNet, "unet1d", channels=2, context_channels=0), mk.UNet)
assert_type(mk.build(mk.Dataset, "tones", split="train"), mk.Dataset)


class Euler(mk.Sampler):
    """Steps along the velocity; a plug-in author's class checks under strict too."""

    name = "euler"

    class Options(mk.Options):
        """Options of `sampler: euler`."""

        steps: int = mk.Field(50, ge=1, description="evaluations of the network")

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        self.schedule, self.steps = schedule, options.steps
