"""`python -m pipelines.cluster up | down | images [NAME...] | install | add PART... | status | run COMMAND`.

`up` is a cluster, the images and the platform, in this order; each part can be had alone again. `run` gives a command
the cluster's MLflow, store and forge. Exit 0 when it is done, else the error's or the command's exit code.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from models.errors import ConfigError, MainlineError
from pipelines.cluster import at_hand, kind_cluster, provider, source_cluster
from pipelines.cluster.images import Event, build_all
from pipelines.cluster.install import Target, install, uninstall
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.next_steps import next_steps
from pipelines.cluster.optional import PARTS, add
from pipelines.cluster.platform_tree import ENVIRONMENTS as PLATFORMS
from pipelines.cluster.provider import Cluster, Provider
from pipelines.images.orders import ROOT, read_bases
from pipelines.jsonfile import read_json
from pipelines.versions import read_versions

_STARTED = time.monotonic()
# a builder tells its latest line every two seconds; a person wants to know that it goes on
_TOLD_EVERY_SECONDS = 15.0


def say(line: str) -> None:
    """One line, after the seconds since the start."""
    print(f"{time.monotonic() - _STARTED:5.0f} s  {line}", flush=True)


def bring_up() -> Cluster:
    """The cluster of this checkout: brought up where it is not, and remembered."""
    machine = provider.look_around()
    way = provider.choose(ROOT, os.environ, machine)
    say(f"cluster: {way}")
    if way is Provider.GIVEN:
        cluster = provider.given(os.environ)
    elif way is Provider.KIND:
        cluster = kind_cluster.up(ROOT, machine.engine, read_versions(ROOT), os.environ)
    else:
        cluster = source_cluster.up(ROOT)
    provider.record(ROOT, cluster)
    return cluster


def take_down() -> None:
    """Ends the cluster that was made here; from one that was given, only the platform is removed."""
    machine = provider.look_around()
    made = provider.recorded(ROOT)
    way = made.provider if made else provider.choose(ROOT, os.environ, machine)
    say(f"cluster: {way}")
    if way is Provider.GIVEN:
        uninstall(Kubectl((made or provider.given(os.environ)).kubeconfig), say=say)
    elif way is Provider.KIND:
        kind_cluster.down(machine.engine)
    else:
        source_cluster.down(ROOT)
    provider.forget(ROOT)


def push_images(cluster: Cluster, only: Sequence[str] = ()) -> None:
    """Builds and pushes the images to where the cluster pulls from.

    Raises:
        ConfigError: nobody knows where that is.
    """
    if not cluster.registry:
        example = "a registry that you may push to and the cluster may pull from, such as ghcr.io/you"
        raise ConfigError([f"MAINLINE_REGISTRY: not set; name {example}"])
    told = 0.0

    def tell(event: Event) -> None:
        nonlocal told
        if event.action == "done" or time.monotonic() - told > _TOLD_EVERY_SECONDS:
            told = time.monotonic()
            how_far = f"{event.number} of {event.total}, {event.action} {event.seconds:.0f} s"
            say(f"image {event.name} ({how_far}) {event.detail}")

    build_all(cluster.registry, read_bases(), only or None, tell, plain_http=cluster.plain_http)


def put_platform(cluster: Cluster, platform: str = "development") -> None:
    """Installs the platform, with the images that were pushed last."""
    install(ROOT, Target(Kubectl(cluster.kubeconfig), pushed(), platform, modules=cluster.modules), say=say)


def pushed() -> dict[str, str]:
    """The images that were pushed last, each by digest."""
    path = ROOT / provider.STATE / "images.json"
    return {name: str(image) for name, image in read_json(path).items()} if path.exists() else {}


def up() -> None:
    """All of it."""
    cluster = bring_up()
    push_images(cluster)
    theirs = cluster.provider is Provider.GIVEN
    put_platform(cluster)
    print("\n".join(next_steps(cluster.kubeconfig if theirs else ROOT / provider.KUBECONFIG)))


def current() -> Cluster:
    """The cluster that is up, or the one that KUBECONFIG names.

    Raises:
        ConfigError: there is none.
    """
    found = provider.recorded(ROOT)
    if found is not None:
        return found
    if os.environ.get("KUBECONFIG"):
        return provider.given(os.environ)
    raise ConfigError(["cluster: none is up; run `make cluster`, or set KUBECONFIG"])


def status() -> None:
    """Nodes, and the platform's Deployments."""
    cluster = current()
    kubectl = Kubectl(cluster.kubeconfig)
    say(f"cluster: {cluster.provider}, {cluster.kubeconfig}, images in {cluster.registry or 'no known registry'}")
    sys.stdout.write(kubectl.run("get", "nodes"))
    sys.stdout.write(kubectl.run("get", "deployments,rollouts,workflows", "--all-namespaces"))


def main(arguments: Sequence[str]) -> int:
    """Runs one command."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "images", "install", "add", "status", "run"))
    parser.add_argument("names", nargs="*", help=f"images: which; add: of {', '.join(PARTS)}; run: a command")
    parser.add_argument(
        "--platform", default="development", choices=PLATFORMS, help="install: with a store and a forge?"
    )
    if arguments[:1] == ["run"]:  # what follows is the command's own, flags too
        options = parser.parse_args(["run"])
        options.names = list(arguments[1:])
    else:
        options = parser.parse_args(arguments)
    # the `source` provider's own kubectl and controllers' tools, where it has built any
    os.environ["PATH"] = f"{source_cluster.binaries()}{os.pathsep}{os.environ['PATH']}"
    try:
        if options.command == "run":
            return at_hand.run(Kubectl(current().kubeconfig), options.names)
        if options.names and options.command not in ("images", "add"):
            raise ConfigError([f"{options.command}: got {' '.join(options.names)}, takes no names"])
        if options.command == "images":
            push_images(current(), options.names)
        elif options.command == "install":
            put_platform(current(), options.platform)
        elif options.command == "add":
            cluster = current()
            for part in options.names:
                add(ROOT, Kubectl(cluster.kubeconfig), part, modules=cluster.modules, say=say)
        else:
            {"up": up, "down": take_down, "status": status}[options.command]()
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
