# abuse: an endless list
# language: python3
# expect: \[Memory limit\]|MemoryError
# machine: either
kept = []
while True:
    kept.append(bytes(1 << 20))
