"""The U-Net of pictures: it sees bands beside each other, and says what does not fit."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit.testing.network import perturb
from mousai_kit_riffusion.unet import UNet2d

SMALL = {
    "patch": [2, 2],
    "channels": [8, 16],
    "blocks": [1, 1],
    "attentions": [0, 0],
    "cross_attentions": [0, 1],
    "heads": 2,
    "groups": 4,
    "modulation_features": 16,
}


def network(layout=None, *, channels=32, text_features=0, **changes):
    torch.manual_seed(0)
    return mk.build(
        mk.UNet,
        {"use": "unet2d", **SMALL, **changes},
        channels=channels,
        context_channels=0,
        text_features=text_features,
        layout=layout,
    )


def noise(channels=32):
    return torch.randn(1, channels, 16, generator=torch.Generator().manual_seed(1))


SIGMA = torch.full((1,), 0.5)


def test_before_training_v_is_0():
    assert not network()(noise(), SIGMA).any()


@torch.no_grad()
def test_a_band_is_near_its_neighbours_and_the_same_band_of_the_other_channel():
    made = perturb(network(mk.ChannelLayout(16, 2), channels=32)).eval()
    x, other = noise(), noise()
    other[:, 0] += 1
    moved = (made(other, SIGMA) - made(x, SIGMA)).abs().amax((0, 2))
    assert moved[16] > moved[15], "left's lowest band is nearer to right's than to left's highest"


def test_without_a_layout_channels_are_the_rows_of_one_picture():
    alike = network(mk.ChannelLayout(32, 1)).state_dict()
    assert {name: item.shape for name, item in network().state_dict().items()} == {
        name: item.shape for name, item in alike.items()
    }


def test_a_text_that_no_depth_hears_is_refused():
    with pytest.raises(mk.RecipeError) as refused:
        network(text_features=8, cross_attentions=[0, 0])
    told = "unet2d: cross_attentions must be 1 at some depth, to hear the text"
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"blocks": [1]},
            (
                "the lists need one value per depth each "
                "(they have channels 2, blocks 1, attentions 2, cross_attentions 2)"
            ),
        ),
        ({"groups": 3}, "channels must be multiples of groups, 3 (got 8)"),
        ({"heads": 5}, "channels must be multiples of heads, 5 (got 8)"),
    ],
)
def test_options_that_do_not_go_together_are_told(changes, told):
    with pytest.raises(ValidationError) as refused:
        UNet2d.Options(**SMALL | changes)
    (problem,) = refused.value.errors()
    assert problem["msg"] == f"Value error, {told}"
