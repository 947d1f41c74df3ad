"""What starts a training: a push that its forge signed, once, or the reconciler for one that nobody told."""

import hashlib
import hmac
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest

from pipelines.kube import WORKFLOW, Object
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.reaching import Ways
from tests.e2e.slow_training import another_penalty
from tests.e2e.waiting import NotYet, until
from tests.e2e.workflow_view import Workflow

_PUSH = "http://argo-server.argo.svc:2746/api/v1/events/delivery/push"
_BINDING = ("argoproj.io/v1alpha1", "WorkflowEventBinding")
# Every two minutes, and the seconds of its own pod.
_RECONCILED_SECONDS = 200


@pytest.mark.e2e
@pytest.mark.parametrize("way", ["unsigned", "signed by another", "signature of another body", "token of another"])
def test_an_event_that_nobody_known_sent_starts_nothing(cluster: Cluster, ways: Ways, forge: Forge, way: str) -> None:
    body = _event(forge.pull(), "refs/heads/main")
    before = _dispatches(cluster)
    headers = {
        "unsigned": {},
        "signed by another": {"X-Hub-Signature-256": _signed(body, "another")},
        "signature of another body": {"X-Hub-Signature-256": _signed(body + b" ", _secret(cluster))},
        # a forge whose payload is not quite GitHub's shows its account's token instead
        "token of another": {"Authorization": "Bearer " + "0" * 40},
    }[way]
    status = _deliver(ways, body, headers)
    assert 400 <= status < 500
    time.sleep(3)  # a signed one has its Workflow in less than one
    assert _dispatches(cluster) == before


@pytest.mark.full
def test_a_second_delivery_of_a_push_is_harmless(cluster: Cluster, ways: Ways, forge: Forge) -> None:
    branch = f"story/twice-{int(time.time())}"
    commit = _changed(forge, branch)
    forge.push(branch)
    name = f"iris-{commit[:12]}-report"
    first = Workflow(cluster, "training", name)
    first.wait_first_process(seconds=90)
    uid = _uid(cluster, name)
    before = _dispatches(cluster)
    body = _event(commit, f"refs/heads/{branch}")
    assert _deliver(ways, body, {"X-Hub-Signature-256": _signed(body, _secret(cluster))}) == 200
    again = until("the second dispatch", lambda: _one_more(cluster, before), seconds=30)
    Workflow(cluster, "delivery", again).wait_succeeded(seconds=120)
    assert _uid(cluster, name) == uid
    first.wait_succeeded(seconds=300)
    assert not [each for each in forge.pull_requests() if commit[:12] in each.body], "a branch's model is not proposed"


@pytest.mark.full
def test_two_quick_pushes_train_one_after_the_other_and_the_later_is_proposed(cluster: Cluster, forge: Forge) -> None:
    commits = []
    for _ in range(2):
        commits.append(_changed(forge, "main"))
        forge.push()
    trained = [Workflow(cluster, "training", f"iris-{commit[:12]}").wait_succeeded(seconds=420) for commit in commits]
    ended, began = trained[0]["status"]["finishedAt"], _first_node(trained[1])
    assert ended <= began, "one training of a model at a time, in the order of history"

    def newest() -> None:
        forge.pull()
        told = [each.branch for each in forge.pull_requests() if each.branch.startswith("propose/staging/iris/")]
        text = forge.git("show", f"origin/{told[0]}:kustomize/overlays/staging/iris/release.yaml") if told else ""
        if len(told) != 1 or commits[1] not in text:
            raise NotYet(f"open are {told}")

    until("one proposal, of the later commit", newest, seconds=60)


@pytest.mark.full
def test_a_push_that_no_webhook_told_is_trained(cluster: Cluster, forge: Forge, figures: Figures) -> None:
    push = cluster.kube.get(_BINDING, "push", "delivery")
    assert push is not None
    selector = push["spec"]["event"]["selector"]
    _select(cluster, "false")
    try:
        commit = _changed(forge, "main")
        pushed = forge.push()
        workflow = Workflow(cluster, "training", f"iris-{commit[:12]}")
        workflow.wait_first_process(seconds=_RECONCILED_SECONDS)
        figures.note("lost webhook", "push_to_first_process_seconds", time.time() - pushed)
    finally:
        _select(cluster, selector)
    workflow.wait_succeeded(seconds=300)


def _first_node(workflow: Object) -> str:
    """When its first step began."""
    nodes = workflow["status"]["nodes"].values()
    return min(str(each["startedAt"]) for each in nodes if each["type"] == "Pod")


def _changed(forge: Forge, branch: str) -> str:
    """Commits a change of iris that its training sees."""
    return forge.commit("iris: another penalty", another_penalty(forge), branch=branch)


def _event(commit: str, ref: str) -> bytes:
    """As GitHub says it, where its types matter to who verifies it."""
    repository = {"id": 1, "full_name": "mainline/mainline", "private": True, "created_at": 1, "pushed_at": 2}
    event = {"ref": ref, "before": "0" * 40, "after": commit, "deleted": False, "repository": repository}
    return json.dumps(event).encode()


def _secret(cluster: Cluster) -> str:
    told = cluster.secret("delivery", "argo-workflows-webhook-clients")["github-webhook"]
    return str(json.loads(told)["secret"])


def _signed(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _deliver(ways: Ways, body: bytes, proof: Mapping[str, str]) -> int:
    """The status with which Argo's server takes an event."""
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", **proof}
    url = ways.to(_PUSH).replace("http://", "https://")
    request = urllib.request.Request(url, body, headers, method="POST")
    own = ssl.create_default_context()  # its certificate is one that it made itself
    own.check_hostname, own.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=30, context=own) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as err:
        with err:
            return err.code


def _dispatches(cluster: Cluster) -> set[str]:
    found = cluster.kube.list(WORKFLOW, "delivery", labels="workflows.argoproj.io/workflow-event-binding=push")
    return {str(each["metadata"]["name"]) for each in found}


def _one_more(cluster: Cluster, before: set[str]) -> str:
    more = _dispatches(cluster) - before
    if not more:
        raise NotYet("none yet")
    return more.pop()


def _uid(cluster: Cluster, name: str) -> str:
    found = cluster.kube.get(WORKFLOW, name, "training")
    assert found is not None
    return str(found["metadata"]["uid"])


def _select(cluster: Cluster, selector: str) -> None:
    cluster.kube.merge(_BINDING, "push", "delivery", {"spec": {"event": {"selector": selector}}})
