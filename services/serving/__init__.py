"""The prediction server: one bundle, verified before it answers, behind HTTP. Run by `python -m services.serving`."""
