"""Text encoders of any family, from small checkpoints that are made and saved here."""

import json
import shutil

import fake_hub
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from small_transformers import CAPTIONS, FAMILIES, TOWER, network, tokenizer
from tokenizers import Tokenizer, models

import mousai_kit.api as mk
from mousai_kit_transformers.transformer import Transformer

WAYS_OUT = Transformer.fallback_hint
READERS = {"clip": "text_model", "bart": "model.encoder", "bert": "bert"}


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    network("bert", folder)
    return folder


@pytest.fixture
def broken(bert, tmp_path):
    """A copy of the checkpoint, to break."""
    return shutil.copytree(bert, tmp_path / "broken")


def built(model, **options):
    return Transformer(
        Transformer.Options(**{"model": str(model), "features": 16, "tokens": 12, **options})
    )


def message(encoder):
    with pytest.raises(mk.WeightsError) as raised:
        encoder.download()
    return str(raised.value)


def configured(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("family", FAMILIES)
class TestFamilies:
    def test_embeddings_are_those_of_the_part_that_reads(self, family, tmp_path):
        made = network(family, tmp_path)
        text = built(tmp_path)(["slow metal", ""])
        reader = made.get_submodule(READERS.get(family, ""))
        ids, mask = mk.tokenize(tokenizer(), ["slow metal", ""], 12)
        with torch.no_grad():
            expected = reader(input_ids=ids, attention_mask=mask).last_hidden_state
        assert torch.equal(text.mask, mask)
        assert text.mask.sum(1).tolist() == [4, 2]
        torch.testing.assert_close(text.embedding, expected * mask[..., None])

    def test_what_fills_up_has_no_influence(self, family, tmp_path):
        network(family, tmp_path)
        short, long = (built(tmp_path, tokens=it)(["drums"]).embedding for it in (6, 20))
        torch.testing.assert_close(long[:, :3], short[:, :3], rtol=1e-4, atol=1e-5)
        assert not long[:, 3:].any()

    def test_an_earlier_layer_can_be_read(self, family, tmp_path):
        network(family, tmp_path)
        words, *others = (
            built(tmp_path, layer=it)(["slow metal", "drums metal"]).embedding
            for it in (0, 1, -2, -1)
        )
        torch.testing.assert_close(others[0], others[1])
        assert not torch.allclose(others[1], others[2])
        torch.testing.assert_close(words[0, 2], words[1, 2], msg="no word knows another yet")


class TestFolders:
    def test_decoders_are_refused(self, tmp_path):
        library = mk.transformers()
        config = library.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=99)
        library.GPT2Model(config).save_pretrained(tmp_path)
        tokenizer().save(str(tmp_path / "tokenizer.json"))
        assert message(built(tmp_path)) == (
            f"{tmp_path}: is a decoder (gpt2): what it makes of a word knows none after it; "
            f"{WAYS_OUT}"
        )

    def test_an_encoder_that_is_set_to_decode_is_refused(self, broken):
        configured(broken, is_decoder=True)
        assert message(built(broken)) == (
            f"{broken}: is a decoder (bert): what it makes of a word knows none after it; "
            f"{WAYS_OUT}"
        )

    def test_a_network_that_reads_no_text(self, tmp_path):
        library = mk.transformers()
        config = library.ViTConfig(**TOWER, image_size=8, patch_size=4)
        library.ViTModel(config).save_pretrained(tmp_path)
        tokenizer().save(str(tmp_path / "tokenizer.json"))
        expected = f"{tmp_path}: reads no text (it takes pixel_values); {WAYS_OUT}"
        assert message(built(tmp_path)) == expected

    def test_a_folder_without_a_tokenizer(self, broken):
        (broken / "tokenizer.json").unlink()
        assert message(built(broken)) == f"{broken}: lacks tokenizer.json; {WAYS_OUT}"

    def test_a_folder_with_pickled_weights_only(self, broken):
        (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
        assert message(built(broken)) == f"{broken}: lacks model.safetensors; {WAYS_OUT}"

    def test_a_network_that_needs_code_of_its_own_is_not_run(self, broken):
        (broken / "theirs.py").write_text("raise SystemExit('it ran')")
        configured(broken, model_type="theirs", auto_map={"AutoConfig": "theirs.Config"})
        expected = f"{broken}: it needs code of its own, which is never run; {WAYS_OUT}"
        assert message(built(broken)) == expected

    def test_code_beside_a_network_that_needs_none_is_not_run(self, broken):
        (broken / "theirs.py").write_text("raise SystemExit('it ran')")
        where = {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"}
        configured(broken, auto_map=where)
        built(broken).download()

    @pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
    @pytest.mark.parametrize("kernels", ["some/kernels", "flash_attention_2"])
    def test_kernels_that_a_configuration_asks_for_are_not_fetched(self, broken, key, kernels):
        configured(broken, **{key: kernels})
        network = built(broken).pretrained.load().network
        assert network.config._attn_implementation == "eager"

    def test_a_network_that_nobody_knows(self, broken):
        configured(broken, model_type="theirs")
        version = mk.transformers().__version__
        assert message(built(broken)) == (
            f"{broken}: its config.json can't be used: transformers {version} knows no network "
            f"'theirs'; {WAYS_OUT}"
        )

    @pytest.mark.parametrize("config", ["", "[]", "{}"])
    def test_a_configuration_that_is_none(self, broken, config):
        (broken / "config.json").write_text(config)
        expected = f"{broken}: its config.json describes no network of transformers; {WAYS_OUT}"
        assert message(built(broken)) == expected

    def test_weights_that_lack_a_layer(self, broken):
        path = broken / "model.safetensors"
        lost = "bert.encoder.layer.1.attention.self.query.weight"
        save_file({k: v for k, v in load_file(path).items() if k != lost}, path, {"format": "pt"})
        assert message(built(broken)) == (
            f"{broken}: its weights lack 1 tensors, such as '{lost.removeprefix('bert.')}'; "
            f"{WAYS_OUT}"
        )

    def test_another_networks_tokenizer(self, broken):
        made = Tokenizer(models.WordLevel({f"w{i}": i for i in range(120)}, unk_token="w0"))
        made.save(str(broken / "tokenizer.json"))
        expected = f"{broken}: its tokenizer has 120 tokens, its network only 99; {WAYS_OUT}"
        assert message(built(broken)) == expected

    def test_other_features_than_the_recipe_says(self, bert):
        assert message(built(bert, features=768)) == (
            f"{bert}: its embeddings have 16 features; set `features: 16` (got 768)"
        )

    @pytest.mark.parametrize(("family", "most"), [("bert", 40), ("roberta", 39)])
    def test_a_text_longer_than_it_reads(self, family, most, tmp_path):
        network(family, tmp_path)  # RoBERTa counts from behind the padding's id
        assert message(built(tmp_path, tokens=64)) == (
            f"{tmp_path}: reads {most} tokens at most; set `tokens: {most}` (got 64)"
        )
        built(tmp_path, tokens=most).download()

    @pytest.mark.parametrize("layer", [3, -4])
    def test_a_layer_that_it_has_not(self, bert, layer):
        assert message(built(bert, layer=layer)) == (
            f"{bert}: has 2 layers; set `layer` to -1, or to 0 to 2 (got {layer})"
        )


def test_texts_are_filled_up_with_the_networks_own_padding(broken):
    configured(broken, pad_token_id=3)
    encoder, asked = built(broken), []
    reader = encoder.pretrained.load().network
    reader.register_forward_pre_hook(
        lambda _, __, given: asked.append(given["input_ids"]), with_kwargs=True
    )
    encoder(["drums"])
    assert asked[0][0, 3:].tolist() == [3] * 9


def test_it_is_in_no_state_and_learns_nothing(bert):
    encoder = built(bert)
    text = encoder(CAPTIONS)
    assert not text.embedding.requires_grad
    assert dict(encoder.state_dict()) == {}
    assert list(encoder.parameters()) == []
    encoder.train()
    assert not encoder.pretrained.load().training


def test_it_is_shown_without_being_fetched():
    encoder = built("no/where", revision=fake_hub.COMMIT).to("meta")
    text = encoder(CAPTIONS)
    assert (text.embedding.shape, text.embedding.device.type) == ((2, 12, 16), "meta")
    assert encoder.pretrained.network is None


def test_a_model_from_the_hub_needs_its_commit():
    with pytest.raises(ValidationError) as raised:
        Transformer.Options(model="google-bert/bert-base-uncased")
    (problem,) = raised.value.errors()
    assert problem["msg"] == (
        "Value error, must be the 40-digit commit to fetch of 'google-bert/bert-base-uncased' "
        "from the hub; a folder needs none, but there is none of this name"
    )


def test_a_model_is_fetched_without_what_is_not_needed(broken, endpoint, bert):
    (broken / "pytorch_model.bin").write_bytes(b"never fetched")
    (broken / "theirs.py").write_text("raise SystemExit('it ran')")
    handler = fake_hub.of("some/bert", broken)
    with fake_hub.served(handler) as url:
        endpoint(url)
        text = built("some/bert", revision=fake_hub.COMMIT)(CAPTIONS)
    assert torch.equal(text.embedding, built(bert)(CAPTIONS).embedding)
    assert not any(path.endswith((".bin", ".py")) for path in handler.asked)
