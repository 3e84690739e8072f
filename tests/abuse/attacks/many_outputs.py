# abuse: more files, larger ones and stranger names than can be taken back
# language: python3
# outputs: **
# expect: "left-behind".*"event":\s*"end"
# machine: either
import os

for number in range(3000):
    open(f"file-{number:04}", "w").write("x" * 100)
with open("large", "wb") as file:
    file.write(b"x" * 20_000_000)
for name in (b"new\nline", b"\xff\xfe", b"-rf", b" ", b"*", b"n" * 255):
    try:
        open(name, "w").close()
    except OSError as error:
        print(name[:10], error.strerror)
print("made")
