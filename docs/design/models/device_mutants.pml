/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of device.pml that the protocol stands on, each with the mutants that leave it out or
 * move it. Without an M_... or V_... this file is the protocol. With M_... the check must fail.
 * V_... are changes that look like mutants and are right: they must hold.
 */

/* ---- waiting for a word -------------------------------------------------------------------------- */

#ifdef M_WAIT_EQUAL                /* the device waits for the number itself */
#define WAITED(word, value) word == value
#else
#define WAITED(word, value) word >= value
#endif
#ifdef M_OWN_IS_ORDERED            /* trusts the order of its own streams among themselves */
#define IS_ORDERED(last) 1
#else
#define IS_ORDERED(last) last == s + 1
#endif
#define AWAIT_WRITE                                                        \
    AWAIT(written, submitted, owner == me + 1, last_write[me], WAIT_WRITTEN, \
          last_write[me] = s + 1, skip);

#ifdef M_NO_READ_AFTER_WRITE
#define READ_AFTER_WRITE
#else
#define READ_AFTER_WRITE AWAIT_WRITE
#endif
#ifdef M_NO_WRITE_AFTER_WRITE
#define WRITE_AFTER_WRITE
#else
#define WRITE_AFTER_WRITE AWAIT_WRITE
#endif
#ifdef M_NO_WRITE_AFTER_READ
#define WRITE_AFTER_READ
#else
#define WRITE_AFTER_READ                                                   \
    STEP(seen = readers);                                                  \
    do                                                                     \
    :: HAS(seen, k) ->                                                     \
       AWAIT(read[k], read_submitted[k], k == me, last_read[me], WAIT_READ + k, skip, \
             CLEAR(seen, k); k = 0)                                         \
    :: !HAS(seen, k) && seen != 0 -> k++                                   \
    :: seen == 0 -> break                                                  \
    od;
#endif

#define IS_POISONED(n) (n != 0 && poisoned >= n)

/* ---- promising ------------------------------------------------------------------------------------ */

#ifdef M_NO_OWN_STREAM             /* signals on whatever stream the user has */
#define SAME_STREAM(reached, promised, last) 1
#else
#define SAME_STREAM(reached, promised, last) (reached >= promised || last == s + 1)
#endif
#ifdef M_NO_AFTER_USER
#define AFTER_USER
#else
#define AFTER_USER GIVE_AFTER
#endif
#ifdef M_NO_AFTER_LAST
#define AFTER_LAST(wait, promised) skip
#else
#define AFTER_LAST(wait, promised) GIVE(OWN, wait, promised)
#endif
#if defined(V_SUBMITTED_FIRST)     /* whoever looks at the number waits for the lock until both are there */
#define SIGNAL_AND_SUBMIT(signal, name, ...) name STEP(__VA_ARGS__); STEP(signal; v = 0; t = 0)
#elif defined(M_NO_SIGNAL)
#define SIGNAL_AND_SUBMIT(signal, name, ...) name STEP(__VA_ARGS__; v = 0; t = 0)
#elif defined(M_NO_SUBMIT)
#define SIGNAL_AND_SUBMIT(signal, name, ...) STEP(signal); name STEP(v = 0; t = 0)
#elif defined(M_NAMED_LATE)        /* the number first, then who promises it */
#define SIGNAL_AND_SUBMIT(signal, name, ...) STEP(signal); STEP(__VA_ARGS__); name STEP(v = 0; t = 0)
#else
#define SIGNAL_AND_SUBMIT(signal, name, ...) STEP(signal); name STEP(__VA_ARGS__; v = 0; t = 0)
#endif
#define NO_NAME
#ifdef M_NO_FRESH                  /* nobody knows which writes replace the whole content */
#define SAY_FRESH
#else
#define SAY_FRESH if :: role == WRITES -> STEP(fresh = v) :: else fi;
#endif
#define NAME_PROMISE SAY_FRESH STEP(promises[v] = me + 1);

