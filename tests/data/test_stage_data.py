"""What a stage measures before training: clips from all over its data."""

import nano
import pytest

from mousai_kit.data import stage_data
from mousai_kit.data.datasets import evenly_spread
from mousai_kit.data.stage_data import StageData


@pytest.mark.parametrize(
    ("count", "at_most", "expected"),
    [(0, 3, []), (1, 3, [0]), (3, 3, [0, 1, 2]), (4, 3, [0, 1, 2]), (10, 3, [0, 3, 6])],
)
def test_clips_are_spread_evenly(count, at_most, expected):
    assert evenly_spread(count, at_most) == expected


def test_of_a_large_data_set_every_part_is_measured():
    chosen = evenly_spread(1_000_003, 128)
    assert len(set(chosen)) == 128
    assert {index * 8 // 1_000_003 for index in chosen} == set(range(8))


def test_statistics_are_measured_on_clips_from_all_over_the_data(here, monkeypatch):
    """Neighbours are crops of one track, by which no library is to be judged."""
    monkeypatch.setattr(stage_data, "PREPARED_CLIPS", 2)
    system, measured = nano.system(text=nano.AUTOENCODER_ONLY), []
    stage = system.cascade.stages["autoencoder"]
    monkeypatch.setattr(stage, "fit_statistics", lambda signals, captions: measured.extend(signals))
    clips = StageData.of(system).clips("autoencoder", {"below": []}, "train")
    StageData.of(system).fit_statistics("autoencoder", clips, system.ranks)
    assert [wave.shape for wave in measured] == [(1, 1, 2048)] * 2
    assert all(
        wave[0].equal(clips.clip(index).wave) for wave, index in zip(measured, (0, 2), strict=True)
    )
