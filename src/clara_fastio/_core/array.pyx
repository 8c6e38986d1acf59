# SPDX-License-Identifier: Apache-2.0
"""numpy arrays over mapped memory, and their export to other array libraries."""

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject, PyTypeObject
from cpython.pycapsule cimport (
    PyCapsule_GetPointer,
    PyCapsule_IsValid,
    PyCapsule_New,
)
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from clara_fastio._core cimport dlpack
from clara_fastio._core.libfastio cimport CElementType, CMapping, COrder, CShape, CWindow

import numpy as np

from clara_fastio._core import device_array
from clara_fastio.errors import ElementTypeError
from clara_fastio.types import ALIASES, ElementType

cnp.import_array()


cdef extern from *:
    bint Py_IsInitialized() noexcept nogil


cdef extern from "numpy/arrayobject.h":
    ctypedef struct ArrayFields "PyArrayObject_fields":
        char* data
        int nd
        cnp.npy_intp* dimensions
        int flags

    # Not in numpy's own declarations, for it steals the reference to the type.
    object PyArray_NewFromDescr(
        PyTypeObject* subtype, cnp.PyArray_Descr* descr, int nd, const cnp.npy_intp* dims,
        const cnp.npy_intp* strides, void* data, int flags, PyObject* obj
    )
    PyTypeObject PyArray_Type


# ---- Element types: the members of `ElementType` are in the order of the core's numbers, from 1.

cdef tuple _ELEMENT_TYPES = (None, *ElementType)
cdef dict _NUMBERS = {str(name): number for number, name in enumerate(ElementType, 1)}
_NUMBERS.update({alias: _NUMBERS[name] for alias, name in ALIASES.items()})
# The last is ml_dtypes' and made when it is asked for.
cdef list _DTYPES = [None, *(np.dtype(str(name)) for name in tuple(ElementType)[:-1]), None]


cdef uint32_t element_number(object dtype) except 0:
    if dtype is None:
        raise TypeError("an element type is a name such as 'float32' or a numpy dtype, not None")
    if isinstance(dtype, bytes):  # For numpy b"u8" has eight bytes.
        raise ElementTypeError(f"{dtype!r} is no element type; a name is a str")
    name = dtype
    if not isinstance(dtype, str):
        try:
            found = np.dtype(dtype)
        except (TypeError, ValueError):
            raise ElementTypeError(f"{dtype!r} is no element type") from None
        if not found.isnative:
            raise ElementTypeError(
                f"the dtype {found} has its bytes swapped; shared memory holds native ones: "
                "use dtype.newbyteorder('=')"
            )
        name = found.name if found.subdtype is None and found.fields is None else str(found)
    number = _NUMBERS.get(name)
    if number is None:
        raise ElementTypeError(
            f"{name!r} is no element type; allowed are {', '.join(ElementType)}"
        )
    return number


cdef object dtype_of(CElementType element_type):
    cdef uint32_t number = <uint32_t> element_type
    found = _DTYPES[number]
    if found is None:
        try:
            from ml_dtypes import bfloat16
        except ImportError as error:
            raise ElementTypeError(
                "numpy has no bfloat16 of its own; install the package ml_dtypes"
            ) from error
        found = _DTYPES[number] = np.dtype(bfloat16)
    return found


cdef object element_type_of(CElementType element_type):
    return _ELEMENT_TYPES[<uint32_t> element_type]


cdef tuple shape_of(const CShape& shape):
    cdef uint32_t i
    sizes = [shape.dimensions[i] for i in range(shape.ndim)]
    return tuple([None if size < 0 else size for size in sizes])


# ---- Arrays

@cython.final
@cython.freelist(64)
cdef class _View:
    """What an array over mapped memory has as its base."""

    def __init__(self):
        raise TypeError("arrays are made by Mapping.array")

    def __dealloc__(self):
        # The last holder of an entry talks to the host, and that of a block unmaps memory.
        if self._window.entry.use_count() == 1 or self._window.block.use_count() == 1:
            with nogil:
                self._window = CWindow()