#define SET_READER_BIT SET(readers, me)
#if defined(M_NO_READER_BIT)
#define READER_BIT skip
#define READER_BIT_LATE
#elif defined(V_READER_BIT_LATE)   /* after the promise; the lock is given back later still */
#define READER_BIT skip
#define READER_BIT_LATE STEP(SET_READER_BIT);
#else
#define READER_BIT SET_READER_BIT
#define READER_BIT_LATE
#endif

#define UNLOCK STEP(if :: lock_writer == me + 1 -> lock_writer = 0 :: else fi);
#ifdef M_UNLOCK_FIRST              /* gives the lock back before the promise */
#define UNLOCK_EARLY UNLOCK
#define READER_UNLOCKS_EARLY STEP(CLEAR(lock_readers, me));
#else
#define UNLOCK_EARLY
#define READER_UNLOCKS_EARLY
#endif

/* ---- being told ------------------------------------------------------------------------------------ */

#ifdef V_NOT_CHECKED_FIRST         /* maps what is known to be torn, and is told at the end */
#define CHECKS_FIRST 0
#else
#define CHECKS_FIRST 1
#endif
#ifdef M_NOT_CHECKED_LAST          /* does not look again at the end */
#define CHECKS_LAST 0
#else
#define CHECKS_LAST 1
#endif
/* Timeline::taint, and the look of Mapping::commit: torn content stays odd. */
#define TAINT                                                              \
    if                                                                     \
    :: role == UPDATES ->                                                  \
       STEP(bad = IS_POISONED(n));                                         \
       STEP(if :: bad -> poisoned = MAX(poisoned, submitted) :: else fi; bad = 0) \
    :: else                                                                \
    fi;
#if defined(V_NO_TAINT) || defined(M_NO_TAINT)
#define TAINT_EARLY
#define TAINT_LATE
#elif defined(V_TAINT_EARLY) || defined(M_TAINT_EARLY) /* before the promise */
#define TAINT_EARLY TAINT
#define TAINT_LATE
#else
#define TAINT_EARLY
#define TAINT_LATE TAINT
#endif
#if defined(V_COMMITS_ANYWAY) || defined(M_NO_TAINT) || defined(M_TAINT_EARLY) /* looks after the unlock */
#define COMMIT_LOOKS
#else
#define COMMIT_LOOKS                                                       \
    STEP(if                                                                \
         :: role == UPDATES && IS_POISONED(n) -> goto unlock_write         \
         :: else                                                           \
         fi);
#endif

/* Who waited for its kernel is told now; the others look when all is done. */
#define TELL                                                               \
    STEP(if                                                                \
         :: synced ->                                                      \
            CHECK(told, !HAS(torn[me], n) || (CHECKS_LAST && IS_POISONED(n))); \
            CHECK(told_truly, !IS_POISONED(n) || HAS(lost | spoiled, n))   \
         :: else                                                           \
         fi);
#ifdef M_TELL_UNLOCKED             /* looks after the lock is given back */
#define TELL_EARLY
#define TELL_LATE TELL
#else
#define TELL_EARLY TELL
#define TELL_LATE
#endif

/* ---- two threads of one process -------------------------------------------------------------------- */

#if LOOKER
#define LOCK_MUTEX if :: me == 0 -> STEP(!busy -> busy = 1) :: else fi;
#define UNLOCK_MUTEX if :: me == 0 -> STEP(busy = 0) :: else fi;
#ifdef M_ORDERS_ANYWAY             /* though more has been promised meanwhile */
#define STILL_LAST 1
#else
#define STILL_LAST submitted == v
#endif
#define AWAIT_DIRTY                                                        \
    atomic { v = submitted; own = (owner == me + 1) };                    \
    atomic {                                                               \
        if                                                                 \
        :: written >= v || (own && last_write[me] == s + 1) -> v = 0       \
        :: else -> GIVE(s, WAIT_WRITTEN, v)                                \
        fi                                                                 \
    };                                                                     \
    atomic {                                                               \
        v == 0 || !busy;                                                   \
        if :: v != 0 && STILL_LAST -> last_write[me] = s + 1 :: else fi;   \
        v = 0; own = 0; s = 0                                              \
    }
