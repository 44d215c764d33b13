"""Bytes by content address: local blobs, CAR files, the IPFS daemon, and rows sealed for named readers."""
