"""Judging: the clips of comparisons and of listening tests, made in a studio."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mousai_kit import audio
from mousai_kit.core.errors import argument_error
from mousai_kit.generation import generate as making
from mousai_kit.runs.run import Run
from mousai_kit.studio.clip_order import MakingState
from mousai_kit.studio.gallery import ClipRecord
from mousai_kit.studio.jobs import Job, JobScreen
from mousai_kit.studio.listening import NAME, AskedTrial, HeardClip, ListeningTest, ListeningTests
from mousai_kit.studio.settings import CLIP, ClipSettings, clip_settings
from mousai_kit.studio.studio import MOST, Studio

SYSTEMS = range(2, 5)
"""How many systems are put side by side."""
CLIPS_OF_A_TEST = 200
"""Clips, or trials, that a test has at most; clips of a comparison, too."""


def compare_systems(
    studio: Studio, systems: Sequence[str], prompts: Sequence[str], *, seconds: float, seed: int
) -> Iterator[MakingState]:
    """Make a clip of each prompt with each system, on the same seed; prompt by prompt."""
    if len(systems) not in SYSTEMS or len(set(systems)) < len(systems):
        raise argument_error("systems", f"choose 2 to 4 that differ (got {len(systems)})")
    texts = [text.strip() for text in prompts if text.strip()]
    if not texts:
        raise argument_error("prompts", "there is none; give one or more, a line each")
    if len(texts) * len(systems) > CLIPS_OF_A_TEST:
        told = f"a comparison has {CLIPS_OF_A_TEST} clips at most"
        raise argument_error("prompts", f"{told} (got {len(texts)} for each system)")
    orders = [
        clip_settings(system=system, prompt=text, seconds=seconds, seed=seed)
        for text in texts
        for system in systems
    ]
    yield from _make_many(studio, orders, how="compared")


def make_genre_test(
    studio: Studio,
    tests: ListeningTests,
    name: str,
    *,
    systems: Sequence[str],
    genres: Sequence[str],
    clips: int,
    seconds: float,
    seed: int,
) -> Iterator[MakingState]:
    """Make so many clips of each genre with each system; with the last one the test is there."""
    genres = [genre.strip() for genre in genres if genre.strip()]
    if len(genres) < 2 or len(set(genres)) < len(genres):
        raise argument_error("genres", "give two or more that differ, a line each")
    if not systems:
        raise argument_error("systems", "choose one or more")
    total = len(systems) * len(genres) * clips
    if not 1 <= total <= CLIPS_OF_A_TEST:
        raise argument_error("clips", f"a test has 1 to {CLIPS_OF_A_TEST} (got {total})")
    pairs = [(system, genre) for system in systems for genre in genres for _ in range(clips)]
    draft = ListeningTest(
        name=check_test_name(tests, name),
        kind="genres",
        answers=genres,
        clips=[HeardClip(system=s, right=g, files=[]) for s, g in pairs],
    )
    orders = [
        clip_settings(system=system, prompt=genre, seconds=seconds, seed=seed + number % clips)
        for number, (system, genre) in enumerate(pairs)
    ]
    made: tuple[ClipRecord, ...] = ()
    for state in _make_many(studio, orders, how=f"for the test {name}"):
        made = state.clips
        yield state
    heard = [
        clip.model_copy(update={"files": [f"{CLIP}{record.key}"]})
        for clip, record in zip(draft.clips, made, strict=True)
    ]
    tests.create(draft.model_copy(update={"clips": heard}))


def make_abx_test(
    studio: Studio,
    tests: ListeningTests,
    name: str,
    *,
    system: str,
    sources: Sequence[str],
    trials: int,
    seed: int,
) -> ListeningTest:
    """Bring music through a system's latents and back; make trials of which of both is X.

    `sources` are references to files of the gallery. RequestError where the system can't.
    """
    check_test_name(tests, name)
    if not sources:
        raise argument_error("sources", "choose a clip, or bring a file")
    if not 1 <= trials <= CLIPS_OF_A_TEST:
        raise argument_error("trials", f"must be 1 to {CLIPS_OF_A_TEST} (got {trials})")
    paths = [studio.gallery.resolve(source) for source in sources]
    job = Job()
    settings = clip_settings(system=system, seed=seed)

    def work() -> list[list[str]]:
        opened = studio.systems.open(settings, JobScreen(job))
        return [_reconstruct(studio, opened, path, seed) for path in paths]

    studio.device.submit(job, work)
    pairs = job.future.result()
    drawn = random.Random(f"{name}/{seed}")  # noqa: S311 (no secret)
    clips = []
    for trial in range(trials):
        a, b = drawn.sample(pairs[trial % len(pairs)], 2)
        right = drawn.choice("AB")
        clips.append(HeardClip(system=system, right=right, files=[a, b, a if right == "A" else b]))
    test = ListeningTest(name=name, kind="abx", answers=["A", "B"], clips=clips)
    tests.create(test)
    return test


def _reconstruct(studio: Studio, opened: Run, path: Path, seed: int) -> list[str]:
    """Keep music as a system has it, and what it makes of its latents; return the references."""
    space = opened.cascade.audio
    real = audio.read(path, sample_rate=space.sample_rate, channels=space.channels)
    made = making.play_reconstruction(opened, real, seconds=None, start=0.0, seed=seed)
    references = []
    for wave in (real, made.audio):
        part = studio.gallery.making / "abx.flac"
        audio.write(part, wave, sample_rate=space.sample_rate, tags={})
        references.append(studio.upload(part))
        part.unlink()
    return references


def _make_many(studio: Studio, orders: Sequence[ClipSettings], how: str) -> Iterator[MakingState]:
    """Make any number of clips, some at a time."""
    finished: tuple[ClipRecord, ...] = ()
    for first in range(0, len(orders), MOST):
        group = orders[first : first + MOST]
        state = None
        for state in studio.make(group, how=how):
            share = (first + state.share * len(group)) / len(orders)
            clips = (*finished, *state.clips)
            told = f"{len(clips)} of {len(orders)} made; {state.told}"
            yield replace(state, share=share, clips=clips, told=told)
        finished += state.clips if state else ()


def trial_sounds(studio: Studio, asked: AskedTrial) -> dict[str, Path]:
    """Return what is heard in a trial by its letters, in blind copies; nothing after the last.

    RequestError where a clip of the test was deleted.
    """
    test = studio.listening.find(asked.test)
    trial = studio.listening.next_trial(test, asked.listener)
    if trial is None:
        return {}
    return {
        letter: studio.blind_copies.copy(
            studio.gallery.resolve(file), test=test.name, trial=trial, letter=letter
        )
        for letter, file in zip(asked.sounds, test.clips[trial].files, strict=True)
    }


def check_test_name(tests: ListeningTests, name: str) -> str:
    """Return a name for a new test; RequestError where it is none, or one is called so already."""
    if not NAME.fullmatch(name):
        raise argument_error("name", "must be small letters, digits and hyphens, such as genres-1")
    if name in tests.names:
        raise argument_error("name", f"there is a test '{name}' already; name another")
    return name
