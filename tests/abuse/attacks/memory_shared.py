# abuse: fills /dev/shm
# language: python3
# expect: \[Memory limit\]|No space|File too large
# machine: either
# never: survived
# then: ls -A /dev/shm | wc -l => \A0\Z
block = b"x" * (1 << 20)
for number in range(100):
    with open(f"/dev/shm/{number}", "wb") as file:
        for _ in range(30):
            file.write(block)
print("survived")