cdef object make_array(const CMapping* mapping):
    cdef void* data = <void*> mapping.device_data()
    return array_over(
        mapping.shape(), mapping.element_type(), mapping.order(),
        mapping.data() if data == NULL else data, mapping.is_writable(), mapping.window()
    )


cdef object device_array_of(object stand_in, int ordinal, object owner):
    """Make a cupy array of a numpy array whose address is that of a device."""
    order = "F" if stand_in.flags.f_contiguous and not stand_in.flags.c_contiguous else "C"
    pointer = <size_t> (<ArrayFields*> stand_in).data
    return device_array.make_array(
        pointer, stand_in.shape, stand_in.dtype, order, ordinal, owner
    )


cdef object array_over(
    const CShape& shape, CElementType element_type, COrder order, void* data, bint is_writable,
    const CWindow& window
):
    """Make an array that keeps its memory mapped."""
    cdef _View view = _View.__new__(_View)
    view._window = window
    return array_based_on(view, shape, element_type, order, data, is_writable)


cdef object array_based_on(
    object base, const CShape& shape, CElementType element_type, COrder order, void* data,
    bint is_writable
):
    """Make an array that keeps an object alive."""
    cdef int flags = cnp.NPY_ARRAY_ALIGNED
    if order == COrder.row_major:
        flags |= cnp.NPY_ARRAY_C_CONTIGUOUS
    else:
        flags |= cnp.NPY_ARRAY_F_CONTIGUOUS
    if is_writable:
        flags |= cnp.NPY_ARRAY_WRITEABLE
    dtype = dtype_of(element_type)
    Py_INCREF(dtype)  # Stolen by the next call, also when it fails.
    array = PyArray_NewFromDescr(
        &PyArray_Type, <cnp.PyArray_Descr*> dtype, <int> shape.ndim,
        <const cnp.npy_intp*> shape.dimensions.data(), NULL, data, flags, NULL
    )
    cnp.set_array_base(array, base)
    return array


cdef void forbid_writing(object array) noexcept:
    """Make an array read-only for good, as far as numpy is asked."""
    (<ArrayFields*> array).flags &= ~cnp.NPY_ARRAY_WRITEABLE


# Where the data of an emptied array points: an array without dimensions still reads one element.
cdef char _nothing[64]


cdef void _empty(object array) noexcept:
    cdef ArrayFields* fields = <ArrayFields*> array
    cdef int i
    for i in range(fields.nd):
        fields.dimensions[i] = 0
    fields.data = _nothing
    fields.flags &= ~cnp.NPY_ARRAY_WRITEABLE


cdef bint _can_empty():
    """Try on an array of our own whether numpy's fields are what they were compiled to be."""
    sample = np.ones((2, 3))[:, :]
    _empty(sample)
    return (
        sample.shape == (0, 0) and not sample.flags.writeable
        and sample.__array_interface__["data"][0] == <size_t> _nothing
    )


cdef bint _is_emptying_safe = _can_empty()


cdef bint empty_array(object array):
    """Make an array one without elements, in place.

    Its base stays: what was made from the array, and went unnoticed, still needs the memory.
    """
    if _is_emptying_safe:
        _empty(array)
    return _is_emptying_safe


# ---- DLPack

cdef dict _CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}


cdef object export_dlpack(object array, object max_version, object device, object copy):
    if device is not None and tuple(device) != (dlpack.CPU, 0):
        raise BufferError(f"the memory is the host's, (1, 0); device {device} was asked for")
    if copy:
        array = array.copy(order="A")
    return _capsule(array, max_version, bool(copy), dlpack.CPU, 0)


cdef object export_device_dlpack(object array, int ordinal, object max_version):
    return _capsule(array, max_version, False, dlpack.CUDA, ordinal)


