# SPDX-License-Identifier: Apache-2.0
"""Looks into DLPack capsules as a consumer in C would."""

from __future__ import annotations

import ctypes

READ_ONLY = 1
IS_COPIED = 2


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


def _pointer(capsule, name):
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype = ctypes.c_void_p
    get.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return get(capsule, name)


def _name(capsule):
    get = ctypes.pythonapi.PyCapsule_GetName
    get.restype = ctypes.c_char_p
    get.argtypes = [ctypes.py_object]
    return get(capsule).decode()


def describe(capsule):
    """Give what is in a capsule of either kind as a dictionary."""
    name = _name(capsule)
    result = {"name": name}
    if name == "dltensor_versioned":
        managed = _Versioned.from_address(_pointer(capsule, b"dltensor_versioned"))
        tensor = managed.tensor
        result |= {"major": managed.major, "flags": managed.flags}
    else:
        tensor = _Tensor.from_address(_pointer(capsule, b"dltensor"))
    dimensions = range(tensor.ndim)
    return result | {
        "pointer": (tensor.data or 0) + tensor.byte_offset,
        "device": [tensor.device_type, tensor.device_id],
        "type": [tensor.code, tensor.bits, tensor.lanes],
        "shape": [tensor.shape[i] for i in dimensions],
        "strides": [tensor.strides[i] for i in dimensions] if tensor.strides else None,
    }
