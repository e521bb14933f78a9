"""Checks a resource with REDbot, and writes to stdout as JSON the ids of its notes.

python notes.py URL
"""

import json
import random
import sys
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource


def ids(resource):
    responses = {"response": resource.response}
    responses.update({name: check.response for name, check in resource.subreqs.items()})
    noted = {
        f"{name} {type(note).__name__}"
        for name, response in responses.items()
        for note in response.notes
    }
    return sorted(noted)


def main():
    # One of the checks requests a random range.
    random.seed(1)
    parser = ConfigParser()
    parser.read_dict({"redbot": {"enable_local_access": "True"}})
    resource = HttpResource(parser["redbot"])
    resource.set_request(sys.argv[1])
    thor.events.on(resource, "check_done")(thor.stop)
    resource.check()
    thor.run()
    json.dump(ids(resource), sys.stdout, indent=1)


main()