#else
#define LOCK_MUTEX
#define UNLOCK_MUTEX
#endif

/* ---- the host: promises of the dead ---------------------------------------------------------------- */

#define MAX(a, b) (a > b -> a : b)
#if defined(M_SETTLE_NOT_READS)
#define PROMISE_READS
#define SETTLE_READS
#elif defined(M_READS_NOT_MAX)     /* of the two numbers always the promised one */
#define PROMISE_READS
#define SETTLE_READS                                                       \
    atomic { CHECK(forward, read[s] <= read_submitted[s]); read[s] = read_submitted[s] };
#else
#define PROMISE_READS                                                      \
    atomic { CHECK(forward, read_submitted[s] <= MAX(read[s], read_submitted[s])); \
             read_submitted[s] = MAX(read[s], read_submitted[s]) };
#define SETTLE_READS atomic { read[s] = MAX(read[s], read_submitted[s]) };
#endif

/* DeviceWords::promise_what_was_given: it had the signal of a write that it did not promise. */
#if defined(V_CLAIMS_ANY) || defined(M_CLAIMS_STORED) /* whoever it is, not only who has the lock */
#define MAY_WRITE 1
#else
#define MAY_WRITE lock_writer == s + 1
#endif
#if defined(V_SUBMITTED_STORED) || defined(M_CLAIMS_STORED) /* and not raised */
#define RAISE_SUBMITTED CHECK(forward, submitted <= next); submitted = next; owner = s + 1
#else
#define RAISE_SUBMITTED                                                    \
    if                                                                     \
    :: submitted < next || (submitted == next && owner < s + 1) -> submitted = next; owner = s + 1 \
    :: else                                                                \
    fi
#endif
#ifdef M_NOT_MAX                   /* the promised number only */
#define PROMISE_WRITES
#else
#define PROMISE_WRITES                                                     \
    if                                                                     \
    :: atomic { MAY_WRITE -> next = submitted + 1 };                       \
       if                                                                  \
       :: written >= next -> again = 1                                     \
       :: else -> if :: promises[next] == s + 1 -> again = 1 :: else fi    \
       fi;                                                                 \
       if                                                                  \
       :: again ->                                                         \
          atomic { promises[next] = s + 1; again = 0 };                    \
          atomic { RAISE_SUBMITTED; next = 0 }                             \
       :: else -> next = 0                                                 \
       fi                                                                  \
    :: else                                                                \
    fi;
#endif

#ifdef M_SETTLE_ANY                /* whoever made the promise */
#define IS_DEADS promises[n] != 0
#else
#define IS_DEADS promises[n] == s + 1
#endif
#define RAISE_POISON(value) atomic { poisoned = MAX(poisoned, value) };
#if defined(M_POISON_ONCE)         /* looks first at what came on top */
#define POISON                                                             \
    atomic { last = submitted };                                           \
    atomic { deep = (fresh <= n) };                                        \
    RAISE_POISON((deep -> last : n))
#else
#ifdef M_POISON_NOT_AGAIN          /* although more came on top meanwhile */
#define ALL_POISONED 1
#else
#define ALL_POISONED deep || submitted == last
#endif
#ifdef M_POISON_STOPS              /* where a whole new content follows, so only the dead one's */
#define BEFORE_FRESH n
#else
#define BEFORE_FRESH fresh - 1
#endif
#define POISON                                                             \
    RAISE_POISON(n)                                                        \
    do                                                                     \
    :: atomic { last = submitted };                                        \
       atomic { deep = (fresh > n); last = (deep -> BEFORE_FRESH : last) }; \
       RAISE_POISON(last)                                                  \
       if :: ALL_POISONED -> break :: else fi                              \
    od;
