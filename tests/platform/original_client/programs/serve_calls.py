# SPDX-License-Identifier: Apache-2.0
"""Runs in the environment of the published client: a JSON line for each call and each answer."""

import contextlib
import importlib
import json
import os
import sys

import connections


def main() -> None:
    connections.ADDRESS = sys.argv[1]
    # What the client prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        module, name, arguments, fields = json.loads(line)
        try:
            call = getattr(importlib.import_module(module), name)
            answer = {"value": call(*arguments, **fields)}
        except Exception as error:
            answer = {"error": f"{error}" if type(error) is Exception else repr(error)}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), file=answers, flush=True)


main()
