"""`python -m pipelines.images NAME [--twice]`: builds one image into this machine's store.

Exit 0 when it is there, and with `--twice` came out the same two times; else the error's exit code.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from models.errors import MainlineError
from pipelines.images.local import build
from pipelines.images.orders import IMAGES

# a builder tells its latest line every two seconds; a person wants to know that it goes on
_TOLD_EVERY_SECONDS = 15.0


def main(arguments: Sequence[str]) -> int:
    """Builds, and prints the image's tag and id on stdout."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.images", description=__doc__)
    parser.add_argument("name", help=f"of {', '.join(image.name for image in IMAGES)}")
    parser.add_argument("--twice", action="store_true", help="build it twice without former layers, and compare")
    options = parser.parse_args(arguments)
    told = time.monotonic()

    def tell(seconds: float, line: str) -> None:
        nonlocal told
        if time.monotonic() - told > _TOLD_EVERY_SECONDS:
            told = time.monotonic()
            print(f"{seconds:5.0f} s  {line}", file=sys.stderr, flush=True)

    try:
        built = build(options.name, tell, twice=options.twice)
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    print(f"{built.tag} {built.id}{' (the same twice)' if options.twice else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
