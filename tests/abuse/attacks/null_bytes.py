# abuse: hides behind bytes that end a text in C
# language: python3
# expect: before\\x00.*after\Z
# machine: kept
import os

os.write(1, b"before\x00\x00\x00\x7f\x08\x08after\n")
