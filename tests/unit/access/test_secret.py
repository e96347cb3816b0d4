from hypothesis import given
from hypothesis import strategies as st

from appliance.access import secret


def test_a_key_has_its_prefix_and_256_random_bits() -> None:
    keys = {secret.generate(secret.API_KEY) for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == len("clst_") + 43 + 6 for key in keys)


def test_a_generated_key_is_well_formed_and_of_its_own_kind_only() -> None:
    key = secret.generate(secret.API_KEY)
    assert secret.is_well_formed(key, secret.API_KEY)
    assert not secret.is_well_formed(key, secret.SESSION)


@given(position=st.integers(0, 53), replacement=st.sampled_from("aZ09_é"))
def test_one_mistyped_character_is_noticed_without_a_look_up(
    position: int, replacement: str
) -> None:
    key = secret.generate(secret.API_KEY)
    mistyped = key[:position] + replacement + key[position + 1 :]
    assert secret.is_well_formed(mistyped, secret.API_KEY) == (mistyped == key)


@given(st.text())
def test_any_text_may_be_asked_about(text: str) -> None:
    assert not secret.is_well_formed(text, secret.API_KEY)


def test_the_digest_depends_on_the_box() -> None:
    key = secret.generate(secret.API_KEY)
    assert secret.digest(key, b"a" * 32) != secret.digest(key, b"b" * 32)
