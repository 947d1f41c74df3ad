"""`make traffic MODEL=diabetes`: steady requests to a model of the cluster, and who answers them, until Ctrl-C.

A canary without requests has nothing to be judged by: its gates wait, then ask a person.
"""

import argparse
import sys
import time

from models.errors import ConfigError, MainlineError
from pipelines import kube
from tests.e2e.callers import RATE, Callers
from tests.e2e.given import Cluster, given, why_not

_TOLD_EVERY_SECONDS = 2


def follow(cluster: Cluster, model: str, environment: str, rate: float) -> None:
    """Sends and tells; the callers' pod goes when it is interrupted.

    Raises:
        ConfigError: nothing is released there.
    """
    rollout = cluster.kube.get(kube.ROLLOUT, "serving", f"{model}-{environment}")
    if rollout is None:
        raise ConfigError([f"{model}-{environment}: no Rollout yet; merge a release to {environment} first"])
    callers = Callers(cluster, rollout["spec"]["template"]["spec"]["containers"][0]["image"])
    traffic = callers.start(model, environment=environment, rate=rate)
    since = traffic.mark()
    try:
        while True:
            time.sleep(_TOLD_EVERY_SECONDS)
            counts, since = traffic.counts(since), traffic.mark()
            print(f"{time.strftime('%H:%M:%S')}  {counts}", flush=True)
    finally:
        callers.stop(f"{model}-{environment}")


def main() -> int:
    """Reads the command line; exit code 0 when it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("environment", nargs="?", default="production")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second")
    options = parser.parse_args()
    try:
        if reason := why_not():
            raise ConfigError([reason])
        follow(given(), options.model, options.environment, options.rate)
    except KeyboardInterrupt:
        return 0
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
