"""The codecs abrdf-conv and mlp, which evaluate a network for every texel.

They are there for comparison with the other codecs.
"""
