"""Every schedule that comes along keeps its contract."""

from first_party import untested

from mousai_kit.testing import ScheduleContract
from mousai_kit_mousai.schedules import Cosine, ShiftedCosine
from mousai_kit_solvers.spacings import CosineSpaced, Karras, UniformLogSNR


class TestCosine(ScheduleContract):
    component = Cosine


class TestShiftedCosine(ScheduleContract):
    component = ShiftedCosine
    options = {"shift": 4.0}


class TestShiftedFar(ScheduleContract):
    component = ShiftedCosine
    options = {"shift": 100.0}


class TestCosineSpaced(ScheduleContract):
    component = CosineSpaced


class TestKarras(ScheduleContract):
    component = Karras


class TestUniformLogSNR(ScheduleContract):
    component = UniformLogSNR


def test_every_schedule_has_a_suite():
    assert untested("schedule", globals()) == []
