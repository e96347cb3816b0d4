"""Unsealing by the machine itself: a systemd credential, bound to its TPM 2, its host key, or both.

For restarts without people. It protects against a disk that leaves the machine, not against
whoever runs the machine; keep shares beside it, for the day the machine is gone.

Setting up encrypts a new key with `systemd-creds encrypt` and keeps the result in a file; only this
machine can open it. There are two ways to have it opened:
- the service manager does it, for a service without privileges
  (`LoadCredentialEncrypted=cloister-unseal:FILE`), and leaves the key under
  `$CREDENTIALS_DIRECTORY`, in memory that is never swapped;
- `systemd-creds decrypt`, for a privileged command.

https://systemd.io/CREDENTIALS, systemd-creds(1). The credential is the key's 32 bytes.
"""

import os
import subprocess
from pathlib import Path
from typing import Final, Literal, TypeAlias

from appliance.errors import IntegrityError, SealedError
from appliance.vault.document import SECRET_SIZE, Parameters
from appliance.vault.durable import write_file
from appliance.vault.secret import Secret

NAME: Final = "cloister-unseal"
"""The credential's name. It is encrypted into it, so that no other credential passes for it."""
_PATIENCE_S: Final = 60.0
"""A TPM takes a second; one that is locked out takes for ever."""

Binding: TypeAlias = Literal["auto", "host", "tpm2", "host+tpm2"]
"""`auto` is the TPM and the host key if there is a TPM, and else the host key alone."""


class HostCredential:
    """A credential file that only this machine opens."""

    kind: Final = "host-credential"

    def __init__(
        self, path: Path, *, binding: Binding = "auto", program: str = "systemd-creds"
    ) -> None:
        """`binding` matters for `enrol` alone."""
        self._path = path
        self._binding = binding
        self._program = program

    def enrol(self) -> tuple[Parameters, Secret]:
        """Make the credential file, which must not exist."""
        secret = Secret.random(SECRET_SIZE)
        try:
            arguments = ("encrypt", f"--name={NAME}", f"--with-key={self._binding}", "-", "-")
            write_file(self._path, self._run(arguments, bytes(secret.view)), replace=False)
        except FileExistsError:
            secret.wipe()
            raise SealedError(f"{self._path} exists already and is not overwritten") from None
        except OSError as error:
            secret.wipe()
            raise SealedError(
                f"the credential {self._path} cannot be written: {error.strerror}"
            ) from None
        except BaseException:
            secret.wipe()
            raise
        return {"credential": NAME, "binding": self._binding}, secret

    def recover(self, parameters: Parameters) -> Secret:
        """Take the key from the service manager, or have the credential decrypted.

        Raises `SealedError` if this machine does not open it.
        """
        content = self._handed_over()
        if content is None:
            content = bytearray(self._run(("decrypt", f"--name={NAME}", str(self._path), "-"), b""))
        if len(content) != SECRET_SIZE:
            raise IntegrityError(f"the credential {NAME} is not a key of cloister")
        return Secret.copied(content)

    def _handed_over(self) -> bytearray | None:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if directory is None:
            return None
        try:
            return bytearray((Path(directory) / NAME).read_bytes())
        except OSError:
            # The service has other credentials and not this one.
            return None

    def _run(self, arguments: tuple[str, ...], given: bytes) -> bytes:
        """Run the program; keys go in and out through pipes, never through arguments or files."""
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
                (self._program, *arguments),
                input=given,
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
            )
        except FileNotFoundError:
            raise SealedError("systemd-creds is not on this machine; unseal another way") from None
        except subprocess.TimeoutExpired:
            raise SealedError(
                "the TPM does not answer; it may be locked out. Unseal with shares"
            ) from None
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SealedError(
                f"this machine does not {arguments[0]} the credential {self._path}: it was made "
                "on another machine, or the TPM's state changed. Unseal with shares "
                f"({reason[0] if reason else 'no reason was given'})"
            )
        return done.stdout
