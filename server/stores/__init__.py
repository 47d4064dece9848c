"""Stores, which keep the lines and cursors of clients. The contract is in server/core/store.py.

Under MicroPython there are `memory` and `default`; all else needs CPython.
"""
