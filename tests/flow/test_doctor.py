"""`cloister doctor` finds what is really wrong."""

import json
from collections.abc import Callable

import pytest

from tests.support.box import Box, cloister


def findings(box: Box) -> tuple[int, dict[str, dict[str, str]]]:
    done = cloister("doctor", "--config", box.config, "--json")
    return done.returncode, {found["check"]: found for found in json.loads(done.stdout)}


def test_a_fresh_demo_box_has_no_failure_and_is_told_where_its_key_lies(own_box: Box) -> None:
    status, found = findings(own_box)
    assert status == 0, found
    assert found["log"]["verdict"] == found["policy"]["verdict"] == "ok"
    assert found["unsealing"]["verdict"] == "warning"
    assert "takes the key" in found["unsealing"]["what"]


def break_permissions(box: Box) -> None:
    box.directory.chmod(0o755)


def break_log(box: Box) -> None:
    checkpoint = box.directory / "audit/log/checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"cloister/", b"cloisteR/", 1))


def break_policy(box: Box) -> None:
    policy = box.directory / "policies/default.yaml"
    policy.write_text(policy.read_text().replace("action: replace", "action: mask", 1))


def break_tls(box: Box) -> None:
    box.configure("server", host="0.0.0.0")


@pytest.mark.parametrize(
    ("breakage", "check"),
    [
        (break_permissions, "permissions"),
        (break_log, "log"),
        (break_policy, "policy"),
        (break_tls, "tls"),
    ],
)
def test_breakage_is_found_and_comes_with_advice(
    own_box: Box, breakage: Callable[[Box], None], check: str
) -> None:
    breakage(own_box)
    status, found = findings(own_box)
    assert status == 1
    assert found[check]["verdict"] == "failure"
    assert found[check]["advice"]


def test_a_configuration_that_cannot_be_read_is_the_only_finding(own_box: Box) -> None:
    own_box.config.write_text("profile = 3")
    status, found = findings(own_box)
    assert (status, set(found)) == (1, {"configuration"})
