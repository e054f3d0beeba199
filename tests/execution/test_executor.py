"""Engines, by hand: what comes back, in which order, and what is said when something is missing."""
