# SPDX-License-Identifier: Apache-2.0
# What the C++ headers declare, one block for each, in their order of dependency.

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector


cdef extern from "translate.hpp" namespace "clara_fastio" nogil:
    void translate_exception() noexcept


cdef extern from "<chrono>" namespace "std::chrono" nogil:
    cdef cppclass nanoseconds:
        nanoseconds() noexcept
        nanoseconds(int64_t) noexcept


cdef extern from "clara_fastio/element_type.hpp" namespace "clara_fastio" nogil:
    cdef enum class CElementType "clara_fastio::ElementType"(uint32_t):
        none
        uint8
        bfloat16

    uint32_t itemsize(CElementType) noexcept


cdef extern from "clara_fastio/shape.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CDimensions "std::array<std::int64_t, clara_fastio::kMaxDimensions>":
        int64_t& operator[](size_t) noexcept
        const int64_t* data() noexcept

    cdef cppclass CShape "clara_fastio::Shape":
        uint32_t ndim
        CDimensions dimensions

        CShape() noexcept
        @staticmethod
        CShape of(const vector[int64_t]&) except +translate_exception
        bool is_dynamic() noexcept
        bool fits(const CShape&) noexcept
        uint64_t nbytes(CElementType) except +translate_exception
        bool operator==(const CShape&) noexcept


cdef extern from "clara_fastio/device_layout.hpp" namespace "clara_fastio::layout" nogil:
    cdef enum class CMemory "clara_fastio::layout::Memory"(uint32_t):
        host
        device

    cdef cppclass CDeviceId "clara_fastio::layout::DeviceId":
        CDeviceId() noexcept
        bool is_any() noexcept
        bool operator==(const CDeviceId&) noexcept

    cdef cppclass CDeviceRecord "clara_fastio::layout::DeviceRecord":
        CMemory memory
        CDeviceId device


cdef extern from "clara_fastio/layout.hpp" namespace "clara_fastio::layout" nogil:
    cdef enum class CEntryKind "clara_fastio::layout::EntryKind"(uint32_t):
        variable

    cdef enum class CEntryState "clara_fastio::layout::EntryState"(uint32_t):
        free
        unpublished
        live
        doomed

    cdef enum class COrder "clara_fastio::layout::Order"(uint32_t):
        row_major
        column_major

    cdef enum CEntryFlags "clara_fastio::layout::EntryFlags":
        kFrozen
        kProducerDied


    cdef enum class CPolicy "clara_fastio::layout::Policy"(uint32_t):
        none
        block
        drop_oldest
        latest
        sample

    cdef cppclass CQueueRecord "clara_fastio::layout::QueueRecord":
        uint64_t slot_nbytes
        uint64_t spin_ns
        uint32_t slots
        CPolicy policy
        uint32_t parameter


cdef extern from "clara_fastio/ring_layout.hpp" namespace "clara_fastio::layout" nogil:
    cdef enum class CStreamState "clara_fastio::layout::StreamState"(uint32_t):
        open
        finished
        died
        left

    uint64_t latency_of_bucket(uint32_t) noexcept


cdef extern from "clara_fastio/queue.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CQueueOptions "clara_fastio::QueueOptions":
        uint32_t depth
        CPolicy policy
        uint32_t parameter
        uint64_t slot_nbytes
        uint64_t spin_ns

    cdef cppclass CEdgeOptions "clara_fastio::EdgeOptions":
        string name
        bool is_shared
        bool is_reserved
        string role
        CPolicy policy
        uint32_t parameter
        uint64_t deadline_ns

        CEdgeOptions() noexcept

    cdef cppclass CMemberInfo "clara_fastio::MemberInfo":
        int32_t pid
        uint32_t slot
        uint64_t taken
        uint64_t held
        uint64_t late
        bool has_left

    cdef cppclass CEdgeInfo "clara_fastio::EdgeInfo":
        string name
        bool is_open
        bool is_shared
        CPolicy policy
        uint32_t parameter
        uint64_t accepted
        uint64_t skipped
        uint64_t taken
        uint64_t late
        uint64_t lost
        uint64_t unread
        uint64_t queued
        uint64_t held
        uint64_t dropped
        vector[uint64_t] latencies
        vector[CMemberInfo] members

    cdef cppclass CStreamInfo "clara_fastio::StreamInfo":
        uint32_t depth
        CPolicy policy
        uint32_t parameter
        uint64_t slot_nbytes
        CStreamState state
        uint64_t produced
        uint64_t unclaimed
        uint64_t blocked_ns
        vector[CEdgeInfo] edges

    void reserve_edge(CEntry&, const CEdgeOptions&) except +translate_exception
    void unreserve_edge(CEntry&, const string&, const string&) except +translate_exception
    CStreamInfo stream_info(CEntry&) except +translate_exception


