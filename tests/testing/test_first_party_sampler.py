"""Every sampler that comes along keeps its contract."""

from first_party import untested

from mousai_kit.testing import RotationSamplerContract, SamplerContract
from mousai_kit_distillation.few_step import FewStep
from mousai_kit_mousai.samplers import DDIM
from mousai_kit_solvers.angle import Angle2M
from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2M, DPMSolverPlusPlus2MSDE
from mousai_kit_solvers.heun import Heun


class TestDDIM(RotationSamplerContract):
    component = DDIM
    options = {"steps": 5}


class TestDDIMWithFreshNoise(RotationSamplerContract):
    component = DDIM
    options = {"steps": 5, "eta": 1.0}


class TestAngle2M(RotationSamplerContract):
    component = Angle2M
    options = {"steps": 5}


class TestDPMSolverPlusPlus2M(RotationSamplerContract):
    component = DPMSolverPlusPlus2M
    options = {"steps": 5}


class TestDPMSolverPlusPlus2MSDE(RotationSamplerContract):
    component = DPMSolverPlusPlus2MSDE
    options = {"steps": 5}


class TestDPMSolverPlusPlus2MSDEWithLessNoise(RotationSamplerContract):
    component = DPMSolverPlusPlus2MSDE
    options = {"steps": 5, "eta": 0.4}


class TestHeun(RotationSamplerContract):
    component = Heun
    options = {"steps": 5}


class TestFewStep(SamplerContract):
    component = FewStep
    options = {"steps": 5}


def test_every_sampler_has_a_suite():
    assert untested("sampler", globals()) == []
