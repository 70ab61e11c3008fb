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
# # Choosing a budget
#
# You choose a model by its size (`bytes_per_texel`), by its quality (`target_psnr`), or by its
# number of latents. What does each of them cost, and what quality does it give under lights that
# were not photographed?

# %%
import matplotlib.pyplot as plt

import napari_btf
from napari_btf.samples import open_sample

sample = open_sample()
btf = sample.select((sample.grid.view_of == 0) & (sample.grid.light_of % 2 == 0))
print(f"{len(btf)} images, {btf.nbytes:,} bytes of pixels")

# %% [markdown]
# ## By size
#
# One of every five lights is held out of the training. Beside its bytes per texel, every model may
# take 64 KiB. This surface has only 4,096 texels, so these 64 KiB are most of the model. A real
# capture has a hundred times as many texels.

# %%
sizes = [1, 4, 16]
by_size = [
    napari_btf.train(btf, bytes_per_texel=size, hold_out_lights=5, seconds=1) for size in sizes
]
for size, model in zip(sizes, by_size, strict=True):
    report = model.report
    print(
        f"{size:>3} bytes per texel: {report['bytes_model']:>7,} bytes, "
        f"{report['latents']} latents, {report['psnr_train']:.1f} dB, "
        f"held out {report['psnr_held_out']:.1f} dB"
    )

# %% [markdown]
# ## By quality
#
# The smallest model that reaches a given PSNR on the lights it was trained on:

# %%
targets = [26, 30, 34]
by_quality = [
    napari_btf.train(btf, target_psnr=target, hold_out_lights=5, seconds=1) for target in targets
]
for target, model in zip(targets, by_quality, strict=True):
    report = model.report
    print(f"{target} dB: {report['bytes_model']:>7,} bytes, reached {report['psnr_train']:.1f} dB")

# %% [markdown]
# Lights that were trained on measure compression: they get better with every byte. Held-out lights
# measure generation: beyond some size, more bytes do not help, but more photographs do.

# %%
fig, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for name, style in (("psnr_train", "o-"), ("psnr_held_out", "s--")):
    reports = sorted((m.report for m in by_size + by_quality), key=lambda r: r["bytes_model"])
    axis.plot([r["bytes_model"] for r in reports], [r[name] for r in reports], style, label=name)
axis.set_xlabel("bytes of the model")
axis.set_ylabel("PSNR, dB")
axis.legend()

# %%
plt.show()
