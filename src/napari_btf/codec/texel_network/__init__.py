"""The codecs abrdf-conv and mlp, which ask a network for every texel."""
