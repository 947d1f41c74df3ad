"""Rollouts simulated against the gates: what is promoted, what is stopped, and how soon."""
