"""Endpoints of comparisons and listening tests: what the tabs Compare and Listen do, for programs.

What `/trial` and `/trial_sound` give a listener says neither who made a sound nor which answer is
right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from mousai_kit.core.errors import argument_error
from mousai_kit.studio.judging import (
    compare_systems,
    make_abx_test,
    make_genre_test,
    trial_sounds,
)
from mousai_kit.studio.listening import ListeningResults
from mousai_kit.studio.page.endpoints import (
    DEVICE,
    add_endpoint,
    add_file_endpoint,
    state_values,
)
from mousai_kit.studio.studio import Studio


def add_listening_endpoints(studio: Studio) -> None:
    """Add the endpoints to the page that is being built."""
    for function in _making_endpoints(studio):
        add_endpoint(function, DEVICE)
    for function in _listener_endpoints(studio):
        add_endpoint(function)

    def trial_sound(test: str, listener: str, sound: str) -> str:
        sounds = trial_sounds(studio, studio.listening.ask(test, listener))
        if sound not in sounds:
            told = f"must be one of {', '.join(sounds)}" if sounds else "there is no trial left"
            raise argument_error("sound", told, sound[:20])
        return str(sounds[sound])

    inputs = [gr.Textbox(visible=False) for _ in range(3)]
    add_file_endpoint(trial_sound, inputs, gr.File(visible=False))


def _making_endpoints(studio: Studio) -> list[Callable[..., Any]]:
    def compare(
        systems: list[str], prompts: list[str], seconds: float = 5.0, seed: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Make a clip of each prompt with each of two to four systems, on the same seed."""
        for state in compare_systems(studio, systems, prompts, seconds=seconds, seed=seed):
            yield state_values(state)

    def genre_test(
        name: str,
        systems: list[str],
        genres: list[str],
        clips: int = 2,
        seconds: float = 5.0,
        seed: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """Make a test of which genre is heard: so many clips of each genre with each system."""
        asked: dict[str, Any] = {"systems": systems, "genres": genres, "clips": clips}
        asked |= {"seconds": seconds, "seed": seed}
        for state in make_genre_test(studio, studio.listening, name, **asked):
            yield state_values(state)

    def abx_test(
        name: str, system: str, sources: list[str], trials: int = 8, seed: int = 0
    ) -> dict[str, Any]:
        """Make an ABX test of a system's reconstructions; sources are `clip:` or `upload:`."""
        asked: dict[str, Any] = {"system": system, "sources": sources, "trials": trials}
        made = make_abx_test(studio, studio.listening, name, **asked, seed=seed)
        return _test_values(studio, made.name)

    return [compare, genre_test, abx_test]


def _listener_endpoints(studio: Studio) -> list[Callable[..., Any]]:
    def tests() -> list[dict[str, Any]]:
        """Tell the listening tests: their names and kinds, and how many trials each has."""
        return [_test_values(studio, name) for name in studio.listening.names]

    def trial(test: str, listener: str) -> dict[str, Any]:
        """Tell what a listener is asked next; `trial` is null after the last one."""
        return asdict(studio.listening.ask(test, listener))

    def answer(test: str, listener: str, trial: int, heard: str) -> dict[str, Any]:
        """Write a listener's answer down; tells what is asked next, as `/trial` does."""
        return asdict(studio.listening.answer(test, listener, trial, heard))

    def results(test: str) -> dict[str, Any]:
        """Tell what listeners said: accuracies with intervals, counts, and all answers as CSV."""
        return results_values(studio.listening.results(test))

    return [tests, trial, answer, results]


def _test_values(studio: Studio, name: str) -> dict[str, Any]:
    test = studio.listening.find(name)
    return {"name": name, "kind": test.kind, "answers": test.answers, "trials": len(test.clips)}


def results_values(results: ListeningResults) -> dict[str, Any]:
    """Return the results of a test as plain values; rows are asked for, columns heard."""
    systems = [
        {
            "system": one.system,
            "right": one.right,
            "total": one.total,
            "accuracy": one.right / one.total if one.total else None,
            "interval": list(one.interval),
            "counts": one.rows,
        }
        for one in results.systems
    ]
    return {
        "test": results.test.name,
        "kind": results.test.kind,
        "answers": results.test.answers,
        "systems": systems,
        "p": results.chance,
        "summary": results.summary,
        "csv": results.csv,
    }
