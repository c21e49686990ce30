"""Counts instructions under valgrind: shows what became slower, without a clock."""