cdef extern from "clara_fastio/entry.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CBlock "clara_fastio::Block":
        pass

    cdef cppclass CEntry "clara_fastio::Entry":
        CContext& context() noexcept
        bool is_variable() noexcept
        bool is_published() noexcept
        COrder order() noexcept
        bool is_sealed() noexcept
        const CQueueRecord& queue() noexcept
        string label() except +translate_exception
        string name() except +translate_exception
        CElementType element_type() except +translate_exception
        CShape declared_shape() except +translate_exception

        void describe(CElementType, const CShape&) except +translate_exception
        void publish(const string&) except +translate_exception
        void free() except +translate_exception

        CShape shape() except +translate_exception
        void update_shape(const CShape&) except +translate_exception
        void allocate() except +translate_exception
        bool is_allocated() except +translate_exception
        bool may_write() except +translate_exception
        uint64_t version() except +translate_exception
        bool wait_for_version(uint64_t, nanoseconds) except +translate_exception
        string attributes() except +translate_exception
        void set_attributes(const string&) except +translate_exception

        void check() except +translate_exception

        bool is_on_device() noexcept
        bool is_pinned() noexcept
        bool may_stage() noexcept
        CDeviceRecord device_record() except +translate_exception


cdef extern from "clara_fastio/device.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CDeviceInfo "clara_fastio::DeviceInfo":
        int ordinal
        string uuid
        string name
        uint64_t memory_nbytes
        uint64_t free_nbytes
        int compute_capability
        uint64_t granularity
        string no_vmm
        string no_legacy_ipc
        string no_timeline
        string no_events
        string no_read_only
        string no_registration
        bool registers_read_only

    cdef cppclass CDriverInfo "clara_fastio::DriverInfo":
        string library
        int version
        string refusal
        uint64_t opens
        uint64_t mapped_nbytes
        uint64_t evicted

    cdef cppclass CTransportInfo "clara_fastio::TransportInfo":
        string memory
        string refusals
        string order
        string no_better
        bool is_own
        bool is_read_only
        string uuid

    bool is_driver_loaded() noexcept
    CDriverInfo driver_info() except +translate_exception
    vector[CDeviceInfo] devices() except +translate_exception
    CDeviceId device_id(int) except +translate_exception
    CDeviceId device_id(const string&) except +translate_exception
    string uuid_text(const CDeviceId&) except +translate_exception
    int ordinal_of(const CDeviceId&) except +translate_exception
    CTransportInfo transport_info(CEntry&) except +translate_exception
    string pin_refusal(CEntry&) except +translate_exception
    void set_device_cache_limit(uint64_t) except +translate_exception


cdef extern from "clara_fastio/mapping.hpp" namespace "clara_fastio" nogil:
    cdef enum class CAccessMode "clara_fastio::AccessMode"(uint32_t):
        read
        write
        update
        dirty

    cdef cppclass CWindow "clara_fastio::Window":
        shared_ptr[CEntry] entry
        shared_ptr[CBlock] block

        CWindow() noexcept

    cdef cppclass CMapping "clara_fastio::Mapping":
        CMapping(shared_ptr[CEntry], CAccessMode, size_t) except +translate_exception
        bool try_cached() except +translate_exception
        bool try_map() except +translate_exception
        bool wait(nanoseconds) except +translate_exception
        void throw_blocked(bool) except +translate_exception
        void commit() except +translate_exception
        void abort() noexcept
        bool is_open() noexcept
        CAccessMode mode() noexcept
        bool is_writable() noexcept
        const CShape& shape() noexcept
        CElementType element_type() noexcept
        COrder order() noexcept
        uint64_t nbytes() noexcept
        char* data "data"() noexcept
        size_t device_data() noexcept
        size_t stream() noexcept
        void add_stream(size_t) except +translate_exception
        bool is_poisoned() noexcept
        bool is_write_protected() noexcept
        uint64_t version() noexcept
        CWindow window() noexcept
        CEntry& entry() noexcept


