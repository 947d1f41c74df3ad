"""Rules on job metrics."""

import re
from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.rules.limits import hit

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def _without_deadline(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        job = metric.node.at("provider", "job", "spec")
        if metric.provider != "job" or job.at("activeDeadlineSeconds"):
            continue
        if not job.at("template", "spec", "activeDeadlineSeconds"):
            yield hit(metric, "provider.job.spec", "no activeDeadlineSeconds: a job that hangs, hangs the step")


def _unpinned(world: Manifests) -> Iterator[Hit]:
    for metric in world.metrics:
        pod = metric.node.at("provider", "job", "spec", "template", "spec")
        for container in [*pod.at("initContainers").items, *pod.at("containers").items]:
            node = container.at("image")
            image = metric.text("image") if not node else node.text
            if not image or "{{" in image or _DIGEST.search(image):
                continue
            tag = image.rpartition("/")[2].partition(":")[2]
            moving = tag in ("", "latest", "stable", "main", "master")
            message = f"image {image} can change between two rollouts"
            yield Hit(
                file=metric.template.file,
                node=node,
                subject=metric.subject,
                message=message,
                severity=None if moving else Severity.NOTE,
            )


RULES = (
    Rule(
        number="ML017",
        name="job without deadline",
        severity=Severity.WARNING,
        reason="A job that waits (for a node, a lock, an answer) is measured for ever.",
        remedy="activeDeadlineSeconds in the job's spec",
        explain="""\
The measurement ends when the Job is complete or failed (metricproviders/job/job.go). A pod that cannot be scheduled is
neither. In the background such a metric ends as Inconclusive without effect when the rollout is over. A deadline in the
pod's spec counts too.""",
        check=_without_deadline,
    ),
    Rule(
        number="ML018",
        name="job image not pinned",
        severity=Severity.WARNING,
        reason="The judge changes without a commit; up to Rollouts 1.9 an image that cannot be pulled was a pass.",
        remedy="image: name@sha256:...",
        explain="""\
A warning for no tag, latest and other moving tags; a note for any other tag, which a registry may move as well. From
1.10 an image that cannot be pulled makes the measurement Inconclusive (metricproviders/job/job.go); before, the job ran
until the rollout ended and was then a success. Not reported: an image that is an argument.""",
        check=_unpinned,
    ),
)
