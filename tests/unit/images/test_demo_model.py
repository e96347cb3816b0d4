"""The demo model: held-out is held out, the card tells the truth, the file is small enough."""

import hashlib
import re
import sys
import tomllib
from pathlib import Path
from random import Random

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "images" / "demo-model"
MODEL = FOLDER / "cloister-demo.gguf"
sys.path.append(str(FOLDER))

import corpus  # noqa: E402
import fillers  # noqa: E402
import jobs  # noqa: E402
import notes  # noqa: E402
import template  # noqa: E402


def normalised(sentence: str) -> str:
    return re.sub(r"\W+", " ", notes.SLOT.sub("{}", sentence)).strip().lower()


def test_file_is_at_most_16_megabytes_and_gguf() -> None:
    data = MODEL.read_bytes()
    assert data[:4] == b"GGUF"
    assert len(data) <= 16 * 1000 * 1000


def test_card_states_the_digest_of_the_file() -> None:
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() in (FOLDER / "README.md").read_text(
        encoding="utf-8"
    )


def test_file_carries_the_chat_template_of_the_recipe() -> None:
    assert template.CHAT_TEMPLATE.encode() in MODEL.read_bytes()


def test_conversations_are_a_function_of_the_seed() -> None:
    first, second = [corpus.conversation(Random(5), "train", 3) for _ in range(2)]
    assert first == second
    assert corpus.cases(3, 2) == corpus.cases(3, 2)


@pytest.mark.parametrize("domain", ["ward", "bank"])
def test_deciding_sentences_of_evaluation_are_never_trained(domain: str) -> None:
    trained = {
        normalised(s)
        for label in notes.LABELS[domain]
        for s in notes.DOMAINS[domain][label]["train"]
    }
    held_out = {
        normalised(s)
        for label in notes.LABELS[domain]
        for s in notes.DOMAINS[domain][label]["heldout"]
    }
    fresh = tomllib.loads((FOLDER / "fresh.toml").read_text(encoding="utf-8"))[domain]
    assert list(fresh) == notes.LABELS[domain]
    held_out |= {normalised(s) for sentences in fresh.values() for s in sentences}
    assert held_out
    assert not trained & held_out


@pytest.mark.parametrize("kind", ["triage", "summary", "reply", "extract", "question"])
def test_ways_of_asking_in_evaluation_are_never_trained(kind: str) -> None:
    assert not {w.lower() for w in jobs.wording(kind, "train")} & {
        w.lower() for w in jobs.wording(kind, "heldout")
    }


def test_word_like_fillers_of_evaluation_are_never_trained() -> None:
    for kind, lists in fillers.LISTS.items():
        assert not {w.lower() for w in lists["train"]} & {w.lower() for w in lists["heldout"]}, kind


def test_invented_training_words_avoid_the_held_out_ones() -> None:
    source = fillers.Fillers(Random(1), "train")
    drawn = {word for _ in range(3000) for word in source.value("patient").split()}
    assert not drawn & fillers.HELD_OUT_WORDS


def test_small_talk_of_evaluation_is_never_trained() -> None:
    for kind, table in corpus.SMALLTALK.items():
        if kind != "lists":
            assert not set(table["train"]) & set(table["heldout"]), kind


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_every_field_value_stands_verbatim_in_its_note(split: fillers.Split) -> None:
    random = Random(11)
    for _ in range(500):
        note = notes.compose(random, split)
        assert note.category in notes.LABELS[note.domain]
        for value in note.fields.values():
            assert value in note.text


def test_template_renders_turns_and_the_generation_prompt() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    assert template.render(messages, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nhello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    parts = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}],
        }
    ]
    assert (
        template.render(parts, add_generation_prompt=False) == "<|im_start|>user\nhello<|im_end|>\n"
    )
