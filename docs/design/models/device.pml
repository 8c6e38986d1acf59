/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of the work that several processes give to a device on one piece of its memory: the
 * words that promise it, the second stream of a process, deaths, the host that settles promises
 * and recycles (docs/design/device_memory.md). README.md tells what is checked; `check` runs it.
 *
 * The entry's lock is the one that entry_lock.pml proves; here it is taken and given back in one
 * step. What a process gives to a stream waits in a queue, which the device works off at any
 * later time, a kernel in two steps.
 *
 * Configuration: SLOTS, ROLE0.. (what the process in that slot may do), USES0.. (its streams: 1 one,
 * 2 two), ROUNDS (accesses per slot), DEATHS, LOOKER (another thread of process 0 reads dirty).
 * M_...: a mutant that must fail; V_...: a variant that must hold; see device_mutants.pml.
 */

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef LOOKER
#define LOOKER 0
#endif
#define WRITES  1                  /* a whole new content */
#define UPDATES 2                  /* a change in place */
#define READS   4
#ifndef ROLE0
#define ROLE0 WRITES
#endif
#ifndef ROLE1
#define ROLE1 READS
#endif
#ifndef ROLE2
#define ROLE2 READS
#endif
#define ROLE(s) (s == 0 -> ROLE0 : (s == 1 -> ROLE1 : ROLE2))
#ifndef USES0
#define USES0 1
#endif
#ifndef USES1
#define USES1 1
#endif
#ifndef USES2
#define USES2 1
#endif
#define USES(s) (s == 0 -> USES0 : (s == 1 -> USES1 : USES2))

#include "steps.pml"

/* ---- shared words: DeviceWords, the lock, the version ------------------------------------------ */

byte written, poisoned;
byte submitted, owner;             /* one word: the number, and who promised it (slot + 1) */
byte fresh;                        /* the last write of a whole new content */
byte promises[8];                  /* who promised that number: slot + 1 */
byte readers;                      /* slots that ever read */
byte read[SLOTS], read_submitted[SLOTS];
byte lock_writer;                  /* 0, or slot + 1 */
byte lock_readers;                 /* one bit per slot */
bit odd;                           /* the version: a writer is inside, or died there */
byte references = EVERYONE;        /* one bit per slot */

/* ---- private to a process, guarded by its mutex ------------------------------------------------ */

byte last_write[SLOTS], last_read[SLOTS]; /* stream that the last promise is ordered on, plus 1 */
#if LOOKER
bit busy;                          /* the mutex of process 0's promise of writes */
#endif

/* ---- the device: a queue for each stream ------------------------------------------------------- */

#define OWN 2                      /* the library's own stream; 0 and 1 are the user's */
#define Q(p, s) ((p) * 3 + (s))
#ifndef CAPACITY
#define CAPACITY 8
#endif
typedef Queue { byte item[CAPACITY] };     /* 0: nothing; the first is under way */
Queue queue[SLOTS * 3];
short writing, reading;            /* kernels that run, one bit per queue */

#define WAIT_WRITTEN 1
#define SIGNAL_WRITE 2
#define WRITE        3             /* kernels */
#define UPDATE       4
#define READ         5
#define AFTER        6             /* waits for an event of user's stream 0; 7: of 1 */
#define SIGNAL_READ  8
#define WAIT_READ    9             /* of slot 0; 10, 11: of 1, 2 */
#define OP(q)       queue[q].item[0] >> 3
#define VALUE(q)    queue[q].item[0] % 8
#define READER_OF(q) (queue[q].item[0] >> 3) - WAIT_READ
#define IS_EMPTY(q) queue[q].item[0] == 0

/* Gives work to a stream of process `me`. Part of a step. */
#define GIVE(s, op, value)                                                 \
    d_step {                                                               \
        i = 0;                                                             \
        do :: queue[Q(me, s)].item[i] != 0 -> i++ :: else -> break od;     \
        queue[Q(me, s)].item[i] = ((op) << 3) | (value); i = 0             \
    }
/* The event of user's stream `s`, for the own stream to wait for: the work that it has now. */
#define GIVE_AFTER                                                         \
    d_step { j = 0; do :: queue[Q(me, s)].item[j] != 0 -> j++ :: else -> break od }; \
    GIVE(OWN, AFTER + s, j); j = 0
