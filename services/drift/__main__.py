"""The pod's command: `python -m services.drift`, configured by the environment alone.

Exit codes: 0 ended after SIGTERM or SIGINT, 1 the port is taken, 2 bad configuration.
"""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Reads the environment and serves. Returns the exit code."""
    # The first process of a container ignores signals that it does not handle, and the imports below take seconds.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)

    from models.errors import ConfigError
    from services.drift import settings

    try:
        read = settings.read(os.environ)
    except ConfigError as err:
        sys.stderr.writelines(f"{problem}\n" for problem in err.problems)
        return err.exit_code

    from services.drift.server import run

    return run(read)


def _end(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
