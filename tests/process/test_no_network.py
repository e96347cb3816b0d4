"""Everything works in a network namespace that has `lo` and nothing else."""

import subprocess
import sys

from tests.support.box import ROOT, Box

CLIENT = """
import json, sys, urllib.request
request = urllib.request.Request(
    sys.argv[1] + "/chat/completions",
    data=json.dumps({"model": "demo", "stream": True, "messages": [
        {"role": "user", "content": "Triage this note: chest pain since this morning."}]}).encode(),
    headers={"authorization": "Bearer " + sys.argv[2], "content-type": "application/json"})
with urllib.request.urlopen(request, timeout=60) as response:
    assert response.read().endswith(b"data: [DONE]\\n\\n")
"""

SCENARIO = """
set -e
ip link set lo up 2>/dev/null || {python} {up}
{cloister} serve --config {config} --port {port} &
server=$!
for _ in $(seq 600); do
  {python} -c 'import sys,urllib.request; urllib.request.urlopen(sys.argv[1])' \\
    http://127.0.0.1:{port}/health/ready 2>/dev/null && break
  sleep 0.1
done
{python} -c '{client}' http://127.0.0.1:{port}/v1 {key}
test "$(grep -c : /proc/self/net/dev)" = 1
kill $server
wait $server
"""


def test_a_chat_from_init_to_verify_without_any_network(own_box: Box) -> None:
    from tests.support.box import CLOISTER

    script = SCENARIO.format(
        python=sys.executable,
        up=ROOT / "tests/support/loopback.py",
        cloister=CLOISTER,
        config=own_box.config,
        port=own_box.port,
        client=CLIENT,
        key=own_box.api_key,
    )
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "bash", "-c", script],
        capture_output=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
    assert own_box.verify().returncode == 0
    assert len(own_box.entries_of("exchange.closed")) == 1
