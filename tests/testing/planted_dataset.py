"""Datasets with a bug each: their docstrings say which."""

import os
import random
from math import pi

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import DatasetContract


class Sines(mk.Dataset):
    """Held sine notes, told by their number."""

    name = "sines"
    every = 3

    def __init__(self, options, *, sample_rate, channels, length, split):
        self.sample_rate, self.channels, self.length = sample_rate, channels, length
        held_out = split == "validation"
        self.notes = [it for it in range(9) if (it % self.every == 2) == held_out]

    def __len__(self):
        return len(self.notes)

    def clip(self, index, epoch=0):
        wave = 0.5 * (2 * pi * self.hertz(index) * self.moments(index, epoch)).sin().float()
        return mk.Clip(wave.repeat(self.channels, 1), *self.said(index))

    def hertz(self, index):
        return 220 * 2 ** (self.notes[index] / 12)

    def moments(self, index, epoch):
        return (torch.arange(self.length).double() + 7919 * epoch) / self.sample_rate

    def said(self, index):
        return f"sine {self.notes[index]}", f"note {self.notes[index]}"


class AllHeldOut(Sines):
    """It holds out all there is."""

    breaks = "test_there_are_clips_to_learn_from"

    def __len__(self):
        return 0


class SecondEpoch(Sines):
    """Its items are those of the second epoch."""

    breaks = "test_the_first_epoch_is_what_indexing_gives"

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.clip(index, 1)


