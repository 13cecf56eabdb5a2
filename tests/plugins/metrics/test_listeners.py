"""CLAP and audio taggers, from small checkpoints that are made and saved here."""

import json
import shutil
from pathlib import Path

import fake_hub
import pytest
import small_listeners
import small_transformers
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

import mousai_kit.api as mk
from mousai_kit.testing.signals import chords, nothing_drawn, white
from mousai_kit_metrics.audio_tagger import AST, AST_REVISION, AudioTagger
from mousai_kit_metrics.clap import Clap

RATE = 48_000
CLAP_OUT, TAGGER_OUT = Clap.fallback_hint, AudioTagger.fallback_hint


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clap")
    small_listeners.clap(folder)
    return folder


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagger")
    small_listeners.spectrogram_tagger(folder)
    return folder


@pytest.fixture
def broken(clap, tmp_path):
    """A copy of the CLAP, to break."""
    return shutil.copytree(clap, tmp_path / "broken")


def built(component, model, *, sample_rate=RATE, **options):
    return component(component.Options(model=str(model), **options), sample_rate=sample_rate)


def message(embedding):
    with pytest.raises(mk.WeightsError) as raised:
        embedding.download()
    return str(raised.value)


def configured(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class TestClap:
    def test_vectors_are_those_of_transformers_own_functions(self, clap):
        wave = 0.5 * chords(2, 1, RATE)
        library = mk.transformers()
        model = library.ClapModel.from_pretrained(clap).eval()
        extractor = library.ClapFeatureExtractor.from_pretrained(clap)
        inputs = extractor(list(wave[:, 0].numpy()), sampling_rate=RATE, return_tensors="pt")
        ids = torch.tensor(small_transformers.tokenizer().encode("slow metal").ids)[None]
        with torch.no_grad():
            heard = model.get_audio_features(**inputs).pooler_output
            read = model.get_text_features(input_ids=ids).pooler_output
        embedding = built(Clap, clap)
        torch.testing.assert_close(embedding(wave)[:, 0], heard)
        torch.testing.assert_close(embedding.embed_text(["slow metal", "drums"])[:1], read)

    def test_vectors_have_length_1(self, clap):
        embedding = built(Clap, clap)
        heard, read = embedding(chords(2, 2, 2 * RATE)), embedding.embed_text(["slow", "metal"])
        torch.testing.assert_close(heard.norm(dim=-1), torch.ones(2, 2))
        torch.testing.assert_close(read.norm(dim=-1), torch.ones(2))

    def test_a_long_clip_is_heard_in_windows(self, clap):
        wave = torch.cat([chords(1, 1, RATE), 0.1 * white(1, 1, RATE)], -1)
        embedding = built(Clap, clap)
        both = embedding(wave)
        torch.testing.assert_close(both[:, :1], embedding(wave[..., :RATE]))
        torch.testing.assert_close(both[:, 1:], embedding(wave[..., RATE:]))

    def test_other_rates_are_resampled_and_channels_averaged(self, clap):
        wave = mk.torchaudio.functional.resample(white(1, 1, RATE), RATE, 24_000)
        low, high = wave, mk.torchaudio.functional.resample(wave, 24_000, RATE)
        expected = built(Clap, clap)(high)
        found = built(Clap, clap, sample_rate=24_000)(low.expand(1, 2, -1))
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("fusion", [False, True])
    def test_chance_has_no_part_in_it(self, fusion, tmp_path):
        small_listeners.clap(tmp_path, fusion=fusion)
        embedding, wave = built(Clap, tmp_path), chords(3, 1, RATE)
        assert torch.equal(embedding(wave), embedding(wave))

    def test_a_text_longer_than_it_reads_is_cut(self, clap):
        embedding = built(Clap, clap)
        long = embedding.embed_text(["slow metal " * 40, "slow metal " * 50])
        torch.testing.assert_close(long[0], long[1])

    def test_another_network(self, tmp_path, clap):
        small_transformers.network("bert", tmp_path)
        shutil.copy(clap / "preprocessor_config.json", tmp_path)
        told = f"{tmp_path}: its config.json describes no CLAP (got 'bert'); {CLAP_OUT}"
        assert message(built(Clap, tmp_path)) == told

    @pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
    def test_a_folder_that_lacks_a_file(self, broken, name):
        (broken / name).unlink()
        assert message(built(Clap, broken)) == f"{broken}: lacks {name}; {CLAP_OUT}"

    def test_a_folder_with_pickled_weights_only(self, broken):
        (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
        assert message(built(Clap, broken)) == f"{broken}: lacks model.safetensors; {CLAP_OUT}"

    def test_weights_that_lack_a_layer(self, broken):
        path = broken / "model.safetensors"
        lost = "audio_projection.linear1.weight"
        save_file({k: v for k, v in load_file(path).items() if k != lost}, path, {"format": "pt"})
        told = f"{broken}: its weights lack 1 tensors, such as '{lost}'; {CLAP_OUT}"
        assert message(built(Clap, broken)) == told

    def test_a_feature_extractor_that_needs_code_of_its_own_is_not_run(self, broken):
        (broken / "theirs.py").write_text("raise SystemExit('it ran')")
        (broken / "preprocessor_config.json").write_text(
            json.dumps(
                {
                    "feature_extractor_type": "Theirs",
                    "auto_map": {"AutoFeatureExtractor": "theirs.Theirs"},
                }
            )
        )
        told = message(built(Clap, broken))
        assert told.startswith(f"{broken}: its preprocessor_config.json can't be read (")
        assert told.endswith(f"; {CLAP_OUT}")
        assert "\n" not in told

    def test_a_configuration_that_is_none(self, broken):
        (broken / "config.json").write_text("[]")
        told = f"{broken}: its config.json describes no network of transformers; {CLAP_OUT}"
        assert message(built(Clap, broken)) == told

    def test_a_model_must_be_named(self):
        with pytest.raises(ValidationError) as raised:
            Clap.Options()
        (problem,) = raised.value.errors()
        assert (problem["loc"], problem["type"]) == (("model",), "missing")

    def test_a_model_from_the_hub_needs_its_commit(self):
        with pytest.raises(ValidationError) as raised:
            Clap.Options(model="some/clap")
        (problem,) = raised.value.errors()
        assert problem["msg"] == (
            "Value error, must be the 40-digit commit to fetch of 'some/clap' from the hub; "
            "a folder needs none, but there is none of this name"
        )

    def test_it_is_fetched_from_the_hub_without_what_is_not_needed(self, broken, clap, endpoint):
        (broken / "pytorch_model.bin").write_bytes(b"never fetched")
        (broken / "theirs.py").write_text("raise SystemExit('it ran')")
        handler = fake_hub.of("some/clap", broken)
        with fake_hub.served(handler) as url:
            endpoint(url)
            found = built(Clap, "some/clap", revision=fake_hub.COMMIT)(chords(1, 1, RATE))
        assert torch.equal(found, built(Clap, clap)(chords(1, 1, RATE)))
        assert not any(path.endswith((".bin", ".py")) for path in handler.asked)

    def test_it_is_built_without_being_fetched(self):
        assert built(Clap, "no/where", revision=fake_hub.COMMIT).network is None


class TestTagger:
    @pytest.mark.parametrize("posterior", ["softmax", "sigmoid"])
    def test_probabilities_are_of_transformers_own_logits(self, tagger, posterior):
        wave = 0.5 * chords(2, 1, 9_600)
        library = mk.transformers()
        model = library.ASTForAudioClassification.from_pretrained(tagger).eval()
        extractor = library.ASTFeatureExtractor.from_pretrained(tagger)
        inputs = extractor(list(wave[:, 0].numpy()), sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            logits = model(**inputs).logits
        each = logits.sigmoid()
        expected = {"softmax": logits.softmax(-1), "sigmoid": each / each.sum(-1, keepdim=True)}
        found = built(AudioTagger, tagger, sample_rate=16_000, posterior=posterior)(wave)[:, 0]
        torch.testing.assert_close(found, expected[posterior])

    def test_labels_are_the_networks_own_in_their_order(self, tagger):
        embedding = built(AudioTagger, tagger)
        assert embedding.labels == small_listeners.LABELS
        assert embedding.features == len(small_listeners.LABELS)

    def test_a_window_lasts_as_long_as_the_recipe_says(self, tagger):
        embedding = built(AudioTagger, tagger, sample_rate=16_000, seconds=0.5)
        assert embedding(chords(1, 1, 20_000)).shape == (1, 3, 5)

    def test_a_network_that_classifies_no_audio(self, tmp_path, tagger):
        small_transformers.network("bert", tmp_path)
        shutil.copy(tagger / "preprocessor_config.json", tmp_path)
        told = f"{tmp_path}: is no audio classifier (its config.json says 'bert'); {TAGGER_OUT}"
        assert message(built(AudioTagger, tmp_path)) == told

    def test_a_network_whose_classifier_was_never_learned(self, tmp_path, tagger):
        library = mk.transformers()
        folder = Path(shutil.copytree(tagger, tmp_path / "bare"))
        library.ASTModel.from_pretrained(tagger).save_pretrained(folder)
        told = message(built(AudioTagger, folder))
        assert told == (
            f"{folder}: its weights lack 4 tensors, such as 'classifier.dense.bias'; {TAGGER_OUT}"
        )

    def test_the_default_is_pinned(self):
        options = AudioTagger.Options()
        assert (options.model, options.revision) == (AST, AST_REVISION)

    def test_a_hub_that_can_not_be_reached(self, endpoint):
        endpoint("http://127.0.0.1:9")
        assert message(AudioTagger(AudioTagger.Options(), sample_rate=RATE)) == (
            f"{AST}: can't be fetched: http://127.0.0.1:9 can't be reached; {TAGGER_OUT}"
        )


def test_vectors_that_are_not_finite_are_one_clear_line(tagger):
    embedding = built(AudioTagger, tagger)
    clip = mk.Clip(torch.full((1, RATE), float("nan")), "", source="a.wav")
    with pytest.raises(mk.RequestError) as raised:
        mk.ClipSet([clip]).vectors(embedding)
    assert str(raised.value) == (
        "the vectors that 'audio-tagger' makes of 'a.wav' are not finite; "
        "leave the clip out, or use another embedding"
    )


def test_loading_draws_from_no_generator_of_the_whole_process(tmp_path):
    small_listeners.wave_tagger(tmp_path)
    with nothing_drawn():
        built(AudioTagger, tmp_path).download()