#endif
#if defined(M_NO_POISON)
#define POISON_EARLY
#define POISON_LATE
#elif defined(M_POISON_LATE)       /* lets the others go on first */
#define POISON_EARLY
#define POISON_LATE POISON
#else
#define POISON_EARLY POISON
#define POISON_LATE
#endif
#ifdef M_NOT_DEFERRED              /* though an earlier write of the living is under way */
#define IS_NEXT written < n
#else
#define IS_NEXT written == n - 1
#endif
#ifdef M_REUSED_EARLY              /* gives the slot out all the same */
#define IS_UNSETTLED 0
#else
#define IS_UNSETTLED again
#endif
#ifdef M_SETTLE_NOT_WRITES
#define SETTLE_WRITES
#else
#define SETTLE_WRITES                                                      \
    atomic { n = written + 1; seen_written[s] = written };                 \
    atomic { end = submitted; seen_submitted[s] = submitted };             \
    do                                                                     \
    :: n <= end ->                                                         \
       if                                                                  \
       :: IS_DEADS ->                                                      \
          POISON_EARLY                                                     \
          atomic {                                                         \
              if                                                           \
              :: IS_NEXT -> written = n                                    \
              :: else -> if :: written < n -> again = 1 :: else fi         \
              fi };                                                        \
          POISON_LATE                                                      \
       :: else                                                             \
       fi;                                                                 \
       n++; last = 0; deep = 0                                             \
    :: else -> break                                                       \
    od;
#endif

#define FREE_LOCK                                                          \
    atomic { if :: lock_writer == s + 1 -> lock_writer = 0 :: else fi };   \
    atomic { CLEAR(lock_readers, s) };
#ifdef M_REPAIR_LOCK_FIRST
#define REPAIR_LOCK_EARLY FREE_LOCK
#define REPAIR_LOCK_LATE
#else
#define REPAIR_LOCK_EARLY
#define REPAIR_LOCK_LATE FREE_LOCK
#endif
#ifdef M_REPAIR_DYING              /* at the hang-up, while its streams still run */
#define HANG_UP :: atomic { life[0] == dying -> s = 0 }; goto repair       \
                :: atomic { life[1] == dying -> s = 1 }; goto repair
#else
#define HANG_UP
#endif

/* ---- the host: is the memory worked on? ------------------------------------------------------------- */

#ifdef M_IDLE_IGNORES_WRITES
#define WRITES_DONE 1
#else
#define WRITES_DONE written >= submitted
#endif
#if defined(M_IDLE_IGNORES_READS)
#define READS_DONE 1
#elif SLOTS > 2
#define READS_DONE (read[0] >= read_submitted[0] && read[1] >= read_submitted[1]           \
                    && read[2] >= read_submitted[2])
#else
#define READS_DONE (read[0] >= read_submitted[0] && read[1] >= read_submitted[1])
#endif
#define IS_IDLE (WRITES_DONE && READS_DONE)

/* A kernel is the last but its signal in a queue; with nothing but signals left there is none. */
#define KERNEL_IN(q) (HAS(writing | reading, q) || KERNEL_AT(q, 0) || KERNEL_AT(q, 1)      \
                      || KERNEL_AT(q, 2) || KERNEL_AT(q, 3) || KERNEL_AT(q, 4))
#define KERNEL_AT(q, i) (queue[q].item[i] >> 3 >= WRITE && queue[q].item[i] >> 3 <= READ)
#define KERNELS_OF(p) (KERNEL_IN(Q(p, 0)) || KERNEL_IN(Q(p, 1)))
#define NOTHING_OF(p) (IS_EMPTY(Q(p, 0)) && IS_EMPTY(Q(p, 1)) && IS_EMPTY(Q(p, OWN)))
#if SLOTS > 2
#define KERNELS_GIVEN (KERNELS_OF(0) || KERNELS_OF(1) || KERNELS_OF(2))
#define NOTHING_GIVEN (NOTHING_OF(0) && NOTHING_OF(1) && NOTHING_OF(2))
#else
#define KERNELS_GIVEN (KERNELS_OF(0) || KERNELS_OF(1))
#define NOTHING_GIVEN (NOTHING_OF(0) && NOTHING_OF(1))
#endif
