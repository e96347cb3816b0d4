# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Addresses on networks, devices and vehicles."""

from appliance.redaction import checks
from appliance.redaction.rule import rule

_LABEL = r"[A-Za-z0-9\x{00a1}-\x{ffff}](?:[A-Za-z0-9\x{00a1}-\x{ffff}_-]{0,61}[A-Za-z0-9\x{00a1}-\x{ffff}])?"
_TLD = (
    "com|org|net|edu|gov|mil|int|info|biz|name|pro|aero|coop|museum|travel|jobs|mobi|cat|tel|asia|site|online|shop|"
    "store|tech|app|dev|cloud|blog|xyz|club|live|life|health|hospital|bank|finance|insurance|care|clinic|doctor|medical|"
    "email|world|today|news|space|website|digital|group|agency|solutions|company|center|systems|network|academy|"
    "io|ai|co|me|tv|eu|uk|us|de|fr|es|it|nl|be|at|ch|li|lu|pt|ie|dk|se|no|fi|is|pl|cz|sk|hu|ro|bg|gr|hr|si|rs|ba|mk|al|"
    "ee|lv|lt|by|ua|ru|tr|il|ae|sa|qa|kw|eg|ma|tn|dz|za|ng|ke|gh|in|pk|bd|lk|np|cn|jp|kr|tw|hk|sg|my|th|vn|ph|id|au|nz|"
    "ca|mx|br|ar|cl|pe|uy|py|bo|ec|ve|cr|pa|gt|do|cu|pr|cy|mt|mc|sm|va|ad|gi|fo|gl|ge|am|az|kz|uz|to|ly|gg|je|im|cc|ws"
)
_EDGE = r"(?:[:/?#][^\s\"'<>\[\]{}|\\^`]*[^\s\"'<>\[\]{}|\\^`.,;:!?)*_])?"


def _vin(text: str) -> bool:
    """ISO 3779 with the North American check digit (49 CFR 565.15)."""
    if text.isdigit() or text.isalpha():
        return False
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))  # fmt: skip
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(
        w * (int(c) if c.isdigit() else values[c]) for w, c in zip(weights, text, strict=True)
    )
    return "0123456789X"[total % 11] == text[8]


_DOT_LETTER = " ".join(f".{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")

RULES = (
    rule("email", "EMAIL_ADDRESS",
         r"[A-Za-z0-9\x{00a1}-\x{ffff}!#$%&'*+/=?^_`{|}~.-]{0,80}[A-Za-z0-9\x{00a1}-\x{ffff}_+%~=-]@(?:" + _LABEL + r"\.){1,8}[A-Za-z\x{00a1}-\x{ffff}][A-Za-z0-9\x{00a1}-\x{ffff}-]{0,61}[A-Za-z0-9\x{00a1}-\x{ffff}]",
         None, 0.98, loose=True, needs="@"),
    rule("email_spelled", "EMAIL_ADDRESS",
         r"(?i)\b[A-Z0-9._%+-]{1,64}\s?(?:\s@\s|[(\[{<]\s?(?:at|@|arroba|chez|klammeraffe)\s?[)\]}>])\s?(?:[A-Z0-9-]{1,63}\s?(?:\.|[(\[{<]\s?(?:dot|\.|punkt|point|punto)\s?[)\]}>])\s?){1,4}[A-Z]{2,24}\b",
         None, 0.9, loose=True, needs="[ ( { <"),
    rule("email_quoted", "EMAIL_ADDRESS", r"\"[^\"\s@]{1,64}\"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}", None, 0.95, loose=True, needs="@"),
    rule("email_local_host", "EMAIL_ADDRESS", r"\b[A-Za-z0-9._%+-]{1,64}@\[?(?:\d{1,3}\.){3}\d{1,3}\]?", None, 0.9, loose=True, needs="@"),
    rule("url", "URL", r"(?i)\b(?:https?|ftps?|sftp|wss?|ldaps?|file|ssh|git|s3)://[^\s\"'<>{}|\\^`]{2,}[^\s\"'<>{}|\\^`.,;:!?)\]*_]", None, 0.9, loose=True, needs="://"),
    rule("url_www", "URL", r"(?i)\bwww\.(?:" + _LABEL + r"\.){1,6}(?:" + _TLD + r")\b" + _EDGE, None, 0.9, loose=True, needs="www."),
    rule("domain", "URL", r"(?i)(?:^|[\s\"'(<\[,;:=])((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,6}(?:" + _TLD + r")(?:/[^\s\"'<>]*[^\s\"'<>.,;:!?)])?)(?:[\s\"')>\],;:!?]|\.(?:\s|$)|$)",
         lambda v: sum(map(len, v.split(".")[:-1])) > 2 and not v.replace(".", "").isdigit(), 0.55, loose=True, needs=_DOT_LETTER),
    rule("mailto_handle", "USERNAME", r"(?:^|[\s(])@[A-Za-z0-9_]{3,30}\b", None, 0.0, alone=0.0, needs="@"),
    rule("ipv4", "IP_ADDRESS",
         r"(?:^|[^0-9A-Za-z.])((?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:/(?:[12]?\d|3[0-2])\b)?)(?:[^0-9A-Za-z.]|\.(?:[^0-9]|$)|$)",
         None, 0.9, loose=True, needs=".", least=3),
    rule("ipv4_defanged", "IP_ADDRESS", r"\b(?:\d{1,3}(?:\[\.\]|\(\.\)|\[dot\])){1,3}(?:\d{1,3}(?:\.|\[\.\])){0,2}\d{1,3}\b", lambda v: v.count(".") == 3, 0.9, needs="[.] (.) [dot]"),
    rule("ipv6", "IP_ADDRESS",
         r"(?:^|[^0-9A-Za-z:.])((?:[0-9A-Fa-f]{0,4}:){2,8}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?:%[0-9A-Za-z]{1,15})?(?:/\d{1,4}\b)?)(?:[^0-9A-Za-z:]|$)",
         lambda v: checks.ip(v.partition("%")[0]) and (len(v) > 2 or v == "::"), 0.9, loose=True, needs=":", least=2),
    rule("mac", "MAC_ADDRESS",
         r"\b(?:[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})\b",
         lambda v: len(set(checks.alphanumerics(v))) > 1, 0.9),
    rule("mac_eui64", "MAC_ADDRESS", r"\b[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){7}|(?:-[0-9A-Fa-f]{2}){7})\b", lambda v: len(set(checks.alphanumerics(v))) > 1, 0.9),
    rule("imei", "DEVICE_ID", r"\b\d{2}[ \-]?\d{6}[ \-]?\d{6}[ \-]?\d\b", checks.luhn, 0.3, "device"),
    rule("iccid", "DEVICE_ID", r"\b89\d{17,18}\b", checks.luhn, 0.6, "device"),
    rule("vin", "VEHICLE_ID", r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b",
         _vin, 0.6, words="vin, vehicle identification, fahrgestellnummer, fin, chassis, telaio, bastidor"),
    rule("uuid", "DEVICE_ID", r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", None, 0.0, "device", alone=0.0, cued=0.7),
    rule("serial", "DEVICE_ID", r"\b[A-Z0-9][A-Z0-9\-]{5,24}\b", lambda v: any(c.isdigit() for c in v), 0.0,
         words="serial number, serial no, serial, s/n, seriennummer, device id, numero de serie, serienummer", alone=0.0, cued=0.7),
)  # fmt: skip
