# SPDX-License-Identifier: MIT
"""What an interpreter costs without a package."""


def smoke():
    return None
