"""The event catalogue: one definition per type of fact that the log can hold.

Whatever the box does, it does as one of these. A definition is for ever: fields are only ever
added, with a default that means "not known", and no tag is used twice. No event holds content: no
prompt, no answer, no name of a patient or customer, no key, no value that a caller chose freely.

An event's `action` is its tag, `subject` and `outcome` are derived from its fields, and the fields
are the entry's `details` (see `entries`). The reference page in the manual is made from this
module: the docstrings are its text. Digests are text as `entries` describes. Durations are whole
microseconds, `…_us`. Times are as in `entries`.
"""

from appliance.audit.events.access import (
    ApprovalGiven,
    KeyCreated,
    KeyRevoked,
    OperationRefused,
    UserChanged,
    UserCreated,
    UserLogin,
    UserLogout,
)
from appliance.audit.events.box import (
    BackupCreated,
    BackupRestored,
    BoxInitialised,
    ServiceStarted,
    ServiceStopped,
    SettingsChanged,
)
from appliance.audit.events.content import (
    ContentPruned,
    ContentRead,
    HoldLifted,
    HoldPlaced,
    SubjectErased,
)
from appliance.audit.events.control import (
    PolicyActivated,
    PolicyRefused,
    VaultRotated,
    VaultSealed,
    VaultUnsealed,
)
from appliance.audit.events.event import FAILED, OK, REFUSED, Event
from appliance.audit.events.exchange import ExchangeClosed, ExchangeOpened, RequestRefused, Usage
from appliance.audit.events.log import (
    CheckpointAnchored,
    ClockJumped,
    KeyEpochStarted,
    LogExported,
    LogRecovered,
    LogResumed,
    LogSearched,
    LogTailDiscarded,
    LogVerified,
    ProofIssued,
)
from appliance.audit.events.model import (
    ModelActivated,
    ModelApproved,
    ModelEvent,
    ModelImported,
    ModelLoaded,
    ModelRefused,
    ModelRegistered,
    ModelRetired,
    ModelRolledBack,
    ModelTuned,
    ModelUnloaded,
    WorkerRestarted,
)

__all__ = [
    "EVENTS",
    "FAILED",
    "OK",
    "REFUSED",
    "ApprovalGiven",
    "BackupCreated",
    "BackupRestored",
    "BoxInitialised",
    "CheckpointAnchored",
    "ClockJumped",
    "ContentPruned",
    "ContentRead",
    "Event",
    "ExchangeClosed",
    "ExchangeOpened",
    "HoldLifted",
    "HoldPlaced",
    "KeyCreated",
    "KeyEpochStarted",
    "KeyRevoked",
    "LogExported",
    "LogRecovered",
    "LogResumed",
    "LogSearched",
    "LogTailDiscarded",
    "LogVerified",
    "ModelActivated",
    "ModelApproved",
    "ModelEvent",
    "ModelImported",
    "ModelLoaded",
    "ModelRefused",
    "ModelRegistered",
    "ModelRetired",
    "ModelRolledBack",
    "ModelTuned",
    "ModelUnloaded",
    "OperationRefused",
    "PolicyActivated",
    "PolicyRefused",
    "ProofIssued",
    "RequestRefused",
    "ServiceStarted",
    "ServiceStopped",
    "SettingsChanged",
    "SubjectErased",
    "Usage",
    "UserChanged",
    "UserCreated",
    "UserLogin",
    "UserLogout",
    "VaultRotated",
    "VaultSealed",
    "VaultUnsealed",
    "WorkerRestarted",
]


def _leaves(kind: type[Event]) -> list[type[Event]]:
    found = [kind] if kind.action else []
    for child in kind.__subclasses__():
        found.extend(_leaves(child))
    return found


EVENTS: dict[str, type[Event]] = {kind.action: kind for kind in _leaves(Event)}
"""Every event type by its tag, in the order of this module."""
