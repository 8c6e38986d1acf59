# SPDX-License-Identifier: Apache-2.0
"""What protoc made of the ``.proto`` files below; ``make proto`` writes it anew."""
