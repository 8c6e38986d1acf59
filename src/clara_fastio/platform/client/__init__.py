# SPDX-License-Identifier: Apache-2.0
"""The clients of a platform server; :mod:`clara_fastio.platform` gives their public names."""
