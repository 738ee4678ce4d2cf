# SPDX-License-Identifier: MIT
import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt


def digest(data):
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(data)
    return hasher.finalize().hex()


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime.datetime(2024, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, begin, begin + datetime.timedelta(days=9))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(key, None).public_bytes(serialization.Encoding.PEM)
    loaded = x509.load_pem_x509_certificate(pem)
    loaded.verify_directly_issued_by(loaded)
    return loaded.subject.rfc4514_string(), loaded.extensions[0].value.get_values_for_type(x509.DNSName), digest(pem)


def refused(error, function, *args):
    try:
        function(*args)
    except error:
        return True
    return False


def smoke():
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signature = key.sign(b"message")
    encryptor = Cipher(algorithms.AES(bytes(16)), modes.CTR(bytes(16))).encryptor()
    sealed = AESGCM(bytes(32)).encrypt(bytes(12), b"secret", b"associated")
    code = hmac.HMAC(b"key", hashes.SHA512())
    code.update(b"message")
    curve = ec.derive_private_key(12345, ec.SECP256R1())
    signed = curve.sign(b"message", ec.ECDSA(hashes.SHA256()))
    curve.public_key().verify(signed, b"message", ec.ECDSA(hashes.SHA256()))
    big = rsa.generate_private_key(65537, 2048)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    exchange = [x25519.X25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in (1, 2)]
    fernet = Fernet(Fernet.generate_key())
    return {
        "digest": digest(b"message"),
        "signature": signature.hex(),
        "forged": refused(InvalidSignature, key.public_key().verify, signature, b"another"),
        "ctr": (encryptor.update(b"0123456789") + encryptor.finalize()).hex(),
        "sealed": sealed.hex(),
        "opened": AESGCM(bytes(32)).decrypt(bytes(12), sealed, b"associated"),
        "tampered": refused(InvalidTag, AESGCM(bytes(32)).decrypt, bytes(12), sealed, b"other"),
        "chacha": ChaCha20Poly1305(bytes(32)).encrypt(bytes(12), b"secret", None).hex(),
        "code": code.finalize().hex(),
        "scrypt": Scrypt(b"salt", 32, 2**10, 8, 1).derive(b"password").hex(),
        "rsa": big.decrypt(big.public_key().encrypt(b"to you", oaep), oaep),
        "exchange": exchange[0].exchange(exchange[1].public_key()) == exchange[1].exchange(exchange[0].public_key()),
        "fernet": fernet.decrypt(fernet.encrypt(b"token")),
        "certificate": certificate(key),
    }
