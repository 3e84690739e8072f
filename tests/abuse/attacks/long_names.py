# abuse: names with newlines, of full length, and paths of 4 KiB
# language: python3
# expect: \Amade [1-9]\d*
# machine: kept
# then: ls -A | wc -l => \A1\Z
import os

made = 0
for name in ("a\nb", "\t", "'\"`$(id)", "-rf", "\x1b[31m", "x" * 255, "\u202egnp.exe", ";reboot"):
    open(name, "w").close()
    made += 1
for _ in range(15):
    os.mkdir("p" * 255)
    os.chdir("p" * 255)
    made += 1
try:
    os.mkdir("p" * 256)
except OSError:
    pass
print("made", made)
