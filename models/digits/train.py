"""A small convolutional network on 8 x 8 images, on a GPU where there is one; a killed training is resumed.

torch is imported in `fit` alone: reading this module, or serving the model, needs none.
"""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import torch

SIDE = 8  # pixels
INK = 16.0  # the largest value of a pixel
CLASSES = tuple("0123456789")


class State(Protocol):
    """Where the state of the training is kept, under this training's own key."""

    def load(self) -> bytes | None:
        """The state last saved, or None."""

    def save(self, state: bytes) -> None:
        """Replaces the state."""


def fit(table: pd.DataFrame, parameters: Mapping[str, object], checkpoint: State | None = None) -> "torch.nn.Module":
    """A module from rows (n, 64) float32 to logits (n, 10), on the CPU, in evaluation mode.

    Killed and started again with the same table, parameters and checkpoint it ends with the weights of a training that
    was not interrupted, on the same kind of device: an epoch's order of rows follows from the seed and its number.

    Args:
        table: (n, 65) pixels, 0 to 16, and `label`.
        parameters: `epochs`, `batch` (rows), `learning_rate` (peak), `channels`, `checkpoint_every` (epochs), `seed`.
        checkpoint: where the state is kept; None keeps none.
    """
    import torch

    number = {name: float(str(value)) for name, value in parameters.items()}
    epochs, seed, batch = int(number["epochs"]), int(number["seed"]), int(number["batch"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        print("warning: torch sees no GPU on this node: training on the CPU, slower, to the same end", flush=True)
    rows = torch.from_numpy(table.drop(columns="label").to_numpy(dtype="float32", copy=True)).to(device)  # (n, 64)
    labels = np.array([CLASSES.index(str(label)) for label in table["label"]], dtype=np.int64)
    wanted = torch.from_numpy(labels).to(device)  # (n,)
    with torch.random.fork_rng():  # the caller's stream of random numbers is not ours to set
        torch.manual_seed(seed)
        net = network(int(number["channels"])).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=number["learning_rate"], weight_decay=0.01)
    steps = epochs * -(-len(rows) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, number["learning_rate"], total_steps=max(steps, 1))
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    done = _resume(parts, checkpoint)
    net.train()
    for epoch in range(done, epochs):
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed * 100_003 + epoch)).to(device)
        for at in order.split(batch):  # type: ignore[no-untyped-call]
            loss = torch.nn.functional.cross_entropy(net(rows[at]), wanted[at])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        last = epoch + 1 == epochs
        if checkpoint is not None and (last or (epoch + 1) % int(number["checkpoint_every"]) == 0):
            _save(parts, checkpoint, done=epoch + 1)
        print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.4f} on {device.type}", flush=True)
    return net.to("cpu").eval()


def network(channels: int) -> "torch.nn.Module":
    """Two convolutions and a linear head: (n, 64) pixels to (n, 10) logits, float32, unnormalised."""
    import torch

    class Digits(torch.nn.Module):  # in here because its base is torch's
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(1, channels, kernel_size=3, padding=1),
                torch.nn.ReLU(),
                torch.nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1),
                torch.nn.ReLU(),
                torch.nn.MaxPool2d(2),  # (n, 2 channels, 4, 4)
                torch.nn.Flatten(),
                torch.nn.Linear(2 * channels * (SIDE // 2) ** 2, len(CLASSES)),
            )

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            images = rows.reshape(-1, 1, SIDE, SIDE) / (INK / 2) - 1  # (n, 1, 8, 8), in [-1, 1]
            logits: torch.Tensor = self.layers(images)  # (n, 10)
            return logits

    return Digits()


def _resume(parts: Mapping[str, Any], checkpoint: State | None) -> int:
    """Epochs that are already done, after `parts` took the state that was saved."""
    import torch

    saved = checkpoint.load() if checkpoint is not None else None
    if saved is None:
        return 0
    state = torch.load(io.BytesIO(saved), map_location="cpu", weights_only=True)  # a checkpoint runs no code
    for name, part in parts.items():
        part.load_state_dict(state[name])
    print(f"resumed after epoch {state['done']}", flush=True)
    return int(state["done"])


def _save(parts: Mapping[str, Any], checkpoint: State, *, done: int) -> None:
    import torch

    held = io.BytesIO()
    torch.save({**{name: part.state_dict() for name, part in parts.items()}, "done": done}, held)
    checkpoint.save(held.getvalue())
