# SPDX-License-Identifier: Apache-2.0
"""The platform: a server of pipelines, jobs and payloads, and its clients."""
