"""Bad input gets the caller's own error format and an entry, and harms nobody else."""

import http.client
import json
import socket
import threading

import pytest

from tests.support.box import Box

GOOD = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}


def error_of(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str | None]]:
    status, headers, body = answer
    assert headers["x-request-id"]
    error: dict[str, str | None] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return status, error


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{", 400, "invalid_request", None),
        (b"\xff\xfe", 400, "invalid_request", None),
        (b"[]", 400, "invalid_request", None),
        ({**GOOD, "temperature": "hot"}, 400, "invalid_request", "temperature"),
        ({**GOOD, "messages": "hello"}, 400, "invalid_request", "messages"),
        ({**GOOD, "colour": 1}, 400, "unsupported_field", "colour"),
        ({**GOOD, "model": "gpt-9"}, 404, "model_not_found", "model"),
    ],
)
def test_a_bad_body(box: Box, body: object, status: int, code: str, param: str | None) -> None:
    found, error = error_of(box.post("/v1/chat/completions", body))
    assert (found, error["code"], error["param"]) == (status, code, param)


@pytest.mark.parametrize("key", ["", "clst_wrong", "sk-123", "clst_" + "A" * 49])
def test_no_key_or_a_wrong_one(box: Box, key: str) -> None:
    status, error = error_of(box.post("/v1/chat/completions", GOOD, key=key))
    assert (status, error["code"]) == (401, "invalid_api_key")


def test_an_unknown_address_and_a_wrong_method(box: Box) -> None:
    assert error_of(box.get("/v1/nothing", box.api_key))[0] == 404
    assert error_of(box.get("/v1/chat/completions", box.api_key))[0] == 405


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(box: Box) -> None:
    prompt = [300] * 5_000
    status, error = error_of(box.post("/v1/completions", {"model": "demo", "prompt": prompt}))
    assert (status, error["code"]) == (400, "context_length_exceeded")
    message = (error["message"] or "").replace(",", "")
    assert "5000" in message
    assert "2048" in message


def test_a_token_id_outside_the_vocabulary(box: Box) -> None:
    status, error = error_of(
        box.post("/v1/completions", {"model": "demo", "prompt": [1, 2_000_000_000]})
    )
    assert (status, error["param"]) == (400, "prompt")


def test_a_body_over_the_limit(box: Box) -> None:
    with socket.create_connection(("127.0.0.1", box.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: box\r\ncontent-length: 9999999\r\n"
            b"authorization: Bearer " + box.api_key.encode() + b"\r\n\r\n"
        )
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 413
        assert json.loads(response.read())["error"]["code"] == "request_too_large"


def test_the_network_cannot_unseal_and_administrative_refusals_are_logged(own_box: Box) -> None:
    own_box.start()
    assert own_box.post("/admin/v1/vault/unseal", {}, key="")[0] == 404
    assert own_box.post("/admin/v1/keys", {"name": "x"}, key="")[0] == 401
    assert own_box.post("/admin/v1/keys", {"name": "x"})[0] == 403
    wrong = {"name": "administrator", "password": "wrong"}
    assert own_box.post("/admin/v1/session", wrong, key="")[0] == 401
    right = {"name": "administrator", "password": own_box.users["administrator"]["password"]}
    token = json.loads(own_box.post("/admin/v1/session", right, key="")[2])["token"]
    assert own_box.post("/admin/v1/keys", {"name": "x"}, key=token)[0] == 201
    own_box.stop()
    refused = [entry["details"]["code"] for entry in own_box.entries_of("operation.refused")]
    assert refused == ["invalid_api_key", "permission_denied"]
    assert [e["outcome"] for e in own_box.entries_of("user.login")] == ["refused", "ok"]


def test_a_key_without_that_model(box: Box) -> None:
    made = cloister_json("access", "create-key", "narrow", "--model", "other", box=box)
    status, error = error_of(box.post("/v1/chat/completions", GOOD, key=str(made["api_key"])))
    assert (status, error["code"]) == (403, "model_not_allowed")


def test_a_revoked_key(box: Box) -> None:
    made = cloister_json("access", "create-key", "short-lived", box=box)
    key = str(made["api_key"])
    assert box.post("/v1/chat/completions", GOOD, key=key)[0] == 200
    cloister_json("access", "revoke-key", str(made["id"]), box=box)
    assert box.post("/v1/chat/completions", GOOD, key=key)[0] == 401


def test_a_full_queue_is_told_when_to_come_back_and_others_are_served(own_box: Box) -> None:
    own_box.configure("engine", sequences=1, queue_limit=2)
    own_box.start()
    answers: list[tuple[int, dict[str, str], bytes]] = []
    body = {
        "model": "demo", "prompt": [300], "max_tokens": 200, "temperature": 0, "ignore_eos": True
    }  # fmt: skip

    def ask() -> None:
        answers.append(own_box.post("/v1/completions", body))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(status for status, _, _ in answers)
    assert set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer[0] == 429)
    assert int(refused[1]["retry-after"]) >= 1
    assert error_of(refused)[1]["code"] == "queue_full"
    texts = {
        json.loads(answer)["choices"][0]["text"] for status, _, answer in answers if status == 200
    }
    assert len(texts) == 1


def test_a_sealed_box_answers_503_and_serves_again_when_its_key_is_back(own_box: Box) -> None:
    key_file = own_box.directory / "keys" / "unseal.key"
    medium = own_box.directory.parent / "medium"
    key_file.rename(medium)
    own_box.start(until="live")
    assert own_box.get("/health/ready")[0] == 503
    status, error = error_of(own_box.post("/v1/chat/completions", GOOD))
    assert (status, error["code"]) == (503, "sealed")
    medium.rename(key_file)
    cloister_json("vault", "unseal", box=own_box, json_flag=False)
    own_box.wait_until("ready")
    assert own_box.post("/v1/chat/completions", GOOD)[0] == 200
    cloister_json("vault", "seal", box=own_box, json_flag=False)
    assert own_box.post("/v1/chat/completions", GOOD)[0] == 503


def test_every_refusal_has_its_entry(own_box: Box) -> None:
    own_box.start()
    expected = []
    for body, key in [
        (b"{", own_box.api_key),
        (GOOD, "clst_wrong"),
        ({**GOOD, "model": "gpt-9"}, own_box.api_key),
        (
            {"model": "demo", "messages": [{"role": "user", "content": "a " * 9_000}]},
            own_box.api_key,
        ),
    ]:
        expected.append(own_box.post("/v1/chat/completions", body, key=key)[1]["x-request-id"])
    own_box.stop()
    refused = {e["details"]["request"]: e for e in own_box.entries_of("request.refused")}
    closed = {e["details"]["exchange"]: e for e in own_box.entries_of("exchange.closed")}
    assert set(expected[:3]) == set(refused)
    assert closed[expected[3]]["outcome"] == "refused"
    assert refused[expected[1]]["actor"]["kind"] == "unknown"
    assert own_box.verify().returncode == 0


def cloister_json(*arguments: str, box: Box, json_flag: bool = True) -> dict[str, object]:
    from tests.support.box import cloister

    done = cloister(*arguments, "--config", box.config, *(["--json"] if json_flag else []))
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, object] = json.loads(done.stdout) if json_flag else {}
    return found
