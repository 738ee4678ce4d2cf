# SPDX-License-Identifier: MIT
import bcrypt


def smoke():
    salt = b"$2b$04$" + b"abcdefghijklmnopqrstuu"
    hashed = bcrypt.hashpw(b"password", salt)
    try:
        bcrypt.hashpw(b"password", b"$2b$04$bad")
    except ValueError as error:
        refused = str(error)
    return {
        "hashed": hashed.decode(),
        "checked": [bcrypt.checkpw(each, hashed) for each in (b"password", b"Password")],
        "salt": bcrypt.gensalt(5)[:7].decode(),
        "derived": bcrypt.kdf(b"password", b"salt", 32, 8, ignore_few_rounds=True).hex(),
        "refused": refused,
    }
