"""The resource classes that model.yaml may name; one template each, since container quantities cannot be parameters."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ResourceClass:
    """What the training container of one class gets, and where it may run.

    Attributes:
        cpu: requested processors; there is no limit on them, since an idle processor is free to take.
        memory: requested and limit alike, so that a training never dies of a neighbour's growth.
        gpus: graphics processors; a whole number, 0 for none.
        deadline_seconds: when one try is given up.
        node_selector: labels of the nodes that it runs on.
        taint: key of the taint that it tolerates; empty for none.
    """

    name: str
    cpu: str
    memory: str
    gpus: int = 0
    deadline_seconds: int
    node_selector: dict[str, str] = field(default_factory=dict)
    taint: str = ""


CLASSES = (
    # tables of some thousand rows train in seconds; ten minutes leave room for a slow pull of the image
    ResourceClass(name="small", cpu="1", memory="2Gi", deadline_seconds=600),
    # tables that fill memory: four processors are what gradient boosting uses well
    ResourceClass(name="large", cpu="4", memory="16Gi", deadline_seconds=7200),
    # networks: one GPU, and the processors that feed it; four hours, and checkpoints bridge what a spot node takes away
    ResourceClass(
        name="gpu",
        cpu="4",
        memory="16Gi",
        gpus=1,
        deadline_seconds=14400,
        node_selector={"nvidia.com/gpu.present": "true"},
        taint="nvidia.com/gpu",
    ),
)

# A worker of a batch prediction: one thread of the graph, and batches of some 10 MB whatever the file's size. Two hours
# are 700 million rows of a linear model; a try that is given up has kept every file that it finished.
BATCH = ResourceClass(name="batch", cpu="500m", memory="1Gi", deadline_seconds=7200)

# What every other step gets: they read a table, predict some thousand rows, or talk to a server.
STEP_CPU = "500m"
STEP_MEMORY = "2Gi"
STEP_DEADLINE_SECONDS = 900
