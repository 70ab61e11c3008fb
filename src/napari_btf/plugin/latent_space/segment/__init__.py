"""Segmentation of the surface into materials."""
