"""The work of a training: plain functions, each with a thin `python -m pipelines.steps.<name>` around it."""
