"""A shard: what goes in comes out, its bytes tell what it holds, and damage shows."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from doubling import Numbers, kept
from hypothesis import given
from hypothesis import strategies as st

from mousai_kit.core.interfaces import Clip
from mousai_kit.data import latent_shards

PATH = Path("00000.safetensors")
MAKING = """
import torch
from pathlib import Path
from mousai_kit.core.interfaces import Clip
from mousai_kit.data import latent_shards as shard
good = [Clip(torch.ones(2, 4), "a", "a.wav"), Clip(torch.zeros(2, 4), "", "")]
shard.write_shard(Path("00000.safetensors"), [(3, good[0]), (4, "bad"), (5, good[1])], made_of="f")
"""


@given(
    latents=st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), max_size=5),
    texts=st.lists(st.text(), min_size=5, max_size=5),
)
def test_what_goes_in_comes_out(latents, texts, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "0.safetensors"
    clips = [
        Clip(torch.tensor([row]), text, text[::-1])
        for row, text in zip(latents, texts, strict=False)
    ]
    latent_shards.write_shard(path, [(9, "bad"), *enumerate(clips)], made_of="m")
    found = latent_shards.ShardReader(path)
    assert not found.has(0)
    for position, clip in enumerate(clips, 1):
        again = found.clip(position)
        assert found.has(position)
        assert again.wave.nan_to_num().equal(clip.wave.nan_to_num())
        assert (again.text, again.source, found.text(position)) == (
            clip.text,
            clip.source,
            clip.text,
        )
    head = latent_shards.shard_header(path)
    assert (head.made_of, head.crops, head.faults) == ("m", len(clips), {"9": "bad"})
    assert latent_shards.is_whole(path, head)


def test_the_same_crops_are_the_same_bytes_in_another_process(here):
    exec(MAKING)
    here_bytes = PATH.read_bytes()
    PATH.unlink()
    subprocess.run([sys.executable, "-c", MAKING], check=True)
    assert PATH.read_bytes() == here_bytes


def test_a_byte_that_changed_or_is_gone_shows_wherever_it_is(here):
    exec(MAKING)
    data, head = PATH.read_bytes(), latent_shards.shard_header(PATH)
    start = 8 + int.from_bytes(data[:8], "little")
    for place in range(start, len(data)):
        PATH.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert not latent_shards.is_whole(PATH, head), place
    for length in range(len(data)):
        PATH.write_bytes(data[:length])
        assert latent_shards.shard_header(PATH) is None, length


@pytest.mark.parametrize("data", [b"", b"text", b"\xff" * 100])
def test_what_is_no_shard_has_no_header(here, data):
    PATH.write_bytes(data)
    assert latent_shards.shard_header(PATH) is None


def test_latents_that_were_opened_go_to_other_processes_closed(here):
    found = kept(Numbers())
    first = found.clip(3, 1)
    copy = pickle.loads(pickle.dumps(found))
    assert len(pickle.dumps(found)) < 4000
    assert (copy.clip(3, 1).text, copy.clip(3, 1).wave.tolist()) == (
        first.text,
        first.wave.tolist(),
    )
