"""The neural-basis codec: a colour is a weighted sum of basis functions of the directions.

The latents are the weights. Interpolation over directions, which knows no codec, belongs in
`napari_btf.interpolation`.
"""
