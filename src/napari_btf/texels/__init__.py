"""Texels of a BTF: how to choose them for training, and how to read and describe single ones.

Everything here is independent of codecs (`napari_btf.codec`) and of the viewer
(`napari_btf.plugin`).
"""
