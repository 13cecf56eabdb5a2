"""The pretrained T5 encoder, with tiny checkpoints made here and a hub on this machine."""

import copy
import json
import logging
import os
import shutil
import subprocess
import sys
import time

import fake_hub
import pytest
import small_t5
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import mousai_kit.api as mk
from mousai_kit.models import hub, text_encoding
from mousai_kit_mousai.t5 import T5
from mousai_kit_mousai.t5_scratch import train_tokenizer

COMMIT = fake_hub.COMMIT
CAPTIONS = small_t5.CAPTIONS
WAYS_OUT = (
    "give a folder that holds a T5 (`text: {use: t5, model: /path/to/folder}`) or learn one with "
    "the generator (`text: {use: t5-scratch}`), which needs no download"
)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A folder as transformers saves a whole T5, decoder and all."""
    return small_t5.save(tmp_path_factory.mktemp("t5"))


@pytest.fixture
def broken(checkpoint, tmp_path):
    """A copy of the checkpoint, to break."""
    return shutil.copytree(checkpoint, tmp_path / "broken")


def built(model, **options):
    return T5(T5.Options(**{"model": str(model), "features": 32, "tokens": 16, **options}))


@pytest.fixture
def encoder(checkpoint):
    return built(checkpoint)


def calls(encoder):
    """Count what the network is asked from now on, as sizes of batches."""
    asked = []
    encoder.pretrained.load().register_forward_pre_hook(
        lambda _, __, keywords: asked.append(len(keywords["input_ids"])), with_kwargs=True
    )
    return asked


class TestTexts:
    def test_shapes_are_fixed_whatever_the_text(self, encoder):
        text = encoder(["", "drums", "x" * 10_000, "drums " * 2_000, "a\nb\x00", "\U0001f3b8"])
        assert text.embedding.shape == (6, 16, 32)
        assert text.embedding.dtype == torch.float32
        assert text.mask.sum(1).tolist()[:4] == [1, 2, 16, 16]
        assert not text.embedding[~text.mask].any()
        assert text.embedding[text.mask].abs().sum(1).all()

    def test_no_prompts_give_an_empty_batch(self, encoder):
        assert encoder([]).embedding.shape == (0, 16, 32)

    def test_embeddings_are_transformers_own(self, checkpoint, encoder):
        library = mk.transformers()
        tokenizer = library.AutoTokenizer.from_pretrained(checkpoint)
        network = library.T5EncoderModel.from_pretrained(checkpoint).eval()
        ids = tokenizer(
            CAPTIONS, padding="max_length", truncation=True, max_length=16, return_tensors="pt"
        )
        with torch.no_grad():
            expected = network(input_ids=ids.input_ids, attention_mask=ids.attention_mask)
        text = encoder(CAPTIONS)
        assert torch.equal(text.mask, ids.attention_mask.bool())
        torch.testing.assert_close(
            text.embedding, expected.last_hidden_state * ids.attention_mask[..., None]
        )

    def test_padding_has_no_influence(self, encoder):
        expected = encoder(["drums", "metal"]).embedding
        junk = encoder.pretrained.load().network.get_input_embeddings()
        with torch.no_grad():
            junk.weight[0] += 1000  # the padding token's embedding
        encoder.pretrained.memory.clear()
        assert torch.equal(encoder(["drums", "metal"]).embedding, expected)

    def test_batch_order_is_irrelevant(self, checkpoint):
        prompts = ["", "drums", "metal, 2011"]
        there, back = built(checkpoint)(prompts), built(checkpoint)(prompts[::-1])
        torch.testing.assert_close(back.embedding.flip(0), there.embedding)
        assert torch.equal(back.mask.flip(0), there.mask)

    def test_any_text_can_be_encoded(self, encoder):
        @settings(max_examples=30, deadline=None)
        @given(st.text(alphabet=st.characters(), max_size=80))  # lone surrogates among them
        def check(prompt):
            text = encoder([prompt])
            assert text.embedding.isfinite().all()
            assert text.mask[0, 0]

        check()


class TestFrozen:
    def test_it_is_in_no_state_and_learns_nothing(self, encoder):
        text = encoder(CAPTIONS)
        assert not text.embedding.requires_grad
        assert dict(encoder.state_dict()) == {}
        assert list(encoder.parameters()) == []
        network = encoder.pretrained.load()
        assert not any(p.requires_grad for p in network.parameters())
        encoder.train()
        assert not network.training

    def test_a_copy_shares_the_network(self, encoder):
        encoder(CAPTIONS)
        assert copy.deepcopy(encoder).pretrained is encoder.pretrained

    def test_it_encodes_alike_under_autocast_and_for_training(self, encoder):
        expected = encoder(CAPTIONS).embedding
        encoder.pretrained.memory.clear()
        with torch.autocast("cpu", torch.bfloat16):
            embedding = encoder(CAPTIONS).embedding
        assert torch.equal(embedding, expected)
        torch.nn.Linear(32, 4)(embedding).sum().backward()

    def test_embeddings_come_on_the_modules_device(self, encoder):
        encoder(CAPTIONS)
        text = torch.nn.Sequential(encoder).to("meta")[0](CAPTIONS)
        assert (text.embedding.device.type, text.mask.device.type) == ("meta", "meta")

    def test_it_is_built_without_loading_anything(self):
        encoder = T5(T5.Options())
        assert encoder.pretrained.network is None
        assert (encoder.features, encoder.tokens) == (768, 64)

    def test_building_it_leaves_transformers_alone(self):
        code = (
            "import sys; from mousai_kit_mousai.t5 import T5; T5(T5.Options());"
            "sys.exit('transformers' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_preparing_loads_it(self, encoder):
        encoder.download()
        assert encoder.pretrained.network is not None


class TestMemory:
    def test_a_text_is_encoded_once(self, encoder):
        asked = calls(encoder)
        first = encoder(["drums", "metal", "drums"])
        again = encoder(["metal", "drums"])
        encoder(["drums", "new"])
        assert asked == [2, 1]
        assert torch.equal(first.embedding[0], first.embedding[2])
        assert torch.equal(again.embedding, first.embedding[1:])

    def test_it_forgets_what_was_used_longest_ago(self, encoder, monkeypatch):
        monkeypatch.setattr(text_encoding, "REMEMBERED", 2)
        asked = calls(encoder)
        for prompt in ("a", "b", "a", "c", "a", "b"):
            encoder([prompt])
        assert asked == [1, 1, 1, 1], "a, b, c, and b again"
        encoder(list("abcdef"))
        assert len(encoder.pretrained.memory) == 2

    def test_what_is_done_with_an_embedding_does_not_reach_the_memory(self, encoder):
        expected = encoder(["drums"]).embedding.clone()
        encoder(["drums"]).embedding.zero_()
        assert torch.equal(encoder(["drums"]).embedding, expected)

    def test_only_real_tokens_are_kept(self, encoder):
        encoder(["drums"])
        kept = encoder.pretrained.memory["drums"]
        assert kept.shape == (2, 32)
        assert kept.untyped_storage().nbytes() == 2 * 32 * 4


def test_loading_prints_nothing(checkpoint):
    code = (
        "from mousai_kit_mousai.t5 import T5\n"
        f"T5(T5.Options(model={str(checkpoint)!r}, features=32))(['drums'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


class LogCapture(logging.Handler):
    """Collects what transformers reports: its loggers don't propagate to pytest's."""

    def __enter__(self):
        self.lines = []
        logging.getLogger("transformers").addHandler(self)

    def __exit__(self, *_):
        logging.getLogger("transformers").removeHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())


class TestFolders:
    def message(self, encoder):
        with pytest.raises(mk.WeightsError) as raised:
            encoder.download()
        return str(raised.value)

    def test_a_missing_folder(self, tmp_path):
        folder = tmp_path / "nothing"
        assert self.message(built(folder)) == f"{folder}: is no folder; {WAYS_OUT}"

    def test_an_empty_folder(self, tmp_path):
        expected = f"{tmp_path}: lacks config.json and tokenizer.json; {WAYS_OUT}"
        assert self.message(built(tmp_path)) == expected

    def test_a_folder_without_safetensors(self, broken):
        (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
        assert self.message(built(broken)) == f"{broken}: lacks model.safetensors; {WAYS_OUT}"

    @pytest.mark.parametrize("cut", [0, 5, 5000])
    def test_damaged_weights(self, broken, cut):
        path = broken / "model.safetensors"
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(SafetensorError) as reason:
            load_file(path)
        expected = f"{broken}: its weights can't be read ({reason.value}); {WAYS_OUT}"
        assert self.message(built(broken)) == expected

    def test_weights_that_lack_a_layer(self, broken):
        path = broken / "model.safetensors"
        lost = "encoder.block.1.layer.0.SelfAttention.q.weight"
        save_file({k: v for k, v in load_file(path).items() if k != lost}, path, {"format": "pt"})
        said = LogCapture()
        with said:
            message = self.message(built(broken))
        assert message == f"{broken}: its weights lack 1 tensors, such as '{lost}'; {WAYS_OUT}"
        assert said.lines == [], "transformers would print a table"

    @pytest.mark.parametrize("config", ["", "[]", "{}", "\udcff"])
    def test_a_configuration_that_is_none(self, broken, config):
        (broken / "config.json").write_text(config, errors="surrogateescape")
        expected = f"{broken}: its config.json describes no T5; {WAYS_OUT}"
        assert self.message(built(broken)) == expected

    def test_another_kind_of_network(self, broken):
        config = json.loads((broken / "config.json").read_text())
        (broken / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
        expected = f"{broken}: its config.json describes no T5 (got 'bert'); {WAYS_OUT}"
        assert self.message(built(broken)) == expected

    def test_other_features_than_the_recipe_says(self, checkpoint):
        assert self.message(built(checkpoint, features=768)) == (
            f"{checkpoint}: its embeddings have 32 features; set `features: 32` (got 768)"
        )

    def test_a_damaged_tokenizer(self, broken):
        (broken / "tokenizer.json").write_text("{")
        expected = (
            f"{broken}: its tokenizer.json can't be read "
            f"(EOF while parsing an object at line 1 column 1); {WAYS_OUT}"
        )
        assert self.message(built(broken)) == expected

    def test_another_networks_tokenizer(self, broken):
        captions = [f"word{i}" for i in range(2000)]
        train_tokenizer(captions, 1000).save(str(broken / "tokenizer.json"))
        expected = f"{broken}: its tokenizer has 1000 tokens, its network only 600; {WAYS_OUT}"
        assert self.message(built(broken)) == expected

    def test_a_folder_may_be_written_from_home(self, checkpoint, monkeypatch):
        monkeypatch.setenv("HOME", str(checkpoint.parent))
        assert len(built(f"~/{checkpoint.name}")(["drums"])) == 1


class TestOptions:
    def test_the_papers_model_is_pinned(self):
        options = T5.Options()
        assert options.model == "google-t5/t5-base"
        assert options.revision == "a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1"

    def test_another_model_from_the_hub_needs_its_commit(self):
        with pytest.raises(ValidationError) as raised:
            T5.Options(model="google/flan-t5-base")
        (problem,) = raised.value.errors()
        assert problem["loc"] == ("revision",)
        assert problem["msg"] == (
            "Value error, must be the 40-digit commit to fetch of 'google/flan-t5-base' from the "
            "hub; a folder needs none, but there is none of this name"
        )
        assert T5.Options(model="google/flan-t5-base", revision=COMMIT).revision == COMMIT

    def test_a_branch_is_no_revision(self):
        with pytest.raises(ValidationError, match="should match pattern"):
            T5.Options(revision="main")

    @pytest.mark.parametrize("model", ["/no/such/folder", "./t5", "~/t5", "a/b/c", "../x"])
    def test_a_folder_has_none(self, model):
        assert T5.Options(model=model, revision=COMMIT).revision is None

    def test_a_relative_folder_is_told_from_a_model_by_being_there(self, tmp_path, monkeypatch):
        (tmp_path / "models" / "t5").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        assert T5.Options(model="models/t5").revision is None


class TestHub:
    def handler(self, served_folder):
        return fake_hub.of("some/t5", served_folder)

    def failure(self, encoder):
        start = time.monotonic()
        with pytest.raises(mk.WeightsError) as raised:
            encoder.download()
        assert time.monotonic() - start < 5
        return str(raised.value)

    def test_a_model_is_fetched_once_and_without_what_is_not_needed(
        self, broken, endpoint, checkpoint
    ):
        (broken / "pytorch_model.bin").write_bytes(b"never fetched")
        handler = self.handler(broken)
        with fake_hub.served(handler) as url:
            endpoint(url)
            text = built("some/t5", revision=COMMIT)(CAPTIONS)
        assert torch.equal(text.embedding, built(checkpoint)(CAPTIONS).embedding)
        assert any("model.safetensors" in path for path in handler.asked)
        assert not any("pytorch_model.bin" in path for path in handler.asked)
        again = built("some/t5", revision=COMMIT)(CAPTIONS)  # the hub is gone now
        assert torch.equal(again.embedding, text.embedding)

    @pytest.mark.parametrize("here", [["config.json"], ["config.json", "tokenizer.json"]])
    def test_a_download_that_was_cut_off_is_completed(self, checkpoint, endpoint, tmp_path, here):
        snapshot = tmp_path / "cache" / "models--some--t5" / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        for name in here:
            shutil.copy(checkpoint / name, snapshot)
        with fake_hub.served(self.handler(checkpoint)) as url:
            endpoint(url)
            built("some/t5", revision=COMMIT).download()
        assert (snapshot / "model.safetensors").is_file()

    def test_weights_may_come_in_several_files(self, broken, checkpoint, endpoint, tmp_path):
        (broken / "model.safetensors").unlink()
        library = mk.transformers()
        whole = library.T5ForConditionalGeneration.from_pretrained(checkpoint)
        whole.save_pretrained(broken, max_shard_size="60KB")
        with fake_hub.served(self.handler(broken)) as url:
            endpoint(url)
            text = built("some/t5", revision=COMMIT)(CAPTIONS)
        assert torch.equal(text.embedding, built(checkpoint)(CAPTIONS).embedding)
        assert torch.equal(built("some/t5", revision=COMMIT)(CAPTIONS).embedding, text.embedding)
        parts = sorted((tmp_path / "cache").rglob("model-*.safetensors"))
        assert len(parts) > 1
        parts[0].unlink()
        assert hub.is_complete(parts[0].parent) is False

    def test_no_way_to_the_hub_is_told_within_seconds(self, endpoint):
        endpoint("http://127.0.0.1:9")
        assert self.failure(T5(T5.Options())) == (
            "google-t5/t5-base: can't be fetched: http://127.0.0.1:9 can't be reached; " + WAYS_OUT
        )

    def test_working_offline_on_purpose(self, tmp_path):
        code = "from mousai_kit_mousai.t5 import T5; T5(T5.Options()).download()"
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.stderr.splitlines()[-1] == (
            "mousai_kit.core.errors.WeightsError: "
            f"google-t5/t5-base: can't be fetched: HF_HUB_OFFLINE is set; {WAYS_OUT}"
        )

    def test_a_model_that_the_hub_does_not_have(self, checkpoint, endpoint):
        with fake_hub.served(self.handler(checkpoint)) as url:
            endpoint(url)
            assert self.failure(built("other/t5", revision=COMMIT)) == (
                f"other/t5: can't be fetched: the hub has no such model; {WAYS_OUT}"
            )

    def test_a_model_that_has_no_configuration(self, tmp_path, endpoint):
        with fake_hub.served(self.handler(tmp_path)) as url:
            endpoint(url)
            assert self.failure(built("some/t5", revision=COMMIT)) == (
                f"some/t5: can't be fetched: it has no config.json; {WAYS_OUT}"
            )

    def test_a_name_that_no_model_can_have(self, endpoint):
        endpoint("http://127.0.0.1:9")
        message = self.failure(built("a--b", revision=COMMIT))
        assert message.startswith("a--b: can't be fetched: ")
        assert message.endswith(f"; {WAYS_OUT}")
