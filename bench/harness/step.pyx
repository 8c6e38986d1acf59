# SPDX-License-Identifier: Apache-2.0
"""The smallest steps that a call from Python into compiled code can make."""

cimport numpy as cnp
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF

import numpy as np

cnp.import_array()


cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t*, void*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)


cdef extern from "numpy/arrayobject.h":
    # Not in numpy's own declarations, for it steals the reference to the type.
    object PyArray_NewFromDescr(
        PyTypeObject* subtype, cnp.PyArray_Descr* descr, int nd, const cnp.npy_intp* dims,
        const cnp.npy_intp* strides, void* data, int flags, PyObject* obj
    )
    PyTypeObject PyArray_Type


cdef pthread_mutex_t _mutex
pthread_mutex_init(&_mutex, NULL)

cdef float _memory[1024]
cdef object _float32 = np.dtype("float32")
cdef object _base = object()


def empty():
    """Do nothing."""


def mutex():
    """Lock and unlock a mutex that nobody else wants."""
    pthread_mutex_lock(&_mutex)
    pthread_mutex_unlock(&_mutex)


def array():
    """Make an array over 4 KiB, as cheaply as numpy can."""
    cdef cnp.npy_intp size = 1024
    Py_INCREF(_float32)
    made = PyArray_NewFromDescr(
        &PyArray_Type, <cnp.PyArray_Descr*> _float32, 1, &size, NULL, _memory,
        cnp.NPY_ARRAY_CARRAY, NULL
    )
    cnp.set_array_base(made, _base)
    return made
