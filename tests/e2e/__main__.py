"""What a person who tries the cluster lacks: requests, and a model that a gate must stop.

python -m tests.e2e traffic diabetes production --rate 100
python -m tests.e2e bad-model constant-answer-diabetes
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from models.errors import ConfigError, MainlineError
from pipelines import kube
from tests.e2e.callers import RATE, Callers
from tests.e2e.given import Cluster, given, why_not

_TOLD_EVERY_SECONDS = 2


def follow(cluster: Cluster, model: str, environment: str, rate: float) -> None:
    """Steady requests to a model of the cluster, and who answers them, until Ctrl-C; then the callers' pod goes.

    A canary without requests has nothing to be judged by: its gates wait, then ask a person.

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


def propose_bad_model(cluster: Cluster, name: str) -> None:
    """Trains and registers a case of tests/specimens, and opens the pull request that releases it to production.

    Raises:
        ConfigError: there is no such case.
    """
    # what trains takes seconds to import
    from tests.e2e.bad_releases import bad_release
    from tests.e2e.forge import Forge
    from tests.e2e.reaching import Ways
    from tests.e2e.releasing import Releases, released_image
    from tests.specimens.catalogue import Ending, cases

    known = {str(case): case for case in cases() if case.ending is Ending.ABORTED}
    if name not in known:
        raise ConfigError([f"{name}: no bad model of tests/specimens; there are {', '.join(known)}"])
    case = known[name]
    ways = Ways(cluster)
    try:
        with tempfile.TemporaryDirectory() as folder:
            forge = Forge(cluster, ways, Path(folder) / "clone")
            releases = Releases(cluster, forge, ways, Callers(cluster, released_image(forge)))
            release = releases.new_attempt(bad_release(releases, case))
            request = releases.propose(release, body=f"{case.story}; must be stopped by {', '.join(case.gates)}.")
    finally:
        ways.close()
    print(
        f"#{request.number} {request.title}: {case.story}. Merge it in the forge, and watch {' or '.join(case.gates)}"
    )


def main() -> int:
    """Reads the command line; exit code 0 when it was interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.e2e", description="What a person who tries the cluster lacks."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    traffic = commands.add_parser("traffic", help="steady requests to a model, and who answers them")
    traffic.add_argument("model")
    traffic.add_argument("environment", nargs="?", default="production")
    traffic.add_argument("--rate", type=float, default=RATE, help="requests a second")
    bad = commands.add_parser("bad-model", help="a pull request to production that a gate must stop")
    bad.add_argument("case", help="such as constant-answer-diabetes")
    options = parser.parse_args()
    try:
        if reason := why_not():
            raise ConfigError([reason])
        if options.command == "traffic":
            follow(given(), options.model, options.environment, options.rate)
        else:
            propose_bad_model(given(), options.case)
    except KeyboardInterrupt:
        return 0
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
