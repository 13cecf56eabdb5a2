"""DatasetContract: the same index, the same clip; nothing is learned that is held out.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mousai_kit.core.interfaces import Clip, Dataset, Split
from mousai_kit.testing.contract import MEANT, Contract, salted_hash
from mousai_kit.testing.signals import nothing_drawn

SPLITS: tuple[Split, Split] = ("train", "validation")
FULL_SCALE = 2.0
"""Audio is in [-1, 1]; resampling may overshoot, integers that were not scaled go far beyond."""
SOME = 4
"""Clips of an epoch that are looked at where all would take long."""


class DatasetContract(Contract):
    """What every dataset keeps to.

    Options that need files are set by a fixture of yours:

        @pytest.fixture(autouse=True)
        def files(self, tmp_path):
            ...
            self.options = {"path": str(tmp_path)}
    """

    interface: ClassVar = Dataset
    sample_rate: ClassVar[int] = 8000
    """In Hz, where a rule does not try several."""

    def dataset(self, split: Split = "train", **build_kwargs: int) -> Any:
        """Return the dataset: mono clips of a quarter of a second unless told otherwise."""
        usual = {"sample_rate": self.sample_rate, "channels": 1, "length": self.sample_rate // 4}
        return self.build(split=split, **{**usual, **build_kwargs})

    def test_there_are_clips_to_learn_from(self) -> None:
        assert len(self.dataset()) > 0
        assert len(self.dataset("validation")) >= 0

    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("sample_rate", [8000, 22050, 48000])
    def test_clips_have_the_shape_asked_for(
        self, split: Split, channels: int, sample_rate: int
    ) -> None:
        for length in (1001, sample_rate // 2):
            build_kwargs = {"sample_rate": sample_rate, "channels": channels, "length": length}
            for clip in _clips(self.dataset(split, **build_kwargs), 2):
                assert isinstance(clip, Clip)
                assert clip.wave.shape == (channels, length)
                assert clip.wave.dtype == torch.float32

    @pytest.mark.parametrize("split", SPLITS)
    def test_a_clip_longer_than_its_track_is_filled_up(self, split: Split) -> None:
        length = 15 * self.sample_rate + 1
        for clip in _clips(self.dataset(split, length=length), 2):
            assert clip.wave.shape == (1, length)

    @pytest.mark.parametrize("split", SPLITS)
    def test_clips_are_audio_that_can_be_heard(self, split: Split) -> None:
        for clip in _clips(self.dataset(split)):
            assert clip.wave.isfinite().all(), f"{clip.source}: not every sample is finite"
            peak = clip.wave.abs().max().item()
            assert peak <= FULL_SCALE, f"{clip.source}: peaks at {peak:.3g}; audio is in [-1, 1]"
            assert peak > 0, f"{clip.source}: is silent"

    @pytest.mark.parametrize("split", SPLITS)
    def test_clips_say_in_a_line_what_they_are_and_where_from(self, split: Split) -> None:
        for clip in _clips(self.dataset(split)):
            assert isinstance(clip.text, str)
            assert "\n" not in clip.text, f"a caption is one line (got {clip.text!r})"
            assert clip.source, "a clip without `source`: messages could not name it"

    @pytest.mark.parametrize("split", SPLITS)
    def test_the_same_index_and_epoch_give_the_same_clip(self, split: Split) -> None:
        first, second = self.dataset(split), self.dataset(split)
        places = [(index, epoch) for epoch in (0, 3) for index in range(min(SOME, len(first)))]
        asked = [first.clip(*place) for place in places]
        for place, clip in reversed(list(zip(places, asked, strict=True))):
            _same(first.clip(*place), clip, "asked for a second time, in another order")
            _same(second.clip(*place), clip, "of another instance")

    def test_an_index_outside_is_refused(self) -> None:
        dataset = self.dataset()
        for index in (-1, len(dataset), len(dataset) + 7):
            with pytest.raises(IndexError):
                dataset[index]

    def test_the_first_epoch_is_what_indexing_gives(self) -> None:
        dataset = self.dataset()
        _same(dataset[0], dataset.clip(0, 0), "by index")
        assert len(list(islice(dataset, len(dataset) + 1))) == len(dataset)

    def test_a_pickled_copy_gives_the_same_clips(self) -> None:
        dataset = self.dataset()
        dataset.clip(0, 1)  # whatever it keeps open by now
        copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own
        assert len(copy) == len(dataset)
        for epoch in (0, 2):
            _same(copy.clip(0, epoch), dataset.clip(0, epoch), "of a pickled copy")

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    @pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
    def test_workers_read_what_one_process_reads(self) -> None:
        dataset = self.dataset()
        count = min(SOME, len(dataset))
        loader = DataLoader(dataset, None, sampler=range(count), num_workers=2)
        for index, clip in enumerate(loader):
            _same(clip, dataset.clip(index), "of a worker")

    def test_nothing_is_drawn_at_random(self) -> None:
        torch.manual_seed(0)
        with nothing_drawn():
            dataset = self.dataset()
            clip = dataset.clip(0, 1)
        torch.manual_seed(1)
        _same(dataset.clip(0, 1), clip, "with another seed of torch's generator")

    def test_no_track_is_in_both_splits(self) -> None:
        train, held = (list(_clips(self.dataset(split))) for split in SPLITS)
        both = {clip.source for clip in train} & {clip.source for clip in held}
        assert not both, f"{sorted(both)[0]} is learned from and held out"
        for clip in held:
            alike = [other.source for other in train if torch.equal(other.wave, clip.wave)]
            assert not alike, f"{clip.source} is held out, and learned from as {alike[0]}"

    def test_a_split_is_the_same_at_any_length_and_rate(self) -> None:
        """What is held out from one stage must not be what another one learns from."""
        other = {"length": 3 * self.sample_rate, "sample_rate": 2 * self.sample_rate}
        for split in SPLITS:
            short, long = self.dataset(split), self.dataset(split, **other)
            assert {clip.source for clip in _clips(short)} == {clip.source for clip in _clips(long)}

    @pytest.mark.parametrize("split", SPLITS)
    def test_captions_are_lines_of_text_the_same_every_time(self, split: Split) -> None:
        dataset = self.dataset(split)
        captions = list(dataset.captions())
        assert captions == list(dataset.captions()) == list(self.dataset(split).captions())
        assert bool(captions) == bool(len(dataset)), "each split has captions of its own"
        assert len(captions) <= len(dataset), "there are more captions than clips"
        assert all(isinstance(text, str) and "\n" not in text for text in captions)

    def test_captions_have_the_words_of_the_clips(self) -> None:
        """A vocabulary is made from captions: what a clip says must be in it."""
        dataset = self.dataset()
        known = set(" ".join(dataset.captions()).replace(",", " ").split())
        said = {word for clip in _clips(dataset) for word in clip.text.replace(",", " ").split()}
        missing = {word for word in said - known if word.isalpha()}
        assert len(missing) <= len(said) // 10, f"no caption has {sorted(missing)[:3]}"

    def test_what_is_left_out_is_told_a_line_each(self) -> None:
        dataset = self.dataset()
        for lines in (dataset.skipped_files(), dataset.remarks()):
            assert isinstance(lines, list)
            assert all(isinstance(line, str) and line and "\n" not in line for line in lines)

    def test_music_keeps_its_pitch_at_any_rate(self) -> None:
        rates = (8000, 32000)
        low, high = map(self._pitch, rates)
        rule = f"the same music is at {low:.0f} Hz at {rates[0]} Hz and {high:.0f} Hz at {rates[1]}"
        assert 0.7 < high / low < 1.4, f"{rule}; read it at the rate asked for"

    def test_clips_are_the_same_in_another_process(self) -> None:
        for split in SPLITS:
            dataset = self.dataset(split)
            here = list(_clips(dataset, SOME))
            with salted_hash(self.component):
                there = list(_clips(self.dataset(split), SOME))
            assert len(there) == len(here), MEANT
            for one, other in zip(there, here, strict=True):
                _same(one, other, f"in another process: {MEANT}")

    def _pitch(self, sample_rate: int) -> float:
        """Return the frequency (Hz) below which half the power up to 3 kHz lies, on average."""
        dataset = self.dataset(sample_rate=sample_rate, length=sample_rate)
        middles = [_middle(clip.wave, sample_rate) for clip in _clips(dataset, SOME)]
        return torch.tensor(middles).log().mean().exp().item()


def _clips(dataset: Dataset, at_most: int | None = None) -> Iterator[Clip]:
    """Yield the clips of the first epoch; an index that never ends is not waited for."""
    return (dataset.clip(index) for index in islice(range(len(dataset)), at_most))


def _middle(wave: Tensor, sample_rate: int) -> float:
    power = torch.fft.rfft(wave.mean(0)).abs().square()
    hertz = torch.linspace(0, sample_rate / 2, len(power))
    power, hertz = power[(hertz > 30) & (hertz < 3000)], hertz[(hertz > 30) & (hertz < 3000)]
    share = power.cumsum(0) / power.sum()
    return float(hertz[int((share < 0.5).sum())])


def _same(one: Clip, other: Clip, how: str) -> None:
    """Fail unless two clips are the same."""
    assert torch.equal(one.wave, other.wave), f"{other.source}: another wave {how}"
    assert one.text == other.text, f"{other.source}: another caption {how}"
    assert one.source == other.source, f"another source {how}"
