from appliance.access import password


def test_the_right_password_matches_and_a_wrong_one_does_not() -> None:
    first = password.generate()
    stored = password.hash_password(first)
    assert password.matches(first, stored)
    assert not password.matches(first + "x", stored)


def test_the_stored_form_names_its_algorithm_and_parameters() -> None:
    assert password.hash_password("p").startswith("$argon2id$v=19$m=65536,t=3,p=1$")


def test_equal_passwords_are_stored_differently() -> None:
    assert password.hash_password("p") != password.hash_password("p")
