"""What the docks of one viewer share: the workspace, its layers, and what they have in common.

Nothing here is a dock. Views that know neither captures nor models belong in
`napari_btf.plugin.widgets`.
"""
