"""The `cloister` command: reads arguments, calls a room, prints. Nothing is decided here.

Exit status: 0 done, 1 refused or failed with one clear line on stderr, 2 wrong usage.
Each command imports what it needs when it runs, so that none waits for another's libraries.
"""

import sys
import traceback
from pathlib import Path

from appliance.errors import ApplianceError


def main() -> None:
    """Run the command line."""
    from appliance.cli.app import app

    try:
        app(prog_name="cloister")
    except ApplianceError as error:
        print(f"cloister: {error}", file=sys.stderr)
        sys.exit(1)
    except UnicodeDecodeError as error:
        print(f"cloister: the input is not UTF-8 (byte {error.start})", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody left to tell.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        print(
            f"cloister: internal error: {type(error).__name__} at {_place(error)}", file=sys.stderr
        )
        sys.exit(1)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))
