"""The iris model: its declaration, gates, card and `fit`."""
