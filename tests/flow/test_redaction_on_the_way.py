"""What policy forbids reaches neither the model nor the caller, nor any file."""

from tests.support.box import Box

CARD = "4111 1111 1111 1111"
MAIL = "ann.miller@example.com"


def prompt_digest(box: Box, request_id: str) -> str:
    opened = {e["details"]["exchange"]: e for e in box.entries_of("exchange.opened")}
    digest: str = opened[request_id]["details"]["prompt_digest"]
    return digest


def test_the_model_gets_the_very_prompt_that_was_redacted_by_hand(own_box: Box) -> None:
    own_box.start()
    ids = []
    for text in (f"card {CARD}, mail {MAIL}", "card [CREDIT_CARD], mail [EMAIL_ADDRESS]", "other"):
        body = {"model": "demo", "messages": [{"role": "user", "content": text}], "max_tokens": 4}
        status, headers, _ = own_box.post("/v1/chat/completions", body)
        assert status == 200
        ids.append(headers["x-request-id"])
    own_box.stop()
    with_values, by_hand, other = (prompt_digest(own_box, request_id) for request_id in ids)
    assert with_values == by_hand != other


def test_token_ids_are_no_way_round(own_box: Box) -> None:
    """The ids spell a card number, one byte-level token for each character."""
    own_box.start()
    tokens = tokens_of(own_box, "4111111111111111")
    status, headers, _ = own_box.post(
        "/v1/completions", {"model": "demo", "prompt": tokens, "max_tokens": 1}
    )
    assert status == 200
    own_box.stop()
    opened = own_box.entries_of("exchange.opened")
    assert opened[-1]["details"]["exchange"] == headers["x-request-id"]
    assert opened[-1]["details"]["redactions"] == {"CREDIT_CARD": 1}


def tokens_of(box: Box, text: str) -> list[int]:
    """Spell a text with the vocabulary's single-character tokens."""
    from llama_cpp import Llama

    from tests.support.box import ROOT

    model = Llama(
        str(ROOT / "images/demo-model/cloister-demo.gguf"), vocab_only=True, verbose=False
    )
    found = []
    for character in text:
        (token,) = model.tokenize(character.encode(), add_bos=False)
        found.append(token)
    model.close()
    return found
