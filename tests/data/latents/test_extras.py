"""Extras: what clips tell besides text, in batches and in shards of latents."""

from dataclasses import replace

import pytest
import torch
from doubling import SHARDS, Doubling, encoding, files, kept
from doubling import Numbers as Music
from safetensors.torch import load_file

from mousai_kit.core.errors import TrainingError
from mousai_kit.core.interfaces import Clip
from mousai_kit.data import latent_shards
from mousai_kit.data.latent_cache import verify
from mousai_kit.data.loader import batches, collate_extras


class Numbers:
    """Clips that hold their index."""

    def __len__(self):
        return 8

    def clip(self, index, epoch=0):
        return Clip(torch.full((1, 4), float(index)), f"text {index}", f"{index}.wav")


def read(clip):
    """Tell a clip's first number, twice, of those that are even; and of all that it is there."""
    first = clip.wave[0, 0]
    even = {"number": torch.stack([first, first])} if first % 2 == 0 else {}
    return {**even, "there": torch.ones(1, 1)}


def read_nan(clip):
    return {**read(clip), "there": torch.full((1, 1), torch.nan)}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_holds_what_its_clips_tell(workers):
    drawn = list(batches(Numbers(), seed=0, batch=4, first=0, steps=2, workers=workers))
    told = list(
        batches(Numbers(), seed=0, batch=4, first=0, steps=2, workers=workers, extract=read)
    )
    for plain, batch in zip(drawn, told, strict=True):
        assert plain.extras == {}
        assert plain.signal.equal(batch.signal)
        first = batch.signal[:, 0, 0]
        expected = torch.where(first % 2 == 0, first, torch.nan)[:, None].expand(-1, 2)
        torch.testing.assert_close(batch.extras["number"], expected, equal_nan=True)
        assert batch.extras["there"].equal(torch.ones(4, 1, 1))


def test_what_none_tells_is_not_there():
    assert collate_extras([Numbers().clip(0)]) == {}


def test_what_has_no_one_shape_is_one_line():
    clips = [replace(Numbers().clip(0), extras={"melody": torch.zeros(size)}) for size in (2, 3)]
    with pytest.raises(TrainingError) as refused:
        collate_extras(clips)
    assert str(refused.value) == (
        "'melody': clips of one length have data of shapes [(2,), (3,)]; they must be alike"
    )


@pytest.fixture
def small_shards(monkeypatch, here):
    monkeypatch.setattr(latent_shards, "SHARD_CROPS", 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_shards_keep_what_clips_tell(small_shards, workers):
    found = kept(Music(), cascade=Doubling(extract=read), workers=workers)
    for index in range(10):
        clip = found.clip(index)
        assert clip.wave[0, 0] == 2 * (index + 1)
        assert list(clip.extras) == (["number", "there"] if index % 2 else ["there"])
        if index % 2:
            assert clip.extras["number"].tolist() == [index + 1.0] * 2
    (shard, *_) = sorted(found.folder.iterdir())
    assert {"extra.number", "extra.there"} < set(load_file(shard))


def test_shards_without_any_are_as_ever(small_shards):
    kept(Music())
    before = files()
    assert "extra" not in {
        name.partition(".")[0] for name in load_file(SHARDS / "00000.safetensors")
    }
    kept(Music(), cascade=Doubling(extract=read))
    kept(Music())
    assert files() == before


def test_what_decides_the_data_decides_the_latents_folder(small_shards):
    keys = [
        encoding(Music(), cascade=cascade).key
        for cascade in (
            Doubling(),
            Doubling(extract=read),
            Doubling(extract=read, key={"melody": {"use": "melody"}}),
            Doubling(extract=read, key={"melody": {"use": "melody", "octaves": 2}}),
            Doubling(key={"melody": {"use": "melody"}}),  # which nothing tells
        )
    ]
    assert keys[0] == SHARDS.name
    assert len(set(keys[:4])) == 4
    assert keys[4] == keys[0]


def test_what_changed_is_told(small_shards):
    kept(Music(), cascade=Doubling(extract=read))

    def other(clip):
        return {name: data + 1 for name, data in read(clip).items()}

    for extract, name in ((other, "there"), (lambda _: {}, "there"), (read_nan, "there")):
        cascade = Doubling(extract=extract)
        work = encoding(Music(), cascade=cascade)
        left = kept(Music(), cascade=Doubling(extract=read))
        with pytest.raises(TrainingError, match=f"the {name} of [01].wav is not what is kept"):
            verify(work, left)


def test_a_few_values_may_be_rounded_another_way(small_shards):
    def melody(clip):
        return {"melody": torch.arange(200.0)}

    def rounded(clip):
        return {"melody": torch.arange(200.0).index_fill(0, torch.tensor([7]), 1000.0)}

    left = kept(Music(), cascade=Doubling(extract=melody))
    assert verify(encoding(Music(), cascade=Doubling(extract=rounded)), left) == 0.0
