"""A mail server for tests: takes mail and says what it was told.

    smtp_server.py FOLDER [--tls none|starttls|implicit] [--user NAME --password WORD] [--refuse TEXT]

Prints one JSON line {"port", "ca"} when it listens, and one for each thing that it hears: {"heard": "connect" | "mail" |
"auth" | "message", …}. `ca` is the certificate, made in FOLDER, of the authority that its own is of. Recipients that hold
TEXT are refused for good. Ends when its standard input does.
"""

import argparse
import asyncio
import datetime
import email
import email.policy
import ipaddress
import json
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def say(line):
    print(json.dumps(line), flush=True)


def certificate(subject, key, issuer, issuer_key, is_authority):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def make_certificates(folder):
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate(name("test authority"), authority_key, name("test authority"), authority_key, True)
    own = certificate(name("localhost"), key, name("test authority"), authority_key, False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "own.pem").write_bytes(own.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own.key").write_bytes(private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return context


def decoded(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
    headers = [[name, str(value)] for name, value in message.items()]
    return {"headers": headers, "parts": parts, "defects": [str(defect) for defect in message.defects]}


class Handler:
    def __init__(self, refuse):
        self.refuse = refuse

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        say({"heard": "hello", "name": hostname, "tls": session.ssl is not None})
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        say({"heard": "mail", "from": address})
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuse and self.refuse in address:
            return f"550 5.1.1 <{address}>: no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        told = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None}
        raw = envelope.original_content.decode("utf-8", "replace")
        say({"heard": "message", **told, **decoded(envelope.original_content), "raw": raw})
        return "250 taken"


async def serve(options):
    context = None if options.tls == "none" else make_certificates(options.folder)

    def authenticate(server, session, envelope, mechanism, said):
        pair = (said.login.decode(), said.password.decode())
        say({"heard": "auth", "user": pair[0], "tls": session.ssl is not None})
        # Not handled: the server answers what there is to answer.
        return AuthResult(success=pair == (options.user, options.password), handled=False)

    def protocol():
        return SMTP(
            Handler(options.refuse),
            hostname="localhost",
            tls_context=context if options.tls == "starttls" else None,
            require_starttls=options.tls == "starttls",
            authenticator=authenticate if options.user else None,
            auth_required=bool(options.user),
            # Within implicit TLS it does not see that there is any.
            auth_require_tls=options.tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    wrapped = context if options.tls == "implicit" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=wrapped)
    say({"port": server.sockets[0].getsockname()[1], "ca": str(options.folder / "ca.pem")})
    await loop.run_in_executor(None, sys.stdin.read)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--refuse")
    asyncio.run(serve(parser.parse_args()))


main()
