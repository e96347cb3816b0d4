"""`cloister scan`: the GGUF gate and the template gate over one file, with a report for people.

A scan reads the header of the file and nothing of its weights, so it takes the same second and the
same few megabytes for a model of any size. Whatever the bytes are, it returns a report: `clean`, or
`refused` with every reason that could be found. It trusts nothing and changes nothing. The import
calls `scan_source` on the very descriptor that it will copy from; `scan_file` opens one.

That weights are numbers and not noise is found out by the trial load, not here.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from appliance.registry.gguf.checks import ARCHITECTURE, check, family_of
from appliance.registry.gguf.finding import Finding, MalformedError, Rule
from appliance.registry.gguf.header import Header, read_header
from appliance.registry.gguf.layout import data_offset
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.reader import ByteSource, FileSource, read_exactly
from appliance.registry.gguf.vocabulary import count_tokens
from appliance.registry.template_gate import check_template

TEMPLATE = "tokenizer.chat_template"
TEMPLATE_SUFFIX = ".jinja"
MOST_TEMPLATES = 16
MOST_TEMPLATE_BYTES = 96 * 1024
"""In all variants together; the time of a scan is bounded by what it parses."""
POOLING_RANK = 4
"""`LLAMA_POOLING_TYPE_RANK`: the model scores pairs of texts."""


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chat template that the file carries."""

    key: str
    sha256: str
    """Of its UTF-8 bytes; what a person approves, and what the log records."""


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a clean model says of itself, after its words were checked against its tensors."""

    kind: Literal["generate", "embed", "rerank"]
    architecture: str
    name: str | None
    quantization: str
    """The element type that holds most bytes."""
    parameters: int
    context_length: int
    embedding_length: int
    block_count: int
    vocabulary: int
    tensors: int
    data_offset: int
    """First byte of the data section."""
    templates: tuple[Template, ...]


class ScanReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `cloister scan` prints, one JSON line for each file."""

    file: str
    verdict: Literal["clean", "refused"]
    reasons: tuple[str, ...] = ()
    """In words; empty if clean."""
    rules: tuple[str, ...] = ()
    """The rule behind each reason; see `gguf.finding.Rule`."""
    size: int | None = None
    facts: Facts | None = None
    """Only of a clean model."""
    template: Template | None = None
    """Only of a clean file that is a chat template."""


def scan_file(path: str | os.PathLike[str]) -> ScanReport:
    """Scan one file: a chat template if it is called `….jinja`, a GGUF file otherwise.

    Never raises for what the file is or holds.
    """
    name = os.fspath(path)
    try:
        with FileSource(Path(path)) as source:
            if name.endswith(TEMPLATE_SUFFIX):
                return _scan_template(source, name)
            return scan_source(source, name)
    except MalformedError as error:
        return _refused(name, [error.finding], None)
    except (OSError, ValueError) as error:
        told = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no path"
        finding = Finding(rule=Rule.UNREADABLE, where="file", what=f"cannot be opened ({told})")
        return _refused(name, [finding], None)


def scan_source(source: ByteSource, name: str) -> ScanReport:
    """Scan what is already open, or comes from elsewhere; `name` is how the report calls it."""
    try:
        header = read_header(source)
        metadata = Metadata(header, source)
        findings = check(header, metadata, source.size)
        templates, wrong = _templates(metadata)
        findings += wrong
        if findings:
            return _refused(name, findings, source.size)
        facts = _facts(header, metadata, templates)
    except MalformedError as error:
        return _refused(name, [error.finding], source.size)
    return ScanReport(file=name, verdict="clean", size=source.size, facts=facts)


def _scan_template(source: ByteSource, name: str) -> ScanReport:
    """Pass a file that is a chat template by itself through the template gate."""
    if source.size > MOST_TEMPLATE_BYTES:
        text = f"has {source.size} bytes; at most {MOST_TEMPLATE_BYTES} are accepted"
        return _refused(name, [Finding(rule=Rule.TEMPLATE, where="file", what=text)], source.size)
    try:
        raw = read_exactly(source, 0, source.size)
        report = check_template(raw.decode("utf-8"))
    except MalformedError as error:
        return _refused(name, [error.finding], source.size)
    except UnicodeDecodeError as error:
        finding = Finding(rule=Rule.TEXT, where=f"offset {error.start}", what="is not valid UTF-8")
        return _refused(name, [finding], source.size)
    findings = [Finding(rule=Rule.TEMPLATE, where="file", what=text) for text in report.reasons]
    if findings:
        return _refused(name, findings, source.size)
    template = Template(key="file", sha256=report.sha256)
    return ScanReport(file=name, verdict="clean", size=source.size, template=template)


def _refused(name: str, findings: list[Finding], size: int | None) -> ScanReport:
    return ScanReport(
        file=name,
        verdict="refused",
        reasons=tuple(str(finding) for finding in findings),
        rules=tuple(finding.rule.value for finding in findings),
        size=size,
    )


def _templates(metadata: Metadata) -> tuple[tuple[Template, ...], list[Finding]]:
    """Pass every chat template of the file through the template gate."""
    keys = [key for key in metadata if key == TEMPLATE or key.startswith(TEMPLATE + ".")]
    findings: list[Finding] = []
    if len(keys) > MOST_TEMPLATES:
        text = f"comes in {len(keys)} variants; at most {MOST_TEMPLATES} are accepted"
        return (), [Finding(rule=Rule.TEMPLATE, where=TEMPLATE, what=text)]
    size = sum(value.size for value in map(metadata.value, keys) if value is not None)
    if size > MOST_TEMPLATE_BYTES:
        text = f"takes {size} bytes in all variants; at most {MOST_TEMPLATE_BYTES} are accepted"
        return (), [Finding(rule=Rule.TEMPLATE, where=TEMPLATE, what=text)]
    templates: list[Template] = []
    for key in keys:
        template = metadata.text(key)
        if template is None:
            findings.append(Finding(rule=Rule.TEMPLATE, where=key, what="is not a string"))
            continue
        report = check_template(template)
        templates.append(Template(key=key, sha256=report.sha256))
        findings += (Finding(rule=Rule.TEMPLATE, where=key, what=r) for r in report.reasons)
    return tuple(templates), findings


def _facts(header: Header, metadata: Metadata, templates: tuple[Template, ...]) -> Facts:
    architecture = metadata.text(ARCHITECTURE) or ""
    family = family_of(metadata)
    embeds = family is not None and family.embeds
    kind: Literal["generate", "embed", "rerank"] = "embed" if embeds else "generate"
    if metadata.number(f"{architecture}.pooling_type") == POOLING_RANK:
        kind = "rerank"

    def whole(name: str) -> int:
        return int(metadata.number(f"{architecture}.{name}") or 0)

    return Facts(
        kind=kind,
        architecture=architecture,
        name=metadata.text("general.name"),
        quantization=_dominant(header),
        parameters=sum(tensor.elements for tensor in header.tensors),
        context_length=whole("context_length"),
        embedding_length=whole("embedding_length"),
        block_count=whole("block_count"),
        vocabulary=count_tokens(metadata),
        tensors=len(header.tensors),
        data_offset=data_offset(header),
        templates=templates,
    )


def _dominant(header: Header) -> str:
    sizes: dict[str, int] = {}
    for tensor in header.tensors:
        sizes[tensor.type.name] = sizes.get(tensor.type.name, 0) + tensor.size
    return max(sizes, key=lambda name: sizes[name])
