"""`cloister doctor`: what is wrong with a box or its machine, and what to do about it.

Every check looks at the real thing and needs no key: a sealed or stopped box can be examined. A
check that breaks is a finding itself; it never passes by accident.
"""

import os
import resource
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec
import psutil
from cryptography import x509

from appliance import settings as settings_file
from appliance.audit.verify import verify_directory
from appliance.errors import ApplianceError
from appliance.screening import Screening
from appliance.settings import Layout, Settings
from appliance.vault.vault import inspect

LEAST_FREE_BYTES = 1 << 30
SLOW_SYNC_SECONDS = 0.05
TLS_WARNING = timedelta(days=30)
KEY_AGE_WARNING_DAYS = 365


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """It serves; somebody should look."""
    FAILURE = "failure"
    """It does not serve, or a promise does not hold."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found."""

    check: str
    verdict: Verdict
    what: str
    advice: str = ""
    """What to do; empty if all is well."""


def examine(config: Path) -> list[Finding]:
    """Run all checks on the box of a cloister.toml. Never raises for what is wrong."""
    try:
        settings, layout = settings_file.load(config)
    except ApplianceError as error:
        return [_failure("configuration", str(error), "correct the file")]
    findings = [_ok("configuration", f"{config} is valid, profile {settings.profile}")]
    for name, check in _CHECKS.items():
        try:
            findings += list(check(name, settings, layout))
        except Exception as error:
            findings.append(_failure(name, f"could not be examined: {error}", "report this"))
    return findings


def _permissions(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    for path in (layout.root, layout.keys):
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield _failure(name, f"others may look into {path}", f"run: chmod 700 {path}")
            return
    yield _ok(name, "only the box's own account can look into it")


def _unsealing(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    key_file = layout.path(settings.vault.key_file)
    if not key_file.exists():
        yield _warning(name, f"{key_file} is not there", "put its medium in, then unseal")
    elif layout.root in key_file.resolve().parents:
        tell = _warning if settings.profile == "demo" else _failure
        yield tell(
            name,
            "the unseal key lies in the box itself: whoever takes the disk takes the key",
            "for anything but a demo keep it on a medium of its own (vault.key_file)",
        )
    else:
        yield _ok(name, "the unseal key lies outside of the box")


def _keys(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    old = [k.purpose for k in inspect(layout.keys).keys if k.age_days > KEY_AGE_WARNING_DAYS]
    if old:
        yield _warning(name, f"older than a year: {', '.join(old)}", "plan their rotation")
    else:
        yield _ok(name, "no key is older than a year")


def _tls(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    if not settings.server.tls_certificate:
        listens_here = settings.server.host in {"127.0.0.1", "::1", "localhost"}
        if listens_here:
            yield _ok(name, "no TLS, and only this machine can connect")
        else:
            yield _failure(
                name, "listens to the network without TLS", "set server.tls_certificate and tls_key"
            )
        return
    pem = layout.path(settings.server.tls_certificate).read_bytes()
    expires = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    left = expires - datetime.now(UTC)
    if left < timedelta(0):
        yield _failure(name, f"the certificate expired on {expires:%Y-%m-%d}", "replace it")
    elif left < TLS_WARNING:
        yield _warning(name, f"the certificate expires on {expires:%Y-%m-%d}", "replace it")
    else:
        yield _ok(name, f"the certificate is valid until {expires:%Y-%m-%d}")


def _disk(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    free = psutil.disk_usage(str(layout.root)).free
    if free < LEAST_FREE_BYTES:
        yield _failure(
            name, f"{free >> 20} MiB free: the log will soon refuse", "make room on this disk"
        )
    else:
        yield _ok(name, f"{free >> 30} GiB free")
    seconds = _sync_seconds(layout.audit)
    if seconds > SLOW_SYNC_SECONDS:
        yield _warning(
            "disk speed",
            f"a sync takes {seconds * 1e3:.0f} ms, which every request waits for",
            "put the box on a faster disk",
        )
    else:
        yield _ok("disk speed", f"a sync takes {seconds * 1e3:.1f} ms")


def _sync_seconds(folder: Path) -> float:
    """Return the median time of a small durable write in the folder."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(9):
            file.write(bytes(512))
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2]


def _log(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    vkey = (layout.audit / "log.vkey").read_text(encoding="utf-8")
    report = verify_directory(layout.audit / "log", vkey)
    if report.sound:
        yield _ok(name, f"{report.size} entries, all in order")
    else:
        yield _failure(name, str(report), "stop the box and call whoever answers for the log")


def _policy(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    screening = Screening.load(layout.policies, settings.policy.active, bytes(32))
    cases = len(screening.document.tests)
    if screening.report_only:
        yield _warning(
            name,
            f"{screening.policy_id} only reports: nothing is taken out of any text",
            "set policy.active to one that enforces",
        )
    else:
        yield _ok(name, f"{screening.policy_id} passes its {cases} test cases")


def _memory(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    if psutil.swap_memory().total:
        yield _warning(
            "swap",
            "this machine swaps: prompts and weights in memory may reach a disk",
            "switch swap off (swapoff -a, and /etc/fstab), or encrypt it",
        )
    else:
        yield _ok("swap", "this machine has none")
    weights = sum(path.stat().st_size for path in layout.models.rglob("weights.cob"))
    available = psutil.virtual_memory().available
    if weights > available:
        yield _failure(
            name,
            f"the models need {weights >> 20} MiB and {available >> 20} MiB are free",
            "free memory on this machine",
        )
    else:
        yield _ok(name, f"{available >> 20} MiB free, models need {weights >> 20} MiB")


def _kernel(name: str, settings: Settings, layout: Layout) -> Iterator[Finding]:
    filters = Path("/proc/sys/kernel/seccomp/actions_avail").exists()
    modules = Path("/sys/kernel/security/lsm")
    landlock = modules.exists() and "landlock" in modules.read_text(encoding="ascii")
    missing = [what for what, there in (("seccomp", filters), ("Landlock", landlock)) if not there]
    if missing:
        yield _warning(
            name,
            f"this kernel does not offer {' and '.join(missing)}: workers are locked in less well",
            "use a kernel that does (Linux 5.13 or later, lsm=landlock)",
        )
    else:
        yield _ok(name, "workers can be locked in")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < settings.server.max_connections + 64:
        yield _warning(
            "open files",
            "the limit is below server.max_connections",
            "raise it (ulimit -n, LimitNOFILE=)",
        )


Check = Callable[[str, Settings, Layout], Iterator[Finding]]

_CHECKS: dict[str, Check] = {
    "permissions": _permissions,
    "unsealing": _unsealing,
    "keys": _keys,
    "tls": _tls,
    "disk": _disk,
    "log": _log,
    "policy": _policy,
    "memory": _memory,
    "kernel": _kernel,
}


def _ok(check: str, what: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, what=what)


def _warning(check: str, what: str, advice: str) -> Finding:
    return Finding(check=check, verdict=Verdict.WARNING, what=what, advice=advice)


def _failure(check: str, what: str, advice: str) -> Finding:
    return Finding(check=check, verdict=Verdict.FAILURE, what=what, advice=advice)
