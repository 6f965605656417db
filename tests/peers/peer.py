"""What the peers share: one JSON object in on standard input, one out on standard output."""

import json
import re
import sys
import time


def serve(*commands):
    """Calls the command that the request names in `do` with the rest of the request, and prints what it returns."""
    request = json.load(sys.stdin)
    by_name = {command.__name__: command for command in commands}
    reply = by_name[request.pop("do")](**request)
    json.dump(reply, sys.stdout)


def timed(work):
    """Runs `work`; gives its value and how many seconds it took."""
    begun = time.perf_counter()
    value = work()
    return value, time.perf_counter() - begun


def keys_of(descriptor):
    """The key expressions of a descriptor, without branch and wildcard, in their order."""
    return re.findall(r"(?:\[[0-9a-fh'/]+\])?t(?:pub|prv)\w+", descriptor)
