"""Entries in the formats of others: a page for people, CSV, and two that SIEMs read.

None of them can be verified; `entries.jsonl` of the same export can. Each is written entry by
entry, so that memory does not grow with the export.

OCSF is the Open Cybersecurity Schema Framework 1.3, classes API Activity (6003), Authentication
(3002) and Entity Management (3004). CEF is ArcSight's Common Event Format, version 0.
"""

import csv
import html
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from appliance.audit.clock import parse_utc
from appliance.audit.entries import Entry
from appliance.audit.events import FAILED, OK, REFUSED

_COLUMNS = ("seq", "time", "actor", "source", "action", "subject", "outcome", "details")
_PRODUCT = "Cloister"

_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#111}
table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}
td:last-child{font:12px/1.4 ui-monospace,monospace;word-break:break-all}
tr.refused td,tr.failed td{background:#fdecea}
@media print{body{margin:0;font-size:10px}thead{display:table-header-group}
tr{break-inside:avoid}@page{size:A4 landscape;margin:12mm}}
"""


class Writer(Protocol):
    """Takes entries in order, then is closed."""

    def add(self, entry: Entry) -> None:
        """Write one entry."""
        ...

    def close(self) -> None:
        """Write the end."""
        ...


def _cells(entry: Entry) -> tuple[str, ...]:
    details = msgspec.json.encode(entry.details, order="sorted").decode()
    actor = f"{entry.actor.kind}:{entry.actor.id}"
    return (
        str(entry.seq),
        entry.time,
        actor,
        entry.actor.source,
        entry.action,
        entry.subject,
        entry.outcome,
        details,
    )


class HtmlWriter:
    """`report.html`: one page that stands alone, with a print style."""

    def __init__(self, directory: Path, title: str) -> None:
        self._file = (directory / "report.html").open("w", encoding="utf-8")
        name = html.escape(title)
        head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
        self._file.write(
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title>"
            f"<style>{_STYLE}</style><h1>{name}</h1><p>This page is for reading. What proves it is "
            f"<code>entries.jsonl</code>: run <code>cloister_verify.py export</code> on this "
            f"directory.</p><table><thead><tr>{head}</tr></thead><tbody>\n"
        )

    def add(self, entry: Entry) -> None:
        """A row."""
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(entry))
        self._file.write(f'<tr class="{html.escape(entry.outcome)}">{cells}</tr>\n')

    def close(self) -> None:
        """The table's end."""
        self._file.write("</tbody></table></html>\n")
        self._file.close()


class CsvWriter:
    """`entries.csv`, RFC 4180."""

    def __init__(self, directory: Path, title: str) -> None:
        del title
        self._file = (directory / "entries.csv").open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(_COLUMNS)

    def add(self, entry: Entry) -> None:
        """A row; a cell that a spreadsheet would run as a formula is made text."""
        self._csv.writerow(
            f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
            for cell in _cells(entry)
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class OcsfWriter:
    """`ocsf.jsonl`: an OCSF event on each line."""

    def __init__(self, directory: Path, title: str) -> None:
        del title
        self._file = (directory / "ocsf.jsonl").open("wb")

    def add(self, entry: Entry) -> None:
        """A line."""
        self._file.write(msgspec.json.encode(ocsf(entry)) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def ocsf(entry: Entry) -> dict[str, object]:
    """An entry as an OCSF 1.3 event."""
    noun, _, verb = entry.action.partition(".")
    if noun == "user" and verb in ("login", "logout"):
        kind, category, activity = 3002, 3, 1 if verb == "login" else 2
    elif noun in ("exchange", "request", "content"):
        kind, category, activity = 6003, 6, 2 if verb == "read" else 1
    else:
        kind, category, activity = 3004, 3, 99
    good = entry.outcome not in (REFUSED, FAILED)
    return {
        "class_uid": kind,
        "category_uid": category,
        "activity_id": activity,
        "activity_name": entry.action,
        "type_uid": kind * 100 + activity,
        "severity_id": 1 if good else 3,
        "status_id": 1 if good else 2,
        "status": entry.outcome or OK,
        "time": parse_utc(entry.time) // 1_000_000,
        "metadata": {
            "version": "1.3.0",
            "product": {"name": _PRODUCT, "vendor_name": _PRODUCT},
            "uid": str(entry.seq),
            "sequence": entry.seq,
        },
        "actor": {"user": {"uid": entry.actor.id, "type": entry.actor.kind}},
        "src_endpoint": {"ip": entry.actor.source} if entry.actor.source else {},
        "unmapped": {"subject": entry.subject, "details": entry.details},
    }


class CefWriter:
    """`cef.log`: a CEF line per entry."""

    def __init__(self, directory: Path, title: str) -> None:
        del title
        self._file = (directory / "cef.log").open("w", encoding="utf-8")

    def add(self, entry: Entry) -> None:
        """A line."""
        self._file.write(cef(entry) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cef(entry: Entry) -> str:
    """An entry as a CEF:0 line, with the escapes that CEF asks for in headers and in values."""
    severity = 6 if entry.outcome in (REFUSED, FAILED) else 1

    def header(text: str) -> str:
        return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").splitlines())

    def value(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("=", "\\=")
        return escaped.replace("\r", "\\r").replace("\n", "\\n")

    cells = dict(zip(_COLUMNS, _cells(entry), strict=True))
    fields = {
        "rt": str(parse_utc(entry.time) // 1_000_000),
        "externalId": cells["seq"],
        "suser": cells["actor"],
        "src": cells["source"],
        "act": cells["action"],
        "outcome": cells["outcome"],
        "cs1Label": "subject",
        "cs1": cells["subject"],
        "cs2Label": "details",
        "cs2": cells["details"],
    }
    extension = " ".join(f"{name}={value(text)}" for name, text in fields.items() if text)
    action = header(entry.action)
    return f"CEF:0|{_PRODUCT}|{_PRODUCT}|1|{action}|{action}|{severity}|{extension}"


FORMATS: dict[str, Callable[[Path, str], Writer]] = {
    "html": HtmlWriter,
    "csv": CsvWriter,
    "ocsf": OcsfWriter,
    "cef": CefWriter,
}
"""The formats beside `entries.jsonl`, by the name that asks for them."""
