"""A checkpoint on paper: its text, and a QR code that holds the same bytes.

Scan the code into a file and hand it to a verifier as the older checkpoint.
"""

import io

import segno

from appliance.audit.checkpoint import parse_checkpoint
from appliance.audit.note import Note

# Level M survives 15 % of damage, which paper in a binder sees.
_LEVEL = "m"


def printed_text(note: Note, printed_at: str) -> str:
    """The checkpoint as text for a printer or a terminal, with a QR code of block characters."""
    checkpoint = parse_checkpoint(note.text)
    code = io.StringIO()
    _code(note).terminal(code, compact=True)
    return (
        f"Checkpoint of {checkpoint.origin}\n"
        f"{checkpoint.size} entries, printed {printed_at}\n\n{note}\n{code.getvalue()}\n"
        "Keep this sheet away from the box. Verify the log against it with\n"
        "  cloister_verify.py log DIRECTORY --key log.vkey --older FILE\n"
        "where FILE holds the text between the lines above, or what the code scans to.\n"
    )


def printed_png(note: Note, scale: int = 6) -> bytes:
    """The QR code alone as a PNG image; `scale` in pixels per module."""
    image = io.BytesIO()
    _code(note).save(image, kind="png", scale=scale)
    return image.getvalue()


def _code(note: Note) -> segno.QRCode:
    return segno.make_qr(str(note).encode(), error=_LEVEL, mode="byte")
