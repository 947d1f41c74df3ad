"""The pod's command: `python -m services.serving`, configured by the environment alone.

Exit codes: 0 ended after SIGTERM or SIGINT, 1 the bundle was refused or the port is taken, 2 bad configuration.
"""

import gc
import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Reads the environment and serves. Returns the exit code."""
    # The first process of a container ignores signals that it does not handle, and the imports below take a second.
    signal.signal(signal.SIGTERM, _end)
    # What is imported stays: to look for garbage among it took a tenth of the start, and found 800 small objects.
    gc.disable()

    from models.errors import ConfigError
    from services.serving import settings

    try:
        read = settings.read(os.environ)
    except ConfigError as err:
        sys.stderr.writelines(f"{problem}\n" for problem in err.problems)
        return err.exit_code

    from services.serving.allocator import keep_freed_memory
    from services.serving.server import run

    keep_freed_memory()
    gc.freeze()
    gc.enable()
    return run(read)


def _end(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