/* The first of a queue is done; whoever waits for an event of the stream waits for one less. */
#define POP(q)                                                             \
    d_step {                                                               \
        i = 0;                                                             \
        do                                                                 \
        :: i < CAPACITY - 1 -> queue[q].item[i] = queue[q].item[i + 1]; i++ \
        :: else -> queue[q].item[i] = 0; i = 0; break                      \
        od;                                                                \
        do                                                                 \
        :: s != OWN && queue[Q(p, OWN)].item[i] != 0 ->                    \
           if                                                              \
           :: queue[Q(p, OWN)].item[i] > (AFTER + s) * 8 &&                \
              queue[Q(p, OWN)].item[i] < (AFTER + s + 1) * 8 ->            \
              queue[Q(p, OWN)].item[i]--                                   \
           :: else                                                         \
           fi;                                                             \
           i++                                                             \
        :: else -> i = 0; break                                            \
        od                                                                 \
    }

/* ---- slots, of which the host alone decides ---------------------------------------------------- */

mtype = { alive, dying, dead, vacant };    /* dying: its streams may still run */
mtype life[SLOTS] = alive;
byte unsettled;                    /* slots that are repaired, with writes after others that are under way */
byte seen_written[SLOTS], seen_submitted[SLOTS]; /* when the host looked last */
byte finished;                     /* slots whose process ended or was not replaced */
byte round[SLOTS];

/* ---- ghosts: what is true, whatever the words say ---------------------------------------------- */

#define TORN 255
byte content;                      /* number of the write that it is, whole */
short lost;                        /* promised writes that will never be whole, a bit for each */
short spoiled;                     /* changes in place of what was not what they should change */
short torn[SLOTS];                 /* reads that saw another content than promised, by its number */
bit recycled;

/* The properties; the assertion that fails has the name of one. */
bit apart = 1;                     /* no kernel beside one that writes */
bit told = 1;                      /* a whole content, the last submitted, or the reader is told */
bit told_truly = 1;                /* and is not told in vain */
bit drains = 1;                    /* everything that a living process gave to the device is done */
bit forward = 1;                   /* no word goes back */
bit unused = 1;                    /* recycled memory is not worked on */
#define CHECK(name, condition) name = (condition); assert(name)

#define DIE d_step { life[me] = dying; FORGET_LOCALS }
#define FORGET_LOCALS                                                      \
    role = 0; s = 0; t = 0; v = 0; n = 0; k = 0; seen = 0; own = 0; synced = 0; bad = 0

#include "device_mutants.pml"

/* ---- one process -------------------------------------------------------------------------------- */

/* Timeline::await: the stream waits until the word has reached what is promised of it now. */
#define AWAIT(reached, promised, is_own, last, op, ordered, ...)           \
    STEP(v = promised; own = (is_own));                                    \
    STEP(if                                                                \
         :: reached >= v || (own && IS_ORDERED(last)) -> skip              \
         :: else -> GIVE(s, op, v); ordered                                \
         fi; v = 0; own = 0; __VA_ARGS__)

/* Promise::make: the signal, then who promises (writes only), then the number. */
#define MAKE(reached, promised, last, wait, signal, name, ...)                        \
    if                                                                     \
    :: atomic { SAME_STREAM(reached, promised, last) ->                    \
           v = promised + 1; t = s; last = s + 1 }                         \
    :: atomic { !SAME_STREAM(reached, promised, last) ->                   \
           v = promised + 1; t = OWN; AFTER_USER };                        \
       STEP(if :: last != OWN + 1 -> AFTER_LAST(wait, promised) :: else fi; last = OWN + 1) \
    DEATH                                                                  \
    fi;                                                                    \
    SIGNAL_AND_SUBMIT(GIVE(t, signal, v), name, __VA_ARGS__)

