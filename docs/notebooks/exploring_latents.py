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
# # Exploring latents
#
# Latents are the few numbers that a model keeps of each texel. Texels with similar latents reflect
# light in a similar way. So the latents show how a surface is organised: here the cloth, its
# printed disc, a foil ring and a lacquer band.

# %%
import matplotlib.pyplot as plt
import numpy as np

import napari_btf
from napari_btf.samples import open_sample
from napari_btf.texels.coordinates import write_coordinates

sample = open_sample()
btf = sample.select((sample.grid.view_of == 0) & (sample.grid.light_of % 2 == 0))
model = napari_btf.train(btf, latents=14)
latents = model.latent_map
latents.shape

# %% [markdown]
# ## The latent map
#
# These latents are principal components, in the order of the variance they explain.

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for k, axis in enumerate(axes):
    axis.imshow(latents[:, :, k], cmap="gray")
    axis.set_title(f"latent {k}", fontsize=9)
    axis.axis("off")

# %% [markdown]
# ## In the plane
#
# t-SNE places texels with similar latents near to one another. Here it places one of every nine
# texels, each drawn in its mean colour.

# %%
coords = np.argwhere(np.ones((model.height, model.width)))
coords = coords[(coords % 3 == 0).all(axis=1)]
points = napari_btf.embed(model, coords=coords)
mean = np.mean(list(btf.iter_frames()), axis=0) / 255
colours = mean[coords[:, 0], coords[:, 1]]

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
left.imshow(mean)
left.axis("off")
right.scatter(*points.T, c=colours, s=14)
right.set_aspect("equal")

# %% [markdown]
# ## From the latents to a region
#
# The printed disc is redder than the cloth. The texels whose latents are near to the mean of the
# reddest texels make a region. A training can learn from this region alone, and *Select texels* in
# napari can load it.

# %%
redness = mean[:, :, 0] - mean[:, :, 1:].mean(axis=2)
seed = redness > np.quantile(redness, 0.97)
spread = latents.std(axis=(0, 1))
distance = np.linalg.norm((latents - latents[seed].mean(axis=0)) / spread, axis=2)
region = distance < np.quantile(distance, 0.15)
write_coordinates("disc.csv", np.argwhere(region))

disc = napari_btf.train(btf, latents=8, texels=region)
print(disc.report["texels_trained"], "texels,", f"{disc.report['psnr_train']:.1f} dB everywhere")

fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
left.imshow(region, cmap="gray")
left.set_title("region", fontsize=9)
right.imshow(disc.relight((50, 120)))
right.set_title("learned from the region alone", fontsize=9)
for axis in (left, right):
    axis.axis("off")

# %%
plt.show()
