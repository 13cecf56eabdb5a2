"""The T5 encoder that is learned from scratch, with its vocabulary."""

import copy
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

import mousai_kit.api as mk
from mousai_kit_mousai.t5_scratch import T5Scratch

CAPTIONS = [
    "Egyptian Darbuka, Drums, Rythm, (Deluxe Edition), 2 of 4",
    "Orbital Elevator, Electronic, 2011, 1 of 4",
    "Media Threat Metal (Deluxe Edition) Drums",
    "Bj\u00f6rk, Caf\u00e9 \u2615, \u97f3\u697d",
]
SMALL = {"features": 32, "layers": 2, "heads": 2, "feed_forward": 48, "vocabulary": 512}


def fresh(captions=CAPTIONS, **options):
    torch.manual_seed(0)
    encoder = T5Scratch(T5Scratch.Options(**{**SMALL, "tokens": 16, **options}))
    if captions is not None:
        encoder.fit_statistics(captions)
    return encoder


READY = fresh()


@pytest.mark.parametrize("layers", [1, 3])
def test_on_the_meta_device_it_has_the_same_parameters(layers):
    def shapes(encoder):
        return [(name, it.shape, it.requires_grad) for name, it in encoder.named_parameters()]

    with torch.device("meta"):
        outline = fresh(None, layers=layers)
    assert {it.device.type for it in outline.parameters()} == {"meta"}
    assert shapes(outline) == shapes(fresh(None, layers=layers))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_it_computes_what_transformers_t5_does(precision):
    encoder = fresh(layers=3, tokens=160)  # longer than the farthest distance that is told apart
    library = mk.transformers()
    theirs = library.T5EncoderModel(
        library.T5Config(
            vocab_size=512, d_model=32, d_kv=16, d_ff=48, num_layers=3, num_heads=2, dropout_rate=0
        )
    ).encoder
    theirs.load_state_dict(encoder.network.state_dict())
    ids = torch.randint(0, 512, (4, 160), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(160)[None] < torch.tensor([[160], [150], [7], [1]])
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        embedding = encoder.embed(ids, mask).embedding
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(embedding[mask], expected[mask].float(), atol=1e-6, rtol=1e-6)


def test_fresh_weights_deviate_as_t5s_do():
    torch.manual_seed(0)
    network = T5Scratch(T5Scratch.Options(features=256, vocabulary=2048)).network
    theirs = mk.transformers()
    config = theirs.T5Config(
        vocab_size=2048, d_model=256, d_kv=64, d_ff=1024, num_layers=4, num_heads=4
    )
    for name, weight in theirs.T5EncoderModel(config).encoder.named_parameters():
        ours = network.get_parameter(name).detach()
        assert ours.std() == pytest.approx(float(weight.detach().std()), rel=0.25), name


def words(encoder, text):
    return [token.lstrip() for token in encoder.tokenizer.encode(text).tokens]


class TestTexts:
    def test_shapes_are_fixed_whatever_the_text(self):
        prompts = [
            "",
            "drums",
            "x" * 10_000,
            "drums " * 2_000,
            "a\nb\r\n\x00",
            "\U0001f3b8\u200d",
            "../../x",
        ]
        text = READY(prompts)
        assert text.embedding.shape == (7, 16, 32)
        assert text.mask.shape == (7, 16)
        assert text.embedding.dtype == torch.float32
        assert text.mask.dtype == torch.bool
        assert text.mask.sum(1).tolist()[:4] == [1, 2, 16, 16]
        assert text.embedding.isfinite().all()

    def test_what_the_mask_leaves_out_is_zero(self):
        text = READY(["drums", ""])
        assert not text.embedding[~text.mask].any()
        assert text.embedding[text.mask].abs().sum(1).all()

    @settings(max_examples=30, deadline=None)
    @given(st.text(alphabet=st.characters(), max_size=80))  # lone surrogates among them
    def test_any_text_can_be_encoded(self, prompt):
        text = READY([prompt])
        assert text.embedding.isfinite().all()
        assert text.mask[0, 0]
        assert text.mask[0].int().diff().max() <= 0, "real tokens come first"

    def test_case_and_compatibility_forms_make_no_difference(self):
        plain = READY(["egyptian darbuka, drums"]).embedding
        for typed in (
            "EGYPTIAN DARBUKA, DRUMS",
            "Egyptian  Darbuka ,\nDrums",
            "\uff25gyptian Darbuka, Drums",
        ):
            assert torch.equal(READY([typed]).embedding, plain)

    def test_a_word_of_the_captions_is_one_token_wherever_it_stands(self):
        assert words(READY, "drums (deluxe,drums)") == [
            "drums",
            "(",
            "deluxe",
            ",",
            "drums",
            ")",
            "</s>",
        ]

    def test_different_texts_are_encoded_differently(self):
        first, second = READY(["egyptian drums", "metal drums"]).embedding
        assert (first - second).abs().max() > 0.1

    def test_a_cut_text_still_ends_with_the_end_token(self):
        end = READY.tokenizer.token_to_id("</s>")
        READY(["drums " * 100])
        assert READY.tokenizer.encode("drums " * 100).ids[-1] == end

    @pytest.mark.parametrize("tokens", [2, 512])
    def test_the_smallest_and_the_largest_number_of_tokens_work(self, tokens):
        text = fresh(tokens=tokens)(["", "drums " * 1000])
        assert text.mask.sum(1).tolist() == [1, tokens]


class TestBatches:
    def test_order_is_irrelevant(self):
        prompts = ["", "drums", "metal, 2011", "\u97f3\u697d"]
        there = READY(prompts)
        back = READY(prompts[::-1])
        torch.testing.assert_close(back.embedding.flip(0), there.embedding)
        assert torch.equal(back.mask.flip(0), there.mask)

    def test_padding_has_no_influence(self):
        mask = torch.arange(16).expand(2, -1) < torch.tensor([[3], [7]])
        ids = torch.randint(512, (2, 16), generator=torch.Generator().manual_seed(1))
        junk = torch.where(mask, ids, 511 - ids)
        assert torch.equal(READY.embed(ids, mask).embedding, READY.embed(junk, mask).embedding)


class TestLearning:
    def test_every_parameter_gets_a_gradient(self):
        encoder = fresh()
        encoder(CAPTIONS).embedding.square().sum().backward()
        assert [name for name, p in encoder.named_parameters() if p.grad is None] == []
        assert all(p.grad.any() for p in encoder.parameters())

    def test_it_learns_to_tell_captions_apart(self):
        encoder = fresh()
        probe = torch.nn.Linear(32, len(CAPTIONS))
        optimizer = torch.optim.Adam([*encoder.parameters(), *probe.parameters()], lr=3e-3)
        for _ in range(60):
            text = encoder(CAPTIONS)
            pooled = text.embedding.sum(1) / text.mask.sum(1, keepdim=True)
            loss = torch.nn.functional.cross_entropy(probe(pooled), torch.arange(len(CAPTIONS)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss < 0.05

    def test_half_precision_changes_little_and_returns_float32(self):
        encoder = fresh()
        exact = encoder(CAPTIONS).embedding
        with torch.autocast("cpu", torch.bfloat16):
            rough = encoder(CAPTIONS).embedding
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() / exact.norm() < 0.05
        rough.square().sum().backward()
        assert all(p.grad.isfinite().all() for p in encoder.parameters())

    def test_dropout_works_in_training_only(self):
        encoder = fresh(dropout=0.5)
        assert not torch.equal(encoder(["drums"]).embedding, encoder(["drums"]).embedding)
        encoder.eval()
        assert torch.equal(encoder(["drums"]).embedding, encoder(["drums"]).embedding)

    def test_the_same_seed_gives_the_same_weights(self):
        first, second = fresh().state_dict(), fresh().state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)


class TestVocabulary:
    def test_it_depends_on_nothing_but_the_captions(self):
        captions = [
            f"Band {i % 7}, Album {i % 3}, genre {i % 5}, {i} of 90" for i in range(90)
        ] + CAPTIONS
        shuffled = random.Random(0).sample(captions, len(captions))
        assert fresh(captions).tokenizer.to_str() == fresh(shuffled).tokenizer.to_str()

    def test_its_size_never_changes_the_weights_shapes(self):
        shapes = [
            {key: value.shape for key, value in fresh(captions).named_parameters()}
            for captions in (None, [], [""], CAPTIONS, [chr(i) * 3 for i in range(0x4E00, 0x5200)])
        ]
        assert all(shape == shapes[0] for shape in shapes)

    def test_it_keeps_to_its_limit_and_words_beyond_it_are_spelled(self):
        encoder = fresh([f"word{i} and{i * 7919}" for i in range(3000)])
        assert encoder.tokenizer.get_vocab_size() == 512
        assert encoder(["word2999 and a word never seen"]).embedding.isfinite().all()

    def test_captions_may_hold_what_no_file_can(self):
        assert fresh(["\udcff drums"])(["\udcff drums"]).embedding.isfinite().all()


class TestState:
    def test_weights_and_vocabulary_survive_a_file(self, tmp_path):
        saved = fresh()
        save_file(saved.state_dict(), tmp_path / "weights.safetensors")
        loaded = fresh(["something else altogether"])
        torch.nn.init.ones_(loaded.network.final_layer_norm.weight)
        report = loaded.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
        assert (report.missing_keys, report.unexpected_keys) == ([], [])
        assert torch.equal(loaded(CAPTIONS).embedding, saved(CAPTIONS).embedding)

    def test_a_fresh_module_loads_a_learned_one_and_takes_its_words(self):
        loaded = fresh(None)
        loaded.load_state_dict(fresh().state_dict())
        assert torch.equal(loaded(CAPTIONS).embedding, READY(CAPTIONS).embedding)

    def test_state_before_learning_can_be_saved_and_loaded(self, tmp_path):
        save_file(fresh(None).state_dict(), tmp_path / "weights.safetensors")
        loaded = fresh()
        loaded.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        assert loaded.tokenizer is None

    def test_inside_another_module_the_words_travel_along(self):
        saved, loaded = (
            torch.nn.ModuleDict({"text": fresh()}),
            torch.nn.ModuleDict({"text": fresh(None)}),
        )
        loaded.load_state_dict(saved.state_dict())
        assert torch.equal(loaded["text"](["drums"]).embedding, READY(["drums"]).embedding)

    def test_the_captions_words_travel_with_the_weights(self):
        loaded = fresh(None)
        assert loaded.known_words() is None
        loaded.load_state_dict(READY.state_dict())
        assert loaded.known_words() == READY.known_words()
        assert torch.equal(loaded.get_extra_state(), READY.get_extra_state())

    def test_weights_saved_without_words_stay_as_they_are(self):
        old = torch.tensor(list(READY.tokenizer.to_str().encode()), dtype=torch.uint8)
        loaded = fresh()
        loaded.load_state_dict({**READY.state_dict(), "_extra_state": old})
        assert torch.equal(loaded(CAPTIONS).embedding, READY(CAPTIONS).embedding)
        assert torch.equal(loaded.get_extra_state(), old)
        assert loaded.known_words() is None
        assert loaded.unknown_words("polka") is None

    def test_a_copy_encodes_the_same(self):
        assert torch.equal(copy.deepcopy(READY)(CAPTIONS).embedding, READY(CAPTIONS).embedding)

    def test_it_can_be_counted_without_being_allocated(self):
        with torch.device("meta"):
            encoder = T5Scratch(
                T5Scratch.Options(
                    features=768, layers=12, heads=12, feed_forward=3072, vocabulary=32128
                )
            )
        assert all(p.is_meta for p in encoder.parameters())
        assert sum(p.numel() for p in encoder.parameters()) == 109_628_544, "T5-base's encoder"

    def test_weights_and_words_can_be_loaded_into_one_built_without_memory(self):
        with torch.device("meta"):
            encoder = T5Scratch(T5Scratch.Options(**{**SMALL, "tokens": 16}))
        encoder.load_state_dict(fresh().state_dict(), assign=True)
        assert torch.equal(encoder(CAPTIONS).embedding, READY(CAPTIONS).embedding)


class TestWordsOfCaptions:
    def test_known_words_come_by_frequency_then_by_the_alphabet(self):
        encoder = fresh(["Drums, fast", "fast; DRUMS", "drums (b), A"])
        assert encoder.known_words() == ["drums", "fast", "a", "b"]

    def test_the_captions_order_makes_no_difference(self):
        assert fresh(CAPTIONS[::-1]).known_words() == READY.known_words()

    def test_words_of_a_prompt_that_no_caption_had_are_told_once_in_order(self):
        assert READY.unknown_words("Polka with DRUMS, polka & caf\u00e9, 3") == [
            "polka",
            "with",
            "3",
        ]

    @pytest.mark.parametrize("prompt", ["", " ,;!", "\udcff", *CAPTIONS])
    def test_captions_and_what_has_no_words_have_no_unknown_ones(self, prompt):
        assert READY.unknown_words(prompt) == []


class TestLongPrompts:
    def test_the_end_that_is_cut_off_begins_at_the_first_word_that_is_not_read(self):
        encoder = fresh(["slow jazz piano"])
        words = ["slow"] * (encoder.tokens - 1)  # and the token that ends a text
        assert encoder.unread_text(" ".join(words)) == ""
        rest = "Jazz \ud800 caf\u00e9, \ufb03"
        assert encoder.unread_text(" ".join([*words, rest])) == rest

    def test_what_is_not_read_changes_nothing(self):
        prompt = "drums " * 100
        rest = READY.unread_text(prompt)
        read = prompt.removesuffix(rest)
        assert len(read) < len(prompt)
        assert torch.equal(READY([prompt]).embedding, READY([read]).embedding)

    def test_without_a_vocabulary_it_can_t_tell(self):
        assert fresh(None).unread_text("drums") is None


class TestErrors:
    def test_encoding_before_learning_says_what_to_do(self):
        with pytest.raises(mk.WeightsError) as raised:
            fresh(None)(["drums"])
        assert str(raised.value) == (
            "text encoder t5-scratch: has learned no words yet; train it, or load its weights"
        )

    @pytest.mark.parametrize("junk", [b"{", b"\xff\xfe", b"{}", b"[]", b'{"words": []}'])
    def test_a_broken_vocabulary_is_named(self, junk):
        state = {
            **fresh().state_dict(),
            "_extra_state": torch.tensor(list(junk), dtype=torch.uint8),
        }
        with pytest.raises(mk.WeightsError) as raised:
            fresh(None).load_state_dict(state)
        assert str(raised.value) == (
            "text encoder t5-scratch: its words can't be read from the weights"
        )

    def test_heads_that_do_not_divide_the_features_are_refused(self):
        with pytest.raises(ValidationError, match=r"must divide features, 32 \(got 5\)"):
            T5Scratch.Options(features=32, heads=5)
