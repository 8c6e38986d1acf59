// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Python.h>

#include <cstring>
#include <exception>
#include <new>

#include "clara_fastio/error.hpp"

namespace clara_fastio {

/// The Python class of an error, out of the table in `errors.py`; null with an exception set.
inline PyObject* error_class(Errc code) {
  PyObject* module = PyImport_ImportModule("clara_fastio.errors");
  if (module == nullptr) return nullptr;
  PyObject* classes = PyObject_GetAttrString(module, "ERROR_CLASSES");
  Py_DECREF(module);
  if (classes == nullptr) return nullptr;
  PyObject* found = PySequence_GetItem(classes, static_cast<Py_ssize_t>(code));
  Py_DECREF(classes);
  return found;
}

/// What a program may want to know of an error beside its sentence; null with an exception set.
inline PyObject* error_data(const Error& error) {
  switch (error.code()) {
    case Errc::system:
      return Py_BuildValue("{s:i}", "errno", error.os_error());
    case Errc::cuda:
      return Py_BuildValue("{s:i}", "status", error.os_error());
    case Errc::out_of_memory:
      return Py_BuildValue("{s:K,s:K}", "requested",
                           static_cast<unsigned long long>(error.requested()), "available",
                           static_cast<unsigned long long>(error.available()));
    default:
      return PyDict_New();
  }
}

inline void raise_error(const Error& error) {
  PyObject* type = error_class(error.code());
  // A message may quote bytes of a peer that are no UTF-8.
  const auto nbytes = static_cast<Py_ssize_t>(std::strlen(error.what()));
  PyObject* text = PyUnicode_DecodeUTF8(error.what(), nbytes, "replace");
  PyObject* data = error_data(error);
  PyObject* arguments = text == nullptr ? nullptr : PyTuple_Pack(1, text);
  if (type != nullptr && arguments != nullptr && data != nullptr) {
    if (PyObject* instance = PyObject_Call(type, arguments, data)) {
      PyErr_SetObject(type, instance);
      Py_DECREF(instance);
    }
  }
  Py_XDECREF(arguments);
  Py_XDECREF(data);
  Py_XDECREF(text);
  Py_XDECREF(type);
}

/// Makes the C++ exception that is being handled a Python one. Cython calls it with the GIL held.
inline void translate_exception() {
  try {
    throw;
  } catch (const Error& error) {
    raise_error(error);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_Format(PyExc_RuntimeError,
                 "the core of clara_fastio failed in a way it should not; please report this: %s",
                 error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError,
                    "the core of clara_fastio threw what is no exception; please report this");
  }
}

}  // namespace clara_fastio
