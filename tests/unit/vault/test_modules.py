from appliance.vault.modules import crypto_modules


def test_both_libraries_name_themselves_and_their_mode() -> None:
    ours, databases = crypto_modules()
    assert ours.version.startswith("OpenSSL")
    assert databases.version.startswith("OpenSSL")
    assert isinstance(ours.fips, bool)
    assert isinstance(databases.fips, bool)
