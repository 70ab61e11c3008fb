"""Latents in memory and in files.

How latents are trained belongs in the folders of the codecs.
"""
