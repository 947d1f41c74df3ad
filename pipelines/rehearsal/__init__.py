"""A rollout played here: the built overlay's own Rollout and AnalysisTemplates, before anybody merges."""