cdef extern from "clara_fastio/frame_writer.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CFrameWriter "clara_fastio::FrameWriter":
        @staticmethod
        shared_ptr[CFrameWriter] of(const shared_ptr[CEntry]&) except +translate_exception
        bool try_next(size_t) except +translate_exception
        void wait(nanoseconds) except +translate_exception
        void throw_blocked(bool) except +translate_exception
        void set_shape(const CShape&) except +translate_exception
        void set_number(uint64_t) except +translate_exception
        void set_header(const string&) except +translate_exception
        void commit() except +translate_exception
        void abort() noexcept
        void finish() except +translate_exception
        bool is_started() noexcept
        char* data "data"() noexcept
        size_t device_data() noexcept
        size_t stream() noexcept
        const char* header() noexcept
        const CShape& shape() noexcept
        CElementType element_type() noexcept
        COrder order() noexcept
        uint64_t number() noexcept
        CWindow window() noexcept
        CEntry& entry() noexcept


cdef extern from "clara_fastio/frame_reader.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CFrame "clara_fastio::Frame":
        uint32_t slot
        uint64_t number
        uint64_t version
        uint64_t timestamp
        CShape shape
        uint64_t nbytes
        const void* data
        size_t device_data
        const unsigned char* header

        CFrame() noexcept

    cdef enum class CResult "clara_fastio::FrameReader::Result":
        taken
        nothing
        over

    cdef cppclass CFrameReader "clara_fastio::FrameReader":
        CFrameReader(shared_ptr[CEntry], const CEdgeOptions&) except +translate_exception
        CResult try_take(CFrame&, size_t) except +translate_exception
        bool wait(nanoseconds) except +translate_exception
        void release(uint32_t) noexcept
        bool is_poisoned(uint32_t) noexcept
        void close() noexcept
        bool is_open() noexcept
        string name() noexcept
        CElementType element_type() noexcept
        COrder order() noexcept
        CEntry& entry() noexcept


cdef extern from "clara_fastio/host.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CHostOptions "clara_fastio::HostOptions":
        string name
        uint32_t capacity
        uint64_t memory_limit

        CHostOptions() noexcept

    cdef cppclass CHost "clara_fastio::Host":
        @staticmethod
        vector[string] list() except +translate_exception


cdef extern from "clara_fastio/context.hpp" namespace "clara_fastio" nogil:
    cdef cppclass CDeclaration "clara_fastio::Declaration":
        string name
        CElementType element_type
        CShape shape
        COrder order
        bool is_sealed
        string producer_role
        CQueueOptions queue
        CMemory memory
        CDeviceId device
        bool may_stage
        bool is_pinned

        CDeclaration() noexcept

    cdef cppclass CDeviceOptions "clara_fastio::DeviceOptions":
        CDeviceId device
        bool may_stage
        bool zero

        CDeviceOptions() noexcept

    cdef cppclass CEntryInfo "clara_fastio::EntryInfo":
        string name
        CEntryKind kind
        CEntryState state
        CElementType element_type
        COrder order
        uint32_t flags
        CShape declared
        CShape shape
        uint64_t version
        uint64_t capacity
        CDeviceRecord device
        int32_t producer
        int32_t writer
        vector[uint32_t] readers
        vector[uint32_t] references

    cdef cppclass CProcessInfo "clara_fastio::ProcessInfo":
        uint32_t slot
        int32_t pid
        bool is_quarantined
        uint64_t since
        string role

    cdef cppclass CContext "clara_fastio::Context":
        @staticmethod
        shared_ptr[CContext] host(const CHostOptions&) except +translate_exception
        @staticmethod
        shared_ptr[CContext] open(const string&) except +translate_exception
        @staticmethod
        shared_ptr[CContext] open_socket(int) except +translate_exception
        string name() noexcept
        string role() except +translate_exception
        uint32_t slot() noexcept
        bool is_host() noexcept
        bool is_closed() noexcept
        void close() except +translate_exception
        int connect(const string&) except +translate_exception
        void adopt(int, const string&) except +translate_exception
        shared_ptr[CEntry] declare(const CDeclaration&, bool&) except +translate_exception
        shared_ptr[CEntry] create(uint64_t, bool) except +translate_exception
        shared_ptr[CEntry] create_on_device(uint64_t, const CDeviceOptions&) except +translate_exception
        shared_ptr[CEntry] find(const string&) except +translate_exception
        void allocate_outputs() except +translate_exception
        void open_devices() noexcept
        uint32_t names_event() except +translate_exception
        void wait_for_names(uint32_t, nanoseconds) except +translate_exception
        uint32_t size() except +translate_exception
        vector[CEntryInfo] entries() except +translate_exception
        vector[CProcessInfo] processes() except +translate_exception
        void check() except +translate_exception
        bool is_foreign() noexcept
