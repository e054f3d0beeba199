"""Turn what was trained into files that predict: OpenVINO and ONNX graphs, ensembles.

In: Keras weights or finished bundles. Out: `models/export`, a bundle of several members.
"""