proctype Client(byte me)
{
    byte role, s, t, v, n, k, seen, i, j;
    bit own, synced, bad;

ready:
    if
    :: atomic {
           FORGET_LOCALS;
           if
           :: round[me] == ROUNDS || recycled || !HAS(references, me) -> goto leave
           :: else -> round[me]++
           fi;
           if :: s = 0 :: USES(me) == 2 -> s = 1 fi;
           if
           :: ROLE(me) & WRITES  -> role = WRITES; goto lock_to_write
           :: ROLE(me) & UPDATES -> role = UPDATES; goto lock_to_write
           :: ROLE(me) & READS   -> role = READS; goto lock_to_read
           fi
       }
    DEATH
    fi;

    /* ---- a writer ---- */
lock_to_write:
    STEP(lock_writer == 0 && lock_readers == 0 -> lock_writer = me + 1);
    STEP(if :: role == UPDATES && odd -> goto unlock_write :: else fi);
    STEP(if :: role == UPDATES && IS_POISONED(submitted) -> goto unlock_write :: else fi);
    WRITE_AFTER_WRITE
    WRITE_AFTER_READ
    STEP(n = submitted);                                /* the write that it comes after */
    STEP(odd = 1);
    /* The user's kernel. */
    STEP(if
         :: role == WRITES -> GIVE(s, WRITE, n + 1)
         :: else -> GIVE(s, UPDATE, n + 1)
         fi);
    UNLOCK_EARLY
    TAINT_EARLY
    LOCK_MUTEX
    MAKE(written, submitted, last_write[me], WAIT_WRITTEN, SIGNAL_WRITE, NAME_PROMISE,
         CHECK(forward, submitted <= v); submitted = v; owner = me + 1);
    UNLOCK_MUTEX
    TAINT_LATE
    COMMIT_LOOKS
    STEP(odd = 0);
unlock_write:
    UNLOCK
    goto ready;

    /* ---- a reader ---- */
lock_to_read:
    STEP(lock_writer == 0 -> SET(lock_readers, me));
    STEP(if :: odd -> goto unlock_read :: else fi);
    STEP(n = submitted; if :: IS_POISONED(n) && CHECKS_FIRST -> goto unlock_read :: else fi);
    READ_AFTER_WRITE
    STEP(GIVE(s, READ, n));
    READER_UNLOCKS_EARLY
    if
    :: atomic { READER_BIT }                            /* does not wait for the device */
    :: atomic { IS_EMPTY(Q(me, s)) -> synced = 1; READER_BIT }    /* uses first what it read */
    DEATH
    fi;
    MAKE(read[me], read_submitted[me], last_read[me], WAIT_READ + me, SIGNAL_READ,
         NO_NAME, read_submitted[me] = v);
    READER_BIT_LATE
    TELL_EARLY
unlock_read:
    STEP(CLEAR(lock_readers, me));
    TELL_LATE
    goto ready;

leave:
    STEP(CLEAR(references, me));
    /* Then it looks at what became of its reads. */
    STEP(IS_EMPTY(Q(me, 0)) && IS_EMPTY(Q(me, 1)) && IS_EMPTY(Q(me, OWN)) -> skip);
    STEP(do
         :: n <= poisoned && CHECKS_LAST -> CLEAR(torn[me], n); n++
         :: else -> n = 0; break
         od;
         CHECK(told, torn[me] == 0); SET(finished, me));
    goto left_context;

died:
end_died:
    atomic { life[me] == alive -> goto ready }          /* another process got the number */
left_context:
    skip
}

#if LOOKER
/* Another thread of process 0, which looks without the lock: its stream waits all the same. */
proctype Looker(byte me)
{
    byte s, v, i;
    bit own;
    if :: s = 0 :: USES(me) == 2 -> s = 1 fi;
    AWAIT_DIRTY
}
#endif

/* ---- the device --------------------------------------------------------------------------------- */

proctype Stream(byte p, s)
{
    byte q, i;
    q = Q(p, s);
end_stream:
    do
    :: atomic { OP(q) == WAIT_WRITTEN && WAITED(written, VALUE(q)) -> POP(q) }
    :: atomic { OP(q) == SIGNAL_WRITE -> CHECK(forward, written <= VALUE(q));
           written = VALUE(q); POP(q) }
    :: atomic { OP(q) == SIGNAL_READ -> CHECK(forward, read[p] <= VALUE(q));
           read[p] = VALUE(q); POP(q) }
    :: atomic { OP(q) >= WAIT_READ && WAITED(read[READER_OF(q)], VALUE(q)) -> POP(q) }
    :: atomic { OP(q) >= AFTER && OP(q) <= AFTER + 1 && VALUE(q) == 0 -> POP(q) }

    :: atomic { OP(q) >= WRITE && OP(q) <= UPDATE && !HAS(writing, q) ->
           CHECK(apart, writing == 0 && reading == 0);
           CHECK(unused, !recycled);
           if
           :: OP(q) == UPDATE && (content != VALUE(q) - 1 || HAS(spoiled, content)) ->
              SET(spoiled, VALUE(q))
           :: else -> CLEAR(spoiled, VALUE(q))
           fi;
           if
           :: OP(q) == UPDATE && HAS(lost, VALUE(q) - 1) -> SET(lost, VALUE(q))
           :: else -> CLEAR(lost, VALUE(q))
           fi;
           SET(writing, q); content = TORN }
    :: atomic { HAS(writing, q) -> content = VALUE(q); CLEAR(writing, q); POP(q) }
    :: atomic { OP(q) == READ && !HAS(reading, q) ->
           CHECK(apart, writing == 0);
           CHECK(unused, !recycled);
           if
           :: content != VALUE(q) || HAS(spoiled, VALUE(q)) -> SET(torn[p], VALUE(q))
           :: else
           fi;
           SET(reading, q) }
    :: atomic { HAS(reading, q) -> CLEAR(reading, q); POP(q) }
    od
}

