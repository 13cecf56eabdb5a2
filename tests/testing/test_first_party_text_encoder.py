"""Every text encoder that comes along keeps its contract."""

import pytest
import small_t5
import small_transformers
from first_party import untested

from mousai_kit.testing import TextEncoderContract
from mousai_kit_mousai.t5 import T5
from mousai_kit_mousai.t5_scratch import T5Scratch
from mousai_kit_transformers.transformer import Transformer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of a pretrained T5."""
    return small_t5.save(tmp_path_factory.mktemp("t5"))


class TestT5(TextEncoderContract):
    component = T5

    @pytest.fixture(autouse=True)
    def local(self, folder):
        """Take the model from a folder of this machine."""
        self.options = {"model": str(folder), "features": small_t5.FEATURES, "tokens": 16}


class TestT5Scratch(TextEncoderContract):
    component = T5Scratch
    options = {
        "features": 16,
        "layers": 1,
        "heads": 2,
        "feed_forward": 16,
        "vocabulary": 512,
        "tokens": 16,
    }


class TestTransformer(TextEncoderContract):
    component = Transformer

    @pytest.fixture(autouse=True)
    def local(self, tmp_path):
        """Take the model from a folder of this machine."""
        small_transformers.network("bert", tmp_path)
        sizes = {"features": small_transformers.FEATURES, "tokens": 16}
        self.options = {"model": str(tmp_path), **sizes}


def test_every_text_encoder_has_a_suite():
    assert untested("text_encoder", globals()) == []
