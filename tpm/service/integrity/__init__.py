"""Whether this process is what the release key approved, and how it proves that to others.

integrity.py     its state: measured at the start, judged by the TPM, required before each use of a key
loaded.py        what runs in it and was not measured
drift.py         the measured files, watched
attestations.py  its evidence, bound into a quote of the TPM
"""
