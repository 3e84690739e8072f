# abuse: a file that claims to be enormous, among those that are taken back
# language: python3
# outputs: *.bin
# expect: "event":\s*"end"
# machine: either
import os

for name in ("one.bin", "two.bin"):
    with open(name, "wb") as file:
        try:
            os.truncate(name, 1 << 24)
            file.seek(1 << 40)
            file.write(b"x")
        except OSError as error:
            print(error)
print("done")
