"""Stubs of the public API `argus.v1`, generated from `proto/argus/v1`."""
