"""Tokens that no verifier may believe: each is good but for one thing, by which verifiers were fooled before."""

import hashlib
import hmac
import time

from .identity_provider import IdentityProvider, SigningKey, part

# Someone else's key, under the name of one that is known.
STRANGER = SigningKey.make("first-RS256", "RS256")


def unsigned(key: SigningKey, claims: dict, algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': key.kid})}.{part(claims)}."


def signed_with_public_key(key: SigningKey, claims: dict) -> str:
    """The public key taken for a shared secret: who believes the header's `alg` accepts it."""
    said = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{part(claims)}"
    return f"{said}.{part(hmac.digest(key.public_pem(), said.encode(), hashlib.sha256))}"


def exchanged(token: str, claims: dict) -> str:
    """The signature of a good token under other claims."""
    header, _, signature = token.split(".")
    return f"{header}.{part(claims)}.{signature}"


def forged(idp: IdentityProvider, account: str) -> dict[str, str]:
    """All of them, by what is wrong, where a good one would be of this account."""
    now = int(time.time())
    honest = idp.claims(account)

    def claims(**changes: object) -> str:
        return idp.token(account, **changes)

    def header(**changes: object) -> str:
        return idp.token(account, header=changes)

    return {
        "no signature": unsigned(idp.keys["RS256"], honest, "none"),
        "no signature, in other letters": unsigned(idp.keys["RS256"], honest, "nOnE"),
        "a signature cut off": claims().rpartition(".")[0] + ".",
        "the public key as a shared secret": signed_with_public_key(idp.keys["RS256"], honest),
        "another's key under a known name": STRANGER.sign(honest),
        "another's key under no name": STRANGER.sign(honest, kid=None),
        "another's key, brought along": STRANGER.sign(honest, jwk=STRANGER.jwk()),
        "another's key, at the bearer's URL": STRANGER.sign(honest, jku=f"{idp.issuer}/evil"),
        "another's certificate, at the bearer's URL": STRANGER.sign(honest, x5u=f"{idp.issuer}/evil"),
        "claims exchanged after signing": exchanged(claims(), idp.claims(account, sub="eve")),
        "an unknown key": header(kid="unknown"),
        "a key named by a path": header(kid="../../../../dev/null"),
        "a key named by SQL": header(kid="x' UNION SELECT 'first-RS256"),
        "a key named by a URL": header(kid=f"{idp.issuer}/evil"),
        "a key of another algorithm": header(kid="first-ES256"),
        "an algorithm that is not allowed": header(alg="RS512"),
        "a header that must be understood": header(crit=["b64"], b64=False),
        "expired": claims(iat=now - 900, exp=now - 600),
        "not valid yet": claims(nbf=now + 3600),
        "made in the far future": claims(iat=now + 10**8, exp=now + 2 * 10**8),
        "without an end": claims(exp=None),
        "an end that is no number": claims(exp="tomorrow"),
        "for another audience": claims(aud="other"),
        "for an audience that begins alike": claims(aud="peerway.evil.example"),
        "for no audience": claims(aud=None),
        "from another issuer": claims(iss="http://127.0.0.1:1"),
        "from an issuer that begins alike": claims(iss=f"{idp.issuer}.evil.example"),
        "from no issuer": claims(iss=None),
        "of nobody": claims(sub=None),
        "garbage": "eyJhbGciOiJSUzI1NiJ9.garbage.garbage",
        "dots": "..",
        "five parts": claims() + ".a.b",
        "a header that is a list": f"{part(b'[1]')}.{part(honest)}.{part(b'x')}",
        "claims nested deep": f"{part({'alg': 'RS256'})}.{part(b'[' * 5000)}.{part(b'x')}",
    }
