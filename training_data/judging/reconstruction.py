"""Reconstruction: held-out music through a run's latents and back, and through another track's.

Four figures of what comes out, channels averaged: log-mel distance in dB (less is better), and the
metrics `lines`, `pitch` and `attacks` (1 is the same).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mousai_kit.api as mk
from judging.crops import Track, read_tracks
from mousai_kit import audio
from mousai_kit.core.console import Screen
from mousai_kit.core.seeds import derive_seed
from mousai_kit.models.device import autocast
from mousai_kit.runs.resolve import half_trained_system
from mousai_kit.runs.run import Run

SECONDS = 10.0
METRICS = ("lines", "pitch", "attacks")
WAYS = ("own", "other")
"""Decoded from the latents of the track, and of a track of another style."""

Score = Callable[[Tensor, Tensor], float]


def reconstruct(
    run: str, library: Path, screen: Screen, *, clips: Path | None = None
) -> dict[str, Any]:
    """Return the figures of each held-out track, their means, and those by style.

    `run` is a run folder or the name of a trained system; its stages that encode have to be
    trained, not the one that reads text. What comes out is written to the folder `clips`, if any:
    sorted, it tells how well clips of this run could be told at best. RequestError where the run
    has no such stage, or there are no tracks.
    """
    tracks = read_tracks(library, "held_out")
    system = half_trained_system(run, None)
    if not system.autoencoder_stages:
        raise mk.RequestError(mk.Problem(run, "", "has no stage that encodes audio"))
    system.load_for_inference(system.autoencoder_stages)
    rate = system.recipe.audio.sample_rate
    scores = _scores(rate)
    waves = [middle(track, system.recipe) for track in tracks]
    figures = []
    with screen.bar("through the latents", 3 * len(tracks)) as bar:
        latents = []
        for wave, track in zip(waves, tracks, strict=True):
            latents.append(_latents(system, wave))
            bar.advance(note=track.name)
        for number, (wave, track) in enumerate(zip(waves, tracks, strict=True)):
            row: dict[str, Any] = {"track": track.name, "style": track.style}
            for way, source in zip(WAYS, (number, another(tracks, number)), strict=True):
                made = _decoded(system, latents[source], wave.shape[-1])
                if clips and way == "own":
                    write_clip(clips / f"{track.name}.flac", made, rate, track)
                row[way] = {name: round(score(made, wave), 4) for name, score in scores.items()}
                bar.advance(note=track.name)
            figures.append(row)
    styles = sorted({track.style for track in tracks})
    return {
        "run": run,
        "stage": system.autoencoder_stages[-1],
        "mean": _mean(figures),
        "styles": {it: _mean([row for row in figures if row["style"] == it]) for it in styles},
        "tracks": figures,
    }


def table(result: dict[str, Any]) -> str:
    """Return means as text: a row a style, each figure with that of another's latents behind."""
    names = list(result["mean"]["own"])
    width = max(map(len, result["styles"]))
    lines = [" " * width + "".join(f"{name:>18}" for name in names)]
    for style, mean in [*result["styles"].items(), ("mean", result["mean"])]:
        cells = (f"{mean['own'][name]:.2f} ({mean['other'][name]:.2f})" for name in names)
        lines.append(f"{style:<{width}}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def _scores(rate: int) -> dict[str, Score]:
    """Return the four figures, of audio [c, t] and [c, t]."""
    found: dict[str, Score] = {
        "log-mel dB": lambda ours, theirs: log_mel_distance(ours, theirs, rate)
    }
    for name in METRICS:
        metric = mk.build(mk.Metric, name, sample_rate=rate)
        found[name] = lambda ours, theirs, metric=metric: metric.score(ours[None], theirs[None])
    return found


def log_mel_distance(ours: Tensor, theirs: Tensor, rate: int) -> float:
    """Return the mean absolute difference in dB of audio [c, t] and [c, t], floor -80 dB.

    80 mel bands (O'Shaughnessy's scale), 20 Hz to 20 kHz or half the rate; STFT 2048 every 512.
    """
    filters = mk.torchaudio.functional.melscale_fbanks(1025, 20.0, min(2e4, rate / 2), 80, rate)
    window = torch.hann_window(2048)

    def level(wave: Tensor) -> Tensor:
        spectrum = torch.stft(wave.mean(0), 2048, 512, window=window, return_complex=True)
        return 10 * (filters.T @ spectrum.abs().square()).clamp(min=1e-8).log10()

    return float((level(ours) - level(theirs)).abs().mean())


def middle(track: Track, recipe: mk.Recipe) -> Tensor:
    """Return ten seconds [c, t] from the middle of a track, with silence behind a shorter one."""
    told = recipe.audio
    start = max(0.0, (mk.audio_info(track.path).seconds - SECONDS) / 2)
    wave = mk.read(
        track.path,
        sample_rate=told.sample_rate,
        channels=told.channels,
        start=start,
        seconds=SECONDS,
    )
    samples = round(SECONDS * told.sample_rate)
    return torch.nn.functional.pad(wave, (0, max(0, samples - wave.shape[-1])))[:, :samples]


def _latents(system: Run, wave: Tensor) -> Tensor:
    with torch.no_grad(), autocast(system.device, _precision(system)):
        return system.cascade.encode_to(
            wave[None].to(system.device),
            system.autoencoder_stages[-1],
            window=system.recipe.window_samples,
        )


def _decoded(system: Run, latents: Tensor, samples: int) -> Tensor:
    """Return the audio [c, t] that latents stand for."""
    seed = derive_seed(system.recipe.seed, "judge")
    request = mk.GenerationRequest([""], [seed], samples, window=system.recipe.window_samples)
    with torch.no_grad(), autocast(system.device, _precision(system)):
        made = system.cascade.decode(latents, request, top=system.autoencoder_stages[-1])
    return made[0].float().cpu()


def write_clip(path: Path, wave: Tensor, rate: int, track: Track) -> None:
    """Write a clip, asked for by the style of its track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.write(path, wave, sample_rate=rate, tags={"title": track.name, "prompt": track.style})


def _precision(system: Run) -> str:
    return next(iter(system.recipe.stages.values())).train.precision


def another(tracks: Sequence[Track], number: int) -> int:
    """Return the number of a track of another style, or just another, half the list away."""
    order = [(number + len(tracks) // 2 + step) % len(tracks) for step in range(len(tracks))]
    others = [it for it in order if tracks[it].style != tracks[number].style]
    return (others or order)[0]


def _mean(figures: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        way: {
            name: round(float(np.mean([row[way][name] for row in figures])), 4)
            for name in figures[0][way]
        }
        for way in WAYS
    }
