"""Commands as a person types them: what they print, and how they end."""

import json
from pathlib import Path

import pytest

from tests.support.box import Box, cloister

MAIL = "write to ann@example.com"


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--config", "nowhere/cloister.toml"),
        ("redact", "--policy", "no-such-policy"),
        ("audit", "verify", "nowhere"),
        ("access", "list-keys", "--config", "nowhere/cloister.toml"),
    ],
)
def test_a_refused_command_ends_with_1_and_one_clear_line(arguments: tuple[str, ...]) -> None:
    done = cloister(*arguments)
    assert done.returncode == 1
    (line,) = done.stderr.decode().strip().splitlines()
    assert line.startswith("cloister: ")
    assert not done.stdout


@pytest.mark.parametrize("arguments", [("init",), ("no-such-command",), ("redact", "--no-such")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert cloister(*arguments).returncode == 2


def test_redact_scrubs_a_text() -> None:
    done = cloister("redact", "--policy", "default", stdin=MAIL.encode())
    assert (done.returncode, done.stdout) == (0, b"write to [EMAIL_ADDRESS]")


def test_redact_tells_spans_in_code_points_of_the_original() -> None:
    text = f"é€𝄞 {MAIL}"
    line = json.dumps({"id": "a", "text": text}).encode() + b"\n"
    done = cloister("redact", "--policy", "default", "--jsonl", stdin=line)
    answer = json.loads(done.stdout)
    (span,) = answer["spans"]
    assert text[span["start"] : span["end"]] == "ann@example.com"
    assert (answer["id"], span["type"]) == ("a", "EMAIL_ADDRESS")
    assert answer["redacted"] == "é€𝄞 write to [EMAIL_ADDRESS]"


def test_redact_as_a_stream_gives_what_the_whole_gives() -> None:
    text = f"{MAIL}, card 4111 1111 1111 1111,\n" * 30
    whole = cloister("redact", stdin=text.encode()).stdout
    assert cloister("redact", "--stream", stdin=text.encode()).stdout == whole


@pytest.mark.parametrize(
    ("flag", "stdin"), [("--jsonl", b'{"id": 1}\n'), ("--jsonl", b"{"), ("--stream", b"\xff\xfe")]
)
def test_redact_refuses_what_it_cannot_read_and_repeats_none_of_it(flag: str, stdin: bytes) -> None:
    done = cloister("redact", flag, stdin=stdin)
    assert done.returncode == 1
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_scan_judges_each_file(tmp_path: Path) -> None:
    from tests.support.reference import DEMO_MODEL

    hostile = tmp_path / "hostile.gguf"
    hostile.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 16)
    done = cloister("scan", DEMO_MODEL, hostile)
    assert done.returncode == 1
    clean, refused = (json.loads(line) for line in done.stdout.splitlines())
    assert (clean["verdict"], clean["reasons"]) == ("clean", [])
    assert refused["verdict"] == "refused"
    assert refused["reasons"]


def test_init_refuses_a_directory_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = cloister("init", tmp_path, "--profile", "demo")
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_init_prints_what_to_write_down_for_people(tmp_path: Path) -> None:
    done = cloister("init", tmp_path / "box", "--profile", "demo")
    printed = done.stdout.decode()
    assert "clst_" in printed
    assert "curl" in printed
    assert all(name in printed for name in ("administrator", "operator", "officer", "approver"))


def test_a_second_server_on_the_same_box_is_refused(box: Box) -> None:
    done = cloister("serve", "--config", box.config, "--port", "0")
    assert done.returncode == 1
    assert len(done.stderr.decode().strip().splitlines()) == 1
    assert box.get("/health/ready")[0] == 200


def test_vault_status_tells_ages_and_no_keys(box: Box) -> None:
    done = cloister("vault", "status", "--config", box.config, "--json")
    found = json.loads(done.stdout)
    assert {key["purpose"] for key in found["keys"]} >= {"database", "models", "audit-signing"}
    assert all(set(key) & {"secret", "key", "wrapped"} == set() for key in found["keys"])


def test_a_changed_byte_makes_verification_fail_and_name_the_place(own_box: Box) -> None:
    own_box.start()
    own_box.complete("The patient", max_tokens=2)
    own_box.stop()
    assert own_box.verify().returncode == 0
    (bundle,) = [
        path for path in (own_box.directory / "audit/log/tile/entries").rglob("*") if path.is_file()
    ][-1:]
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    done = own_box.verify()
    assert done.returncode == 1
    assert "tile/entries" in done.stderr.decode()


def test_a_production_box_listens_with_tls_from_the_start(tmp_path: Path) -> None:
    import http.client
    import ssl
    import subprocess
    import time

    from tests.support.box import CLOISTER, free_port

    made = cloister("init", tmp_path / "box", "--profile", "production", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["base_url"].startswith("https://")
    port = free_port()
    context = ssl.create_default_context(cafile=tmp_path / "box/tls/certificate.pem")
    arguments = [CLOISTER, "serve", "--config", tmp_path / "box/cloister.toml", "--port", str(port)]
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
            try:
                connection.request("GET", "/health/live")
                assert connection.getresponse().read() == b'{"status":"live"}'
                break
            except ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            finally:
                connection.close()
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("name", ["default", "hipaa-safe-harbor", "gdpr", "pci-dss", "report-only"])
def test_every_shipped_policy_passes_its_own_cases(name: str) -> None:
    done = cloister("policy", "check", name, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["test_cases"] > 0


def test_a_policy_whose_case_fails_is_refused_with_its_line(tmp_path: Path) -> None:
    from appliance.shipped import POLICIES

    text = (POLICIES / "default.yaml").read_text().replace("[EMAIL_ADDRESS], call", "oops, call", 1)
    (tmp_path / "default.yaml").write_text(text)
    done = cloister("policy", "check", "default", "--policies", tmp_path)
    assert done.returncode == 1
    assert "default.yaml:" in done.stderr.decode()


def test_explain_names_layer_rule_and_policy_line() -> None:
    done = cloister("policy", "explain", "default", stdin=MAIL.encode())
    (line,) = done.stdout.decode().splitlines()
    assert "EMAIL_ADDRESS" in line
    assert "default.yaml:" in line


def test_diff_lists_what_would_no_longer_be_covered_first() -> None:
    done = cloister("policy", "diff", "default", "report-only", "--json")
    assert done.returncode == 0, done.stderr
    weights = [change["weight"] for change in json.loads(done.stdout)]
    assert weights
    assert weights[0] in {"lost", "weaker"}
