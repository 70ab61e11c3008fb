# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quick start
#
# From photographs to a small model, and from the model to images that nobody took. The capture is
# the sample of the package: woven cloth, 64 × 64 texels (positions of the surface), under 81 lights
# from 7 views. Every fifth light is enough here.

# %%
import matplotlib.pyplot as plt

import napari_btf
from napari_btf.samples import open_sample

sample = open_sample()
btf = sample.select(sample.grid.light_of % 5 == 0)
btf.info()

# %% [markdown]
# `napari_btf.read("folder")` opens your own captures. An image is read when you look at it:

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), layout="constrained")
for axis, i in zip(axes, (0, 25, 60, 100), strict=True):
    axis.imshow(btf.frame(i))
    axis.set_title(f"observation {i}", fontsize=9)
    axis.axis("off")

# %% [markdown]
# ## Train
#
# By default a model takes 8 bytes for each texel and 64 KiB. Part of the training learns what the
# surface looks like between the captured lights; `seconds` shortens it. Ctrl-C, or *Interrupt*,
# would end the training and keep the best state so far.

# %%
model = napari_btf.train(btf, seconds=1)
model.report

# %% [markdown]
# ## Relight
#
# Light and view are pairs (theta, phi) in degrees: theta is measured from the surface normal, phi
# counter-clockwise from the right of the image.

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), layout="constrained")
for axis, phi in zip(axes, (0, 90, 180, 270), strict=True):
    axis.imshow(model.relight(light=(50, phi), view=(8, 30)))
    axis.set_title(f"light 50°, {phi}°", fontsize=9)
    axis.axis("off")

# %% [markdown]
# ## Save, load

# %%
path = model.save("cloth.safetensors")
again = napari_btf.load(path)
assert (again.relight((50, 90)) == model.relight((50, 90))).all()
print(f"{path.stat().st_size:,} bytes for {btf.nbytes:,} bytes of pixels")

# %%
plt.show()
