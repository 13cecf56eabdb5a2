"""What can be shaped, and where on a waveform."""

import nano
import numpy as np
import pytest
import soundfile

from mousai_kit.studio.systems import Systems
from mousai_kit.studio.waveform import CHOSEN, INK, WIDTH, second_at, waveform_picture

pytest.importorskip("gradio")

from mousai_kit.studio.page.shape_tab import (
    BLEND,
    CONTINUE,
    FROM,
    HUM,
    LOOP,
    REPAINT,
    ways,
)


def test_what_a_run_can_not_do_is_not_offered(trained):
    able = Systems([str(trained)]).abilities("nano")
    assert ways(able) == [FROM, REPAINT, CONTINUE, LOOP, BLEND]
    deaf = type(able)(frozenset({"loop"}), (), False, 1.0, 1.0, (), ())
    assert ways(deaf) == [LOOP]
    told = type(able)(frozenset(), ("melody",), False, 1.0, 1.0, (), ())
    assert ways(told) == [HUM]


def test_a_waveform_is_as_wide_as_its_clip_is_long(here):
    file = nano.tone(here / "tone.wav", seconds=2)
    picture = waveform_picture(file, (0.5, 1.5))
    top = picture[0]
    marked = np.flatnonzero((top == CHOSEN).all(-1))
    assert (marked[0], marked[-1]) == (WIDTH // 4, 3 * WIDTH // 4 - 1)
    inked = (picture == INK).all(-1).sum(0)
    assert inked.min() > 0.4 * picture.shape[0]


@pytest.mark.parametrize(("column", "second"), [(-5, 0), (0, 0), (300, 0.5), (1200, 2), (1300, 2)])
def test_a_column_of_the_picture_is_a_second(column, second):
    assert second_at(column, 2.0) == second


def test_a_soft_clip_is_drawn_as_high_as_a_loud_one_and_silence_as_a_line(here):
    loud = nano.tone(here / "loud.wav", seconds=1)
    soft, silent = here / "soft.wav", here / "silent.wav"
    wave, rate = soundfile.read(loud)
    soundfile.write(soft, 0.1 * wave, rate, subtype="FLOAT")
    soundfile.write(silent, 0 * wave, rate)
    heights = [(waveform_picture(file) == INK).all(-1).sum(0) for file in (loud, soft, silent)]
    assert abs(heights[0] - heights[1]).max() <= 2
    assert heights[2].max() == 3
