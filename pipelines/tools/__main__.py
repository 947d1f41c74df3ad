"""`python -m pipelines.tools [NAME...]`: puts the named tools, or all of them, into `.tools/`.

Exit 0 when they are there, else the error's exit code.
"""

import sys
from collections.abc import Sequence

from models.errors import ConfigError, MainlineError
from pipelines.tools import ROOT, install
from pipelines.tools.table import TOOLS


def main(names: Sequence[str]) -> int:
    """Installs, telling each step on stderr; every tool is tried before it fails."""
    status = 0
    for name in names or tuple(TOOLS):
        try:
            if name not in TOOLS:
                raise ConfigError([f"tools: got {name!r}, must be among {', '.join(TOOLS)}"])
            install(ROOT, TOOLS[name], say=lambda line: print(line, file=sys.stderr, flush=True))
        except MainlineError as err:
            print(err, file=sys.stderr)
            status = err.exit_code
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
