"""A dataset on disk: Parquet files that survive kills, their report and their card."""
