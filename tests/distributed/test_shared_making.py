"""Several processes make the clips that one makes, each its share."""

import json
import shutil
from pathlib import Path

import nano
from launched import forked

from mousai_kit.generation.rendering import FileSink

PROMPTS = ["low saw chord", "high pulses", "a bell", "low saw chord, slow", "rain"]


def noted(rank):
    """Write down which clips a process makes."""
    finish = FileSink.finish

    def told(self):
        with Path(f"{rank}.made").open("a") as file:
            file.write(f"{self.title}\n")
        return finish(self)

    FileSink.finish = told


def test_latents_are_shared_out_by_shards_and_are_the_same_files(trained):
    many = ["--set=stages.generator.train.passes=3", "--json"]
    found = []
    for count in (1, 2):
        shutil.copytree(trained, f"copy-{count}")
        shutil.rmtree(f"copy-{count}/generator")
        ended = forked(count, "data", "encode", f"copy-{count}", *many)
        assert [it.code for it in ended] == [0] * count, ended[0].err
        assert [it.out for it in ended[1:]] == [""] * (count - 1)
        told = [{**it, "folder": "", "seconds": 0} for it in json.loads(ended[0].out)]
        shards = Path(f"copy-{count}/generator/latents-train").glob("*/*")
        found.append((told, {it.name: it.read_bytes() for it in shards}))
    assert found[0] == found[1]
    assert len(found[0][1]) > 2


def test_a_file_of_prompts_becomes_the_same_files_each_made_by_one_process(trained):
    Path("prompts.txt").write_text("\n".join(PROMPTS))
    more = ("--prompts", "prompts.txt", "--seconds", "0.2", "--batch", "2")
    (one,) = forked(1, "generate", trained, *more, "--out", "one", before=noted)
    Path("0.made").unlink()
    first, second = forked(2, "generate", trained, *more, "--out", "two", before=noted)
    assert (one.code, first.code, second.code) == (0, 0, 0)
    assert [Path(f"{rank}.made").read_text().splitlines() for rank in (0, 1)] == [
        PROMPTS[0::2],
        PROMPTS[1::2],
    ]
    assert (first.out, second.out) == (one.out.replace("one/", "two/"), "")
    assert nano.names("two") == nano.names("one")
    for name in nano.names("one"):
        assert (Path("two") / name).read_bytes() == (Path("one") / name).read_bytes(), name
