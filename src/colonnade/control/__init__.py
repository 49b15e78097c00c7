"""Joins what decides and what does: observe, plan, apply, look."""
