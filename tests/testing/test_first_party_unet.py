"""Every U-Net that comes along keeps its contract."""

from first_party import untested

from mousai_kit.testing import UNetContract
from mousai_kit_dit.dit import DiT1d
from mousai_kit_mousai.unet import UNet1d
from mousai_kit_riffusion.unet import UNet2d
from mousai_kit_stable_audio.dit import StableAudioDiT

SMALL = {
    "channels": [8, 16],
    "factors": [1, 2],
    "blocks": [1, 1],
    "attentions": [0, 1],
    "context_injections": [],
    "attention_heads": 2,
    "attention_features": 4,
    "modulation_features": 16,
    "groups": 4,
    "transform": None,
}


class TestUNet1d(UNetContract):
    component = UNet1d
    options = {**SMALL, "transform": {"filters": 4, "window": 4, "stride": 2}}
    options_with_context = {"context_injections": [1, 1]}
    options_with_text = {"cross_attentions": [1, 1]}


class TestUNet1dWithGain(UNetContract):
    component = UNet1d
    options = {**SMALL, "head": "gain", "skip": "concatenated"}
    options_with_context = {"context_injections": [0, 1]}
    options_with_text = {"cross_attentions": [0, 1]}


class TestDiT1d(UNetContract):
    component = DiT1d
    options = {"features": 16, "depth": 2, "heads": 2, "feed_forward": 2.0}


class TestDiT1dOfPatchesWithGain(UNetContract):
    component = DiT1d
    options = {"features": 16, "depth": 1, "heads": 2, "patch": 4, "head": "gain"}


class TestDiT1dSteeredByTheText(UNetContract):
    component = DiT1d
    options = {"features": 16, "depth": 1, "heads": 2, "summary": True}


class TestUNet2d(UNetContract):
    component = UNet2d
    options = {
        "patch": [2, 2],
        "channels": [8, 16],
        "blocks": [1, 1],
        "attentions": [0, 1],
        "cross_attentions": [0, 1],
        "heads": 2,
        "groups": 4,
        "modulation_features": 16,
    }


class TestUNet2dOfOneDepth(UNetContract):
    component = UNet2d
    options = {
        "patch": [1, 4],
        "channels": [16],
        "blocks": [2],
        "attentions": [1],
        "cross_attentions": [1],
        "heads": 2,
        "groups": 4,
        "modulation_features": 16,
    }


class TestStableAudioDiT(UNetContract):
    component = StableAudioDiT
    options = {
        "depth": 2,
        "heads": 4,
        "head_features": 8,
        "shared_heads": 2,
        "told_features": 12,
        "level_features": 8,
    }


class TestStableAudioDiTSteeredByTheLevelAlone(UNetContract):
    component = StableAudioDiT
    options = {"depth": 1, "heads": 2, "head_features": 8, "shared_heads": 1, "global_tokens": 0}


def test_every_unet_has_a_suite():
    assert untested("unet", globals()) == []
