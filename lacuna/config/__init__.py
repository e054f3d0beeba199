"""params.yaml: a model per block, reading with errors that name the key, presets, the space that tuning searches.

In: params.yaml. Out: a frozen, validated `Params`.
"""
