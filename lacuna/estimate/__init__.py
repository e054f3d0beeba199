"""What a number of images will cost on this machine, stage by stage: rates measured in seconds, then extrapolated.

In: params.yaml and a number of images. Out: processor time, memory, disk and what is read, as a table. Nothing is kept.
"""
