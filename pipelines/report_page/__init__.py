"""The parts of the demo's report: input, charts, sections and style. `pipelines.report` puts them together."""
