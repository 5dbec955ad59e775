"""Many files: a manifest says what is to be done, and each shard of it is a folder that any worker may fill.

A shard depends on the manifest and its own number only, is written beside its place and renamed, and so may be made
twice, anywhere, in any order. Tables and pages are collected from the shards.

manifest.json       files, settings, network, versions
shards/00000/       rows.json, and of each file draws (NetCDF) and a picture (SVG)
cells.parquet, cells.csv, index.html
"""
