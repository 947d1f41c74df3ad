"""What the rehearsal does not play, named."""

from models.errors import ConfigError


class Unsupported(ConfigError):  # noqa: N818  (what it is)
    """The Rollout or an AnalysisTemplate uses what the rehearsal does not cover; a cluster may well take it."""
