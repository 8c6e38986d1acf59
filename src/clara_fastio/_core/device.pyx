# SPDX-License-Identifier: Apache-2.0
"""The devices of this machine, as far as the driver tells."""

from libc.stdint cimport uint64_t
from libcpp.string cimport string
from libcpp.vector cimport vector

from clara_fastio._core.libfastio cimport (
    CDeviceId,
    CDeviceInfo,
    CDriverInfo,
    CEntry,
    CTransportInfo,
    device_id,
    devices,
    driver_info,
    set_device_cache_limit,
    transport_info,
    uuid_text,
)

from clara_fastio._core import arguments
from clara_fastio.devices import Capabilities, DeviceInfo, Transport

_PREFIX = "cuda:"


cdef str text_of(string text):
    return (<bytes> text).decode(errors="replace")


cdef CDeviceId device_of(object device) except *:
    cdef CDeviceId found
    if device is None:
        return found
    if isinstance(device, str):
        if not (device.startswith(_PREFIX) and device[len(_PREFIX):].isdecimal()):
            return device_id(<string> arguments.text(device, "a device"))
        device = int(device[len(_PREFIX):])
    cdef int ordinal = arguments.integer(device, "the number of a device", 0, 2**31 - 1)
    with nogil:
        found = device_id(ordinal)
    return found


cdef object uuid_of(const CDeviceId& device):
    return None if device.is_any() else text_of(uuid_text(device))


cdef object transport_of(CEntry& entry):
    cdef CTransportInfo info
    with nogil:
        info = transport_info(entry)
    return Transport(
        memory=text_of(info.memory),
        memory_reason=text_of(info.refusals),
        order=text_of(info.order),
        order_reason=text_of(info.no_better),
        own=info.is_own,
        read_only=info.is_read_only,
        device=text_of(info.uuid),
    )


cdef object device_info(const CDeviceInfo& info):
    return DeviceInfo(
        ordinal=info.ordinal,
        uuid=text_of(info.uuid),
        name=text_of(info.name),
        memory=info.memory_nbytes,
        free_memory=info.free_nbytes,
        compute_capability=info.compute_capability,
        granularity=info.granularity,
        transports={"vmm": text_of(info.no_vmm), "legacy": text_of(info.no_legacy_ipc)},
        orders={
            "timeline": text_of(info.no_timeline),
            "events": text_of(info.no_events),
            "synchronize": "",
        },
        read_only=text_of(info.no_read_only),
        pinning=text_of(info.no_registration),
        pins_read_only=info.registers_read_only,
    )


def capabilities():
    """Tell what this process can do with device memory, and why not more.

    Loads the driver and tries each mechanism once; nothing is raised where there is no driver.

    Returns
    -------
    Capabilities
        With the devices that this process sees.

    Raises
    ------
    CudaError
        A device is there and cannot be used at all.

    Notes
    -----
    In a forked child no driver works, and the reason says so.
    """
    cdef CDriverInfo driver
    cdef vector[CDeviceInfo] found
    with nogil:
        driver = driver_info()
        if driver.refusal.empty():
            found = devices()
    return Capabilities(
        available=driver.refusal.empty(),
        reason=text_of(driver.refusal),
        driver=text_of(driver.library),
        driver_version=(driver.version // 1000, driver.version % 1000 // 10),
        devices=tuple([device_info(one) for one in found]),
        opens=driver.opens,
        mapped=driver.mapped_nbytes,
        evicted=driver.evicted,
    )


def set_cache_limit(nbytes):
    """Limit the device memory of others that stays mapped here though nothing refers to it.

    Parameters
    ----------
    nbytes
        Bytes; 16 GiB at first. What is above is given up by and by, the one used longest ago first.
    """
    cdef uint64_t limit = arguments.integer(nbytes, "a limit", 0, 2**63 - 1)
    set_device_cache_limit(limit)
