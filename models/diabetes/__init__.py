"""The diabetes model: its declaration, gates, card and `fit`."""
