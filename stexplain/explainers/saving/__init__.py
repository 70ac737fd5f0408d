"""Explanations in files: netCDF, zarr and npz hold all of one and can be read again; CSV and Parquet are tables."""
