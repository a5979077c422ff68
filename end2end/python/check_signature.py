"""Checks a webhook's signature as a receiver would, with Python's own library.

in: {"secret", "id", "timestamp", "body", "signature"}; out: whether it is right
"""

import base64
import hashlib
import hmac

from journey_rows import print_output, read_input


def main():
    told = read_input()
    signed = f"{told['id']}.{told['timestamp']}.{told['body']}".encode()
    made = hmac.new(told["secret"].encode(), signed, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(made).decode()
    print_output(hmac.compare_digest(wanted, told["signature"]))


main()