class RoundedUp(Sines):
    """Its clips are as long as the next multiple of 256."""

    breaks = "test_clips_have_the_shape_asked_for"

    def __init__(self, options, *, sample_rate, channels, length, split):
        whole = -(-length // 256) * 256
        super().__init__(
            options, sample_rate=sample_rate, channels=channels, length=whole, split=split
        )


class AlwaysMono(Sines):
    """It has one channel, whatever is asked for."""

    breaks = "test_clips_have_the_shape_asked_for"

    def clip(self, index, epoch=0):
        clip = super().clip(index, epoch)
        return mk.Clip(clip.wave[:1], clip.text, clip.source)


class OfIntegers(Sines):
    """Its samples are those of a 16-bit file, as floats."""

    breaks = "test_clips_are_audio_that_can_be_heard"

    def clip(self, index, epoch=0):
        clip = super().clip(index, epoch)
        return mk.Clip((clip.wave * 32767).round(), clip.text, clip.source)


class ShortTrack(Sines):
    """A clip longer than ten seconds stays shorter."""

    breaks = "test_a_clip_longer_than_its_track_is_filled_up"

    def clip(self, index, epoch=0):
        clip = super().clip(index, epoch)
        return mk.Clip(clip.wave[:, : 10 * self.sample_rate], clip.text, clip.source)


class ManyLines(Sines):
    """Its captions have two lines."""

    breaks = "test_clips_say_in_a_line_what_they_are_and_where_from"

    def said(self, index):
        return f"sine\n{self.notes[index]}", f"note {self.notes[index]}"


class NoSource(Sines):
    """Its clips do not say where they are from."""

    breaks = "test_clips_say_in_a_line_what_they_are_and_where_from"

    def said(self, index):
        return (f"sine {self.notes[index]}",)


class NotSeeded(Sines):
    """Its crops are anywhere."""

    breaks = "test_the_same_index_and_epoch_give_the_same_clip"

    def moments(self, index, epoch):
        return super().moments(index, epoch) + random.random()


class Counting(Sines):
    """Its crops go on from call to call, and do not care for the epoch."""

    breaks = "test_the_same_index_and_epoch_give_the_same_clip"
    calls = 0

    def moments(self, index, epoch):
        self.calls += 1
        return super().moments(index, self.calls)


class EndlessIndex(Sines):
    """An index beyond the end begins again."""

    breaks = "test_an_index_outside_is_refused"

    def __getitem__(self, index):
        return self.clip(index % len(self))


class FromTheEnd(Sines):
    """A negative index counts from the end, as a list's does."""

    breaks = "test_an_index_outside_is_refused"

    def __getitem__(self, index):
        return self.clip(range(len(self))[index])


class Unpicklable(Sines):
    """It keeps a function that no worker can be given."""

    breaks = "test_a_pickled_copy_gives_the_same_clips"

    def __init__(self, options, *, sample_rate, channels, length, split):
        super().__init__(
            options, sample_rate=sample_rate, channels=channels, length=length, split=split
        )
        self.half = lambda wave: wave / 2


class LosesItsPlace(Sines):
    """A copy of it reads other notes."""

    breaks = "test_a_pickled_copy_gives_the_same_clips"

    def __setstate__(self, state):
        self.__dict__ = {**state, "notes": sorted(state["notes"], reverse=True)}


class ByProcess(Sines):
    """Its crops depend on the process that reads."""

    breaks = "test_workers_read_what_one_process_reads"

    def moments(self, index, epoch):
        return super().moments(index, epoch + os.getpid())


class SeedsTheWorld(Sines):
    """It seeds torch's generator, and draws from that."""

    breaks = "test_nothing_is_drawn_at_random"

    def moments(self, index, epoch):
        torch.manual_seed(1000 * epoch + index)
        return super().moments(index, epoch) + torch.rand(())


class LearnsAll(Sines):
    """What it holds out is learned from too."""

    breaks = "test_no_track_is_in_both_splits"

    def __init__(self, options, *, sample_rate, channels, length, split):
        super().__init__(
            options, sample_rate=sample_rate, channels=channels, length=length, split=split
        )
        if split == "train":
            self.notes = list(range(9))


class LearnsAllRenamed(LearnsAll):
    """What it holds out is learned from under another name."""

    breaks = "test_no_track_is_in_both_splits"

    def said(self, index):
        return f"sine {self.notes[index]}", f"clip {len(self)}.{index}"


class SplitByLength(Sines):
    """Which notes are held out depends on the clips' length."""

    breaks = "test_a_split_is_the_same_at_any_length_and_rate"

    def __init__(self, options, *, sample_rate, channels, length, split):
        self.every = 3 if length < 5000 else 4
        super().__init__(
            options, sample_rate=sample_rate, channels=channels, length=length, split=split
        )


class CaptionsOnce(Sines):
    """Its captions can be gone through once."""

    breaks = "test_captions_are_lines_of_text_the_same_every_time"

    def captions(self):
        if "texts" not in vars(self):
            self.texts = super().captions()
        return self.texts


class CaptionsOfAll(Sines):
    """Its captions are those of both splits, so that held-out words are learned."""

    breaks = "test_captions_are_lines_of_text_the_same_every_time"

    def captions(self):
        return (f"sine {note}" for note in range(9))


class OtherCaptions(Sines):
    """Its captions are not what its clips say."""

    breaks = "test_captions_have_the_words_of_the_clips"

    def captions(self):
        return (f"note {note}" for note in self.notes)


class SkippedText(Sines):
    """It tells what was left out as one text."""

    breaks = "test_what_is_left_out_is_told_a_line_each"

    def skipped_files(self):
        return "a.wav: is broken\nb.wav: is broken"


class RateIgnored(Sines):
    """It reads every file as if it had 16 kHz."""

    breaks = "test_music_keeps_its_pitch_at_any_rate"

    def moments(self, index, epoch):
        return super().moments(index, epoch) * self.sample_rate / 16_000


class CropsByHash(Sines):
    """Its crops begin where Python's hash() of a name says: elsewhere in the next process."""

    breaks = "test_clips_are_the_same_in_another_process"

    def moments(self, index, epoch):
        return super().moments(index, epoch) + hash(self.said(index)) % 10_000 / 3


globals().update(suites(DatasetContract, Sines))
