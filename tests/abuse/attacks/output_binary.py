# abuse: prints every byte there is, and what terminals take for orders
# language: python3
# expect: <esc>\[2J.*end\Z
# machine: kept
import os

os.write(1, b"\x1b[2J\x1b]0;title\x07" + bytes(range(256)) * 16 + b"\xff\xfe\xed\xa0\x80\xf4\x90\x80\x80 end\n")
