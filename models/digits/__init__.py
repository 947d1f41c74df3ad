"""The digits model: its declaration, gates, card and `fit`."""
