"""The manual's page of events says what the program logs."""

from pathlib import Path

from appliance.audit.events import EVENTS
from appliance.audit.reference import reference_page

PAGE = Path(__file__).parents[3] / "docs" / "audit-events.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference_page(), "run python -m appliance.audit.reference"


def test_the_page_tells_of_every_event_and_explains_inherited_fields() -> None:
    page = reference_page()
    assert all(f"\n## `{action}`\n" in page for action in EVENTS)
    assert "| `exchange` | `str` | The exchange's id, which the caller also gets. |" in page
