"""Lights and environments of *Relight*."""
