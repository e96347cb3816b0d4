from pathlib import Path

import pytest

from appliance.errors import ConfigurationError
from appliance.settings import ServerSettings, Settings, load, render

HEAD = 'profile = "demo"\nname = "cloister/0a1b2c3d"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "cloister.toml"
    path.write_text(text)
    return path


def test_what_init_writes_is_what_serve_reads(tmp_path: Path) -> None:
    settings = Settings(
        profile="production",
        name="cloister/0a1b2c3d",
        server=ServerSettings(port=8443, tls_certificate="tls/a.pem", tls_key="tls/k.pem"),
    )
    assert load(written(tmp_path, render(settings)))[0] == settings


def test_paths_count_from_the_file_so_that_a_box_can_be_moved(tmp_path: Path) -> None:
    _, layout = load(written(tmp_path, HEAD))
    assert layout.path("keys/unseal.key") == tmp_path.resolve() / "keys/unseal.key"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD + "[server]\nprot = 1\n", "prot"),
        (HEAD + "[sevrer]\nport = 1\n", "sevrer"),
        (HEAD + '[server]\nport = "high"\n', "port"),
        (HEAD + "[server]\nport = 70000\n", "port"),
        (HEAD + "[engine]\nsequences = 0\n", "sequences"),
        (HEAD + "[audit]\nfsync_seconds = 0\n", "fsync_seconds"),
        (HEAD + '[server]\ntls_key = "k.pem"\n', "tls_certificate"),
        ('profile = "toy"\nname = "x"\n', "profile"),
        ('profile = "demo"\nname = "a b"\n', "name"),
        ('profile = "demo"\n', "name"),
        ("profile = \n", "TOML"),
        ("", "profile"),
    ],
)
def test_what_cannot_be_honoured_is_refused_and_named(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load(written(tmp_path, text))


def test_a_missing_file_says_how_to_make_a_box(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cloister init"):
        load(tmp_path / "cloister.toml")
