"""Strict decoding of a JSON body into a wire struct, with refusals that name the field.

msgspec says where a value is wrong (`- at $.messages[0].role`); that place becomes `param`, and the
value itself is never repeated: it may be content.
"""

import re
from typing import TypeVar

import msgspec

from appliance.errors import Code, refuse

T = TypeVar("T")

_PLACE = re.compile(r" - at `([^`]*)`$")
_UNKNOWN = re.compile(r"contains unknown field `([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_VALUE = re.compile(r"Invalid enum value .*|Invalid value .*")


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a body.

    Raises:
        RefusalError: it is not JSON, not of the type, or has a field that is not honoured here.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _place(text)
        reason = _PLACE.sub("", text)
        if unknown := _UNKNOWN.search(reason):
            param = f"{place}.{unknown[1]}".lstrip(".")
            raise refuse(
                Code.UNSUPPORTED_FIELD,
                f"the field `{param[:100]}` is not supported by this server; leave it out",
                param=param[:200],
            ) from None
        if missing := _MISSING.search(reason):
            param = f"{place}.{missing[1]}".lstrip(".")
            raise refuse(
                Code.INVALID_REQUEST, f"the field `{param}` is required", param=param
            ) from None
        reason = _VALUE.sub("the value is not one of those allowed", reason)
        where = f"`{place}`: " if place else "the body: "
        raise refuse(Code.INVALID_REQUEST, where + reason, param=place or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refuse(
            Code.INVALID_REQUEST, "the body is not valid JSON; send one UTF-8 JSON object"
        ) from None


def _place(text: str) -> str:
    match = _PLACE.search(text)
    return match[1].removeprefix("$").removeprefix(".") if match else ""
