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
# # Comparing codecs
#
# This notebook trains four codecs for some seconds each on the same images, and compares them with
# classical codecs of the same size. Longer trainings change the order: the page on codecs has
# their results.

# %%
import matplotlib.pyplot as plt

import napari_btf
from napari_btf.evaluate import evaluate
from napari_btf.samples import open_sample

sample = open_sample()
btf = sample.select(sample.grid.light_of % 5 == 0)

# %%
options = {
    "neural-basis": {"latents": 12},
    "parallax": {"latents": 12, "seconds": 4},
    "mlp": {"latents": 9, "seconds": 2},
    "abrdf-conv": {"epochs": 1, "pixels": 300},
}
models = {
    codec: napari_btf.train(btf, codec=codec, hold_out_lights=5, **chosen)
    for codec, chosen in options.items()
}
for codec, model in models.items():
    report = model.report
    print(
        f"{codec:<14}{report['bytes_model']:>9,} bytes  {report['psnr_train']:.1f} dB, "
        f"held out {report['psnr_held_out']:.1f} dB, {report['seconds']:.0f} s"
    )

# %% [markdown]
# ## The same light
#
# A photograph, and the image of each codec under the same light and view:

# %%
i = 60
light, view = btf.light[i], btf.view[i]
fig, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")
axes[0].imshow(btf.frame(i))
axes[0].set_title("photograph", fontsize=9)
for axis, (codec, model) in zip(axes[1:], models.items(), strict=True):
    axis.imshow(model.decode(light, view))
    axis.set_title(codec, fontsize=9)
for axis in axes:
    axis.axis("off")

# %% [markdown]
# ## Next to classical codecs
#
# `evaluate` fits classical codecs to the directions that the model was trained on, and allows them
# the size of the model: PCA, and photographs that are interpolated in several ways.
# `napari_btf.run` runs a generator of progress reports and shows a bar.

# %%
frontal = btf.select(btf.grid.view_of == 0)
model = napari_btf.train(frontal, latents=12, hold_out_lights=5)
found = napari_btf.run(evaluate(model, frontal))
figures = found.summary()
print(f"{'this model':<40} {figures['psnr_seen']:.1f} dB, unseen {figures['psnr_unseen']:.1f} dB")
for baseline in figures["baselines"]:
    if baseline["psnr_unseen"] is not None:
        seen, unseen = baseline["psnr_seen"], baseline["psnr_unseen"]
        shown = "exact" if seen is None else f"{seen:.1f} dB"
        print(f"{baseline['name']:<40} {shown}, unseen {unseen:.1f} dB")

# %%
plt.show()