/* The end of a process: at any time after its death its streams stop where they are, and only
 * then its pidfd says so. */
proctype Kernel()
{
    byte p, s, i;

end_kernel:
    do
    :: atomic {
        if
        :: life[0] == dying -> p = 0
        :: life[1] == dying -> p = 1
#if SLOTS > 2
        :: life[2] == dying -> p = 2
#endif
        fi;
        do
        :: s <= OWN && i < CAPACITY ->
           if
           :: queue[Q(p, s)].item[i] >> 3 == SIGNAL_WRITE &&
              (queue[Q(p, s)].item[i] % 8 <= submitted ||
               promises[queue[Q(p, s)].item[i] % 8] == p + 1) ->
              SET(lost, queue[Q(p, s)].item[i] % 8)
           :: else
           fi;
           queue[Q(p, s)].item[i] = 0; i++
        :: s <= OWN && i == CAPACITY ->
           CLEAR(writing, Q(p, s)); CLEAR(reading, Q(p, s)); s++; i = 0
        :: else -> break
        od;
        last_write[p] = 0; last_read[p] = 0; torn[p] = 0;
        life[p] = dead; p = 0; s = 0; i = 0
       }
    od
}

/* ---- the host ----------------------------------------------------------------------------------- */

/* One that is repaired is looked at again at each tick; nothing comes of it before the words change. */
#define IS_NEWS(s)                                                         \
    (life[s] == dead && (!HAS(unsettled, s) || written != seen_written[s]  \
                                            || submitted != seen_submitted[s]))

proctype Host()
{
    byte s, next, n, end, last;
    bit again, deep;

serve:
end_host:
    do
    :: atomic { IS_NEWS(0) -> s = 0 }; goto repair
    :: atomic { IS_NEWS(1) -> s = 1 }; goto repair
#if SLOTS > 2
    :: atomic { IS_NEWS(2) -> s = 2 }; goto repair
#endif
    HANG_UP
    :: atomic { !recycled && references == 0 && IS_IDLE -> recycled = 1;
           CHECK(unused, !KERNELS_GIVEN) }
    :: atomic { timeout -> CHECK(drains, finished == EVERYONE && recycled && lock_writer == 0
                                 && lock_readers == 0 && NOTHING_GIVEN); break }
    od;
    goto done_all;

repair:
    if
    :: HAS(unsettled, s) -> goto settle
    :: else
    fi;
    REPAIR_LOCK_EARLY
    PROMISE_READS
    PROMISE_WRITES
settle:
    SETTLE_READS
    SETTLE_WRITES
    if
    :: HAS(unsettled, s) -> goto bury
    :: else
    fi;
    REPAIR_LOCK_LATE
    atomic { CLEAR(references, s) }
bury:
    atomic {
        if
        :: life[s] != dead                              /* a mutant's */
        :: life[s] == dead && IS_UNSETTLED -> SET(unsettled, s)
        :: else ->
           CLEAR(unsettled, s); seen_written[s] = 0; seen_submitted[s] = 0;
           if
           :: round[s] < ROUNDS && !recycled -> life[s] = alive; SET(references, s)
           :: else -> life[s] = vacant; SET(finished, s)
           fi
        fi;
        s = 0; next = 0; n = 0; end = 0; last = 0; again = 0; deep = 0
    }
    goto serve;
done_all:
    skip
}

init {
    atomic {
        run Kernel();
        run Host();
        run Client(0); run Stream(0, 0);
        run Client(1); run Stream(1, 0);
#if USES0 > 1
        run Stream(0, 1); run Stream(0, OWN);
#endif
#if USES1 > 1
        run Stream(1, 1); run Stream(1, OWN);
#endif
#if SLOTS > 2
        run Client(2); run Stream(2, 0);
#if USES2 > 1
        run Stream(2, 1); run Stream(2, OWN);
#endif
#endif
#if LOOKER
        run Looker(0)
#endif
    }
}
