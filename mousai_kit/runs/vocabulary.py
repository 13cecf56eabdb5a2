"""Vocabulary: the words that a system learned from captions, and those of a prompt that are new.

Cut texts: captions and prompts that have more tokens than a text encoder reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mousai_kit.core.errors import escape_control_chars, format_value, join_quoted, some
from mousai_kit.core.interfaces import Stage, TextEncoder
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder

TOLD = 5
"""Prompts with new words that are told one by one."""
FREQUENT = 12
"""Words that are told, of those that are new and of those that a system knows."""
EXTRA = "_extra_state"
"""What torch calls what a module keeps beside its tensors."""
LONGEST = 30
"""Characters of a word that are told, and of the text before it is cut."""


def text_encoder(cascade: Cascade) -> TextEncoder | None:
    """Return what reads a system's prompts, None where nothing does."""
    found = map(encoder_in, reversed(cascade.stages.values()))
    return next(filter(None, found), None)


def encoder_in(stage: Stage) -> TextEncoder | None:
    """Return what reads a stage's texts, None where nothing does."""
    return next((part for part in stage.modules() if isinstance(part, TextEncoder)), None)


def saved_words(recipe: Recipe, folder: RunFolder) -> list[str] | None:
    """Return the words that the trained text encoder of a run knows; None where it can't tell.

    Nothing else of the weights is read. WeightsError where its file is broken.
    """
    for name, stage in reversed(Cascade.build(recipe, device="meta").stages.items()):
        path = folder.stage(name).weights
        for place, module in stage.named_modules():
            if isinstance(module, TextEncoder) and path.is_file():
                state = checkpoint.read_one(path, f"{place}.{EXTRA}")
                if state is not None:
                    module.set_extra_state(state)
                return module.known_words()
    return None


def unknown_words_told(cascade: Cascade, prompts: Sequence[str]) -> Iterator[str]:
    """Yield a line for each prompt with words that the system never saw, then one on what it knows.

    Nothing where it knows them all, or can't tell.
    """
    if (encoder := text_encoder(cascade)) is None:
        return
    unknown = {prompt: encoder.unknown_words(prompt) for prompt in dict.fromkeys(prompts)}
    found = [(prompt, words) for prompt, words in unknown.items() if words]
    for prompt, words in found[:TOLD]:
        new = some([word[:LONGEST] for word in words], FREQUENT, join_quoted)
        told = f"{format_value(prompt)}: of these words the system never saw {new}"
        yield escape_control_chars(told)
    if len(found) > TOLD:
        yield f"and {len(found) - TOLD} more prompts have words that it never saw"
    if found and (known := encoder.known_words()):
        told = escape_control_chars(", ".join(telling(known)[:FREQUENT]))
        yield f"it saw {len(known)} words, most often {told}"


def cut_prompts_told(cascade: Cascade, prompts: Sequence[str]) -> Iterator[str]:
    """Yield a line for each prompt of which the system reads the beginning only."""
    if (encoder := text_encoder(cascade)) is None:
        return
    found = [(prompt, rest) for prompt in dict.fromkeys(prompts) if (rest := _cut(encoder, prompt))]
    for prompt, rest in found[:TOLD]:
        yield f"{format_value(prompt)}: {_where(encoder, prompt, rest)}; say it in fewer words"
    if len(found) > TOLD:
        yield f"and {len(found) - TOLD} more prompts are cut"


def cut_captions_told(stage: Stage, captions: Iterable[str]) -> Iterator[str]:
    """Yield a line on how many captions a stage reads the beginning of only, where there are any.

    Equal ones count once.
    """
    if (encoder := encoder_in(stage)) is None:
        return
    texts = dict.fromkeys(captions)
    found = [(text, rest) for text in texts if (rest := _cut(encoder, text))]
    if found:
        what = f"{len(found)} of {len(texts)} captions are cut"
        where = _where(encoder, *found[0])
        yield f"{what}; {format_value(found[0][0])} {where}; raise `tokens`, or shorten them"


def _cut(encoder: TextEncoder, text: str) -> str:
    """Return the end of a text that is not read; empty where it is, or the encoder can't tell."""
    return encoder.unread_text(text) or ""


def _where(encoder: TextEncoder, text: str, rest: str) -> str:
    """Return where a text is cut, and what of it is not read."""
    read = text.removesuffix(rest).rstrip()
    shown = format_value(read if len(read) <= LONGEST else f"...{read[3 - LONGEST :]}")
    return f"ends at {shown}, after {encoder.tokens} tokens; not read is {format_value(rest)}"


def telling(words: Sequence[str]) -> list[str]:
    """Return those of the words that say something, no numbers and no crumbs; all if none does."""
    return [word for word in words if len(word) > 2 and not word.isdecimal()] or list(words)
