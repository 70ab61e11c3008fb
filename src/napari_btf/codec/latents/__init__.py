"""Latents in memory and in files."""