cdef object _capsule(
    object array, object max_version, bint is_copied, int device_type, int device_id
):
    if max_version is not None and max_version[0] >= 1:
        return _versioned(array, is_copied, device_type, device_id)
    if not array.flags.writeable:
        raise BufferError(
            "the memory is read-only, which DLPack can say from version 1 on; "
            "ask with max_version=(1, 0), or for a copy"
        )
    return _unversioned(array, device_type, device_id)


cdef object _versioned(object array, bint is_copied, int device_type, int device_id):
    cdef dlpack.VersionedTensor* managed = <dlpack.VersionedTensor*> _new(sizeof(managed[0]), array)
    managed.version.major = 1
    managed.version.minor = 0
    managed.flags = 0 if array.flags.writeable else dlpack.READ_ONLY
    if is_copied:
        managed.flags |= dlpack.IS_COPIED
    managed.deleter = _delete_versioned
    managed.manager = _fill(&managed.tensor, <int64_t*> (managed + 1), array)
    managed.tensor.device = dlpack.Device(device_type, device_id)
    return PyCapsule_New(managed, b"dltensor_versioned", _drop_versioned)


cdef object _unversioned(object array, int device_type, int device_id):
    cdef dlpack.ManagedTensor* managed = <dlpack.ManagedTensor*> _new(sizeof(managed[0]), array)
    managed.deleter = _delete
    managed.manager = _fill(&managed.tensor, <int64_t*> (managed + 1), array)
    managed.tensor.device = dlpack.Device(device_type, device_id)
    return PyCapsule_New(managed, b"dltensor", _drop)


cdef void* _new(size_t nbytes, object array) except NULL:
    """Make room for a structure and, behind it, for shape and strides."""
    cdef void* memory = malloc(nbytes + 2 * sizeof(int64_t) * <size_t> cnp.PyArray_NDIM(array))
    if memory == NULL:
        raise MemoryError
    return memory


cdef void* _fill(dlpack.Tensor* tensor, int64_t* numbers, cnp.ndarray array) noexcept:
    """Describe an array; give the reference that keeps it alive."""
    cdef int ndim = cnp.PyArray_NDIM(array)
    cdef Py_ssize_t itemsize = cnp.PyArray_ITEMSIZE(array)
    cdef int i
    tensor.data = cnp.PyArray_DATA(array)
    tensor.ndim = ndim
    # The one type that is not numpy's own is bfloat16, with the code 4.
    tensor.dtype.code = <uint8_t> _CODES.get(array.dtype.kind, 4)
    tensor.dtype.bits = <uint8_t> (8 * itemsize)
    tensor.dtype.lanes = 1
    tensor.shape = numbers
    tensor.strides = numbers + ndim
    tensor.byte_offset = 0
    for i in range(ndim):
        tensor.shape[i] = cnp.PyArray_DIM(array, i)
        tensor.strides[i] = cnp.PyArray_STRIDE(array, i) // itemsize
    Py_INCREF(array)
    return <void*> array


cdef void _forget(void* manager, void* managed) noexcept with gil:
    Py_DECREF(<object> manager)
    free(managed)


# The other library may call these two from any thread, and after Python has ended.
cdef void _delete(dlpack.ManagedTensor* managed) noexcept nogil:
    if Py_IsInitialized():
        _forget(managed.manager, managed)


cdef void _delete_versioned(dlpack.VersionedTensor* managed) noexcept nogil:
    if Py_IsInitialized():
        _forget(managed.manager, managed)


# A capsule that was taken has another name, and belongs to who took it.
cdef void _drop(object capsule) noexcept:
    if PyCapsule_IsValid(capsule, b"dltensor"):
        _delete(<dlpack.ManagedTensor*> PyCapsule_GetPointer(capsule, b"dltensor"))


cdef void _drop_versioned(object capsule) noexcept:
    if PyCapsule_IsValid(capsule, b"dltensor_versioned"):
        _delete_versioned(
            <dlpack.VersionedTensor*> PyCapsule_GetPointer(capsule, b"dltensor_versioned")
        )
