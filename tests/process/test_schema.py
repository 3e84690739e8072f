# SPDX-License-Identifier: MIT
"""The JSON schema of the settings, for editors: made from the program's own table, and true to what it accepts."""

import json
import re
import subprocess
import unittest

from pbotvm_testing import TOP, clean_environment, main, program

try:
    import jsonschema
    import yaml
except ImportError as missing:  # another interpreter than the system's
    jsonschema, why = None, str(missing)
else:
    why = ""

SHIPPED = TOP / "etc" / "pbotvm.schema.json"


class Schema(unittest.TestCase):
    def test_the_shipped_one_is_what_the_program_prints(self):
        done = subprocess.run([program("pbotvm-host"), "--print-schema"], capture_output=True, text=True, check=True,
                              timeout=60, env=clean_environment())
        self.assertEqual(done.stdout, SHIPPED.read_text(),
                         "make it anew: build/bin/pbotvm-host --print-schema >etc/pbotvm.schema.json")

    @unittest.skipIf(jsonschema is None, why)
    def test_it_is_a_schema(self):
        jsonschema.Draft7Validator.check_schema(json.loads(SHIPPED.read_text()))

    def mistakes(self, text):
        validator = jsonschema.Draft7Validator(json.loads(SHIPPED.read_text()))
        return [error.message for error in validator.iter_errors(yaml.safe_load(text))]

    @unittest.skipIf(jsonschema is None, why)
    def test_the_shipped_configuration_is_valid_by_it_with_every_setting_switched_on(self):
        lines = (TOP / "etc" / "pbotvm.yaml").read_text().splitlines()
        text = "\n".join(re.sub("^#", "", line) for line in lines if not line.startswith("##"))
        settings = yaml.safe_load(text)
        self.assertGreater(len(settings["host"]), 10)
        self.assertGreater(len(settings["machines"]["pbot-vm"]), 10)
        self.assertEqual(self.mistakes(text), [])

    @unittest.skipIf(jsonschema is None, why)
    def test_it_knows_what_is_right_and_what_is_not(self):
        for text in ("host: {output_limit: 4096, plugins: /a, log_level: debug}", "host:", "machines: {a: }",
                     "machines: {a: {hypervisor: none, serial: 0, heart: 'unix:/x', slots: 4, revert: never}}",
                     "machines: {a: {hypervisor: {plugin: qemu, memory: 1 GiB}, transports: [serial, {plugin: vsock}]}}"):
            self.assertEqual(self.mistakes(text), [], text)
        for text in ("host: {timeot: 5}", "host: {server: 70000}", "host: {timeout: soon}", "host: {log_level: loud}",
                     "host: {output_limit: 5 KB}", "machines: {a: {revert: sometimes}}", "machines: {.a: {}}", "hots: {}",
                     "machines: {a: {transports: [{port: 1}]}}", "machines: {a: {network: maybe}}", "[]"):
            self.assertNotEqual(self.mistakes(text), [], text)


if __name__ == "__main__":
    main()
