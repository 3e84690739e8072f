# SPDX-License-Identifier: MIT
"""The code in docs/plugins is what `pbotvm plugin new` writes, to the letter; and each guide names what there is."""

import os
import pathlib
import re
import subprocess

from pbotvm_testing import TOP, Folder, clean_environment, main, program

EXAMPLES = {"language": "calc", "transport": "pipe", "hypervisor": "command"}
GUIDES = pathlib.Path(TOP, "docs", "plugins")
HEADERS = pathlib.Path(TOP, "core", "include", "pbotvm")


def blocks(page):
    """The files that a page shows: `NAME`: and a fenced block."""
    return dict(re.findall(r"(?s)\n`([a-zA-Z_]+\.[a-z]+)`:\n\n```[a-z]+\n(.*?)```", page))


class Guides(Folder):
    def test_show_the_templates_to_the_letter(self):
        for kind, name in EXAMPLES.items():
            with self.subTest(kind):
                project = pathlib.Path(self.folder, name)
                subprocess.run([program("pbotvm"), "plugin", "new", kind, name, "--directory", project], check=True, timeout=60,
                               stdout=subprocess.DEVNULL, env=clean_environment())
                shown = blocks((GUIDES / f"{kind}.md").read_text())
                self.assertEqual(sorted(shown), ["CMakeLists.txt", "plugin.cpp"])
                for file, text in shown.items():
                    self.assertEqual(text, (project / file).read_text(), f"{kind}.md: {file}")

    def test_name_every_method_of_their_interface(self):
        for kind in EXAMPLES:
            header = (HEADERS / f"{kind}.h").read_text()
            [body] = re.findall(rf"(?s)class PBOTVM_EXPORT {kind.capitalize()} {{(.*?)\n}};", header)
            page = (GUIDES / f"{kind}.md").read_text()
            for method in re.findall(r"virtual [^~(]*?\b(\w+)\(", body):
                self.assertIn(method, page, f"{kind}.md does not tell of {method}()")

    def test_links_lead_somewhere(self):
        for page in GUIDES.glob("*.md"):
            for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
                self.assertTrue(os.path.exists(GUIDES / link), f"{page.name}: {link}")

    def test_the_table_of_minors_ends_with_todays(self):
        [minor] = re.findall(r"#define PBOTVM_ABI_MINOR (\d+)", (HEADERS / "abi.h").read_text())
        rows = re.findall(r"(?m)^\| (\d+) \|", (GUIDES / "README.md").read_text())
        self.assertEqual(rows, [str(i) for i in range(int(minor) + 1)])


if __name__ == "__main__":
    main()
