"""The rules, in groups by what they look at; `pipelines.lint.catalogue` lists them by number."""
