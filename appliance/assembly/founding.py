"""Makes a new box: keys, log with its first entry, database, policies, people, a first model.

A founding that fails half-way removes what it made: a box is there whole or not at all.
"""

import asyncio
import datetime
import ipaddress
import secrets
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance import __version__
from appliance.access.keys import ApiKeys
from appliance.access.people import People
from appliance.access.principal import Role
from appliance.assembly.foundations import (
    BOX_ACTOR,
    Foundations,
    make_keyring,
    open_foundations,
    unsealer_of,
)
from appliance.audit.events import (
    BoxInitialised,
    KeyCreated,
    ModelActivated,
    ModelApproved,
    ModelRegistered,
    UserCreated,
)
from appliance.audit.log import Log
from appliance.errors import ConfigurationError
from appliance.registry.catalogue import Catalogue
from appliance.registry.scan import ScanReport, scan_file
from appliance.registry.version import ModelDetails
from appliance.settings import Layout, ServerSettings, Settings, render
from appliance.shipped import DEMO_MODEL, POLICIES
from appliance.vault.durable import make_directory, write_file
from appliance.vault.purpose import Purpose
from appliance.vault.vault import Vault

PRODUCTION_PORT = 8443


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A first account; the password is shown this once."""

    role: Role
    password: str


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who made the box has to write down."""

    config: str
    base_url: str
    api_key: str
    users: dict[str, Person]


async def found(
    directory: Path, profile: Literal["demo", "production"], port: int | None = None
) -> Founded:
    """Make a box in `directory`, which must not hold anything yet.

    Raises:
        ConfigurationError: there is something in the directory already.
    """
    layout = Layout(directory)
    if _holds_anything(directory):
        raise ConfigurationError(
            f"{directory} is not empty; a box is made in a new directory (`cloister serve "
            f"--config {directory}/cloister.toml` serves one that is there)"
        )
    try:
        return await _found(layout, profile, port)
    except BaseException:
        shutil.rmtree(layout.root, ignore_errors=True)
        raise


async def _found(
    layout: Layout, profile: Literal["demo", "production"], port: int | None
) -> Founded:
    settings = _settings(profile, port)
    for folder in (layout.root, layout.audit, layout.policies, layout.database.parent):
        make_directory(folder)
    for policy in sorted(POLICIES.glob("*.yaml")):
        write_file(layout.policies / policy.name, policy.read_bytes(), replace=False)
    if profile == "production":
        make_directory(layout.path("tls"))
        await asyncio.to_thread(_make_certificate, layout, settings)
    await asyncio.to_thread(_make_vault_and_log, layout, settings)

    async with AsyncExitStack() as stack:
        base = await open_foundations(stack, settings, layout)
        await base.log.append(BoxInitialised(profile=profile, program=__version__), BOX_ACTOR)
        users = await _add_people(base)
        keys = ApiKeys(base.database, base.vault.key(Purpose.API_KEYS))
        api_key, record = await keys.issue("first application", Role.APPLICATION)
        await base.log.append(KeyCreated(key=record.id, role=record.role.value), BOX_ACTOR)
        if profile == "demo":
            await _register_demo_model(base)
    # Written last: a directory with this file in it holds a whole box.
    write_file(layout.config, render(settings).encode(), replace=False)
    return Founded(
        config=str(layout.config), base_url=base_url(settings), api_key=api_key, users=users
    )


def _holds_anything(directory: Path) -> bool:
    return directory.exists() and any(directory.iterdir())


def base_url(settings: Settings) -> str:
    """Return the address that an SDK is given."""
    scheme = "https" if settings.server.tls_certificate else "http"
    host = settings.server.host
    shown = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
    return f"{scheme}://{shown}:{settings.server.port}/v1"


def _settings(profile: Literal["demo", "production"], port: int | None) -> Settings:
    name = f"cloister/{secrets.token_hex(4)}"
    if profile == "demo":
        server = ServerSettings() if port is None else ServerSettings(port=port)
    else:
        server = ServerSettings(
            host="0.0.0.0",  # noqa: S104 - a production box serves its house's network
            port=port or PRODUCTION_PORT,
            tls_certificate="tls/certificate.pem",
            tls_key="tls/key.pem",
        )
    return Settings(profile=profile, name=name, server=server)


def _make_vault_and_log(layout: Layout, settings: Settings) -> None:
    vault = Vault.create(layout.keys, unsealer_of(settings, layout))
    try:
        keyring = make_keyring(settings, layout, vault)
        Log.create(layout.audit, origin=settings.name, signer=keyring).close_sync()
    finally:
        vault.seal()


async def _add_people(base: Foundations) -> dict[str, Person]:
    people = People(base.database, base.vault.key(Purpose.API_KEYS))
    users: dict[str, Person] = {}
    for role in (Role.ADMINISTRATOR, Role.OPERATOR, Role.OFFICER, Role.APPROVER):
        password = await people.add(role.value, role)
        await base.log.append(UserCreated(user=role.value, roles=(role.value,)), BOX_ACTOR)
        users[role.value] = Person(role=role, password=password)
    return users


async def _register_demo_model(base: Foundations) -> None:
    """Take the bundled model through the gate and into service.

    Nobody approves it but the founding itself, and the log says so: it came with the program.
    """
    report = await asyncio.to_thread(scan_file, DEMO_MODEL)
    if report.verdict != "clean":
        raise ConfigurationError(
            f"the bundled demo model was refused: {'; '.join(report.reasons)}; install again"
        )
    stored = await asyncio.to_thread(base.store.put, DEMO_MODEL)
    async with base.database.session() as session:
        catalogue = Catalogue(session)
        version = await catalogue.register("demo", stored, _details(report))
        await catalogue.approve(version.id)
        version = await catalogue.activate(version.id)
    digest = f"sha256:{version.file.digest}"
    for event in (
        ModelRegistered(model="demo", version=version.id, model_digest=digest),
        ModelApproved(model="demo", version=version.id, model_digest=digest),
        ModelActivated(model="demo", version=version.id, model_digest=digest, alias="demo"),
    ):
        await base.log.append(event, BOX_ACTOR)


def _details(report: ScanReport) -> ModelDetails:
    facts = report.facts
    if facts is None:
        return ModelDetails()
    return ModelDetails(
        name=facts.name or "",
        architecture=facts.architecture,
        parameters=facts.parameters,
        quantization=facts.quantization,
        context_length=facts.context_length,
    )


def _make_certificate(layout: Layout, settings: Settings) -> None:
    """Make a self-signed certificate, so that a new box never listens without TLS.

    The house replaces both files with its own; clients have to be given this one until then.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloister")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=397))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    write_file(
        layout.path(settings.server.tls_certificate),
        certificate.public_bytes(pem),
        replace=False,
    )
    write_file(
        layout.path(settings.server.tls_key),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        replace=False,
    )
