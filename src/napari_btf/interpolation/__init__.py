"""Interpolation of tables of values over light and view directions.

The modules here are independent of codecs; what a codec does with an interpolated table belongs
in `napari_btf.codec` or `napari_btf.baselines`.
"""
