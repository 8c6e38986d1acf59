/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads of one process share its slot: one reader bit, one sleeper bit, one name in the writer
 * word (DESIGN section 4, point 10: "counted under that process's own mutex"). This model is the
 * process's side of entry_lock.pml: slot 0 has two threads, slot 1 one.
 *
 * Nobody dies here: what is counted is private memory and dies with its process, and what deaths
 * do to the shared words is entry_lock.pml's business.
 *
 * Configuration: ROLE0.. (what each thread may do). M_...: a mutant that must make the check fail.
 */

#define SLOTS   2
#define THREADS 3
#define DEATHS  0
#define WRITES  1
#define READS   2
#ifndef ROLE0
#define ROLE0 READS
#endif
#ifndef ROLE1
#define ROLE1 READS
#endif
#ifndef ROLE2
#define ROLE2 WRITES
#endif
#define ROLE(t) (t == 0 -> ROLE0 : (t == 1 -> ROLE1 : ROLE2))

#include "steps.pml"

/* ---- shared by all processes --------------------------------------------------------------- */

byte writer, readers, sleepers;
Event released, drained;

/* ---- private to a process, guarded by its mutex -------------------------------------------- */

bit mutex[SLOTS];
byte inside[SLOTS];                /* threads that read: first sets the bit, last clears it */
byte asleep[SLOTS];                /* threads that sleep: likewise, for the sleeper bit */

/* ---- ghosts -------------------------------------------------------------------------------- */

byte writing, reading;             /* threads inside */
byte finished;

#define LOCK   STEP(mutex[slot] == 0 -> mutex[slot] = 1)
#define UNLOCK mutex[slot] = 0

/* ---- the mutants ---------------------------------------------------------------------------- */

#ifdef M_READERS_NOT_COUNTED       /* every thread clears the bit when it leaves */
#define LAST_READER 1
#else
#define LAST_READER inside[slot] == 0
#endif
#ifdef M_SLEEPERS_NOT_COUNTED      /* every thread clears the bit when it wakes */
#define LAST_SLEEPER 1
#else
#define LAST_SLEEPER asleep[slot] == 0
#endif
#ifdef M_READER_BIT_OUTSIDE        /* counts under the mutex, clears the bit after it */
#define LEAVE_UNLOCK UNLOCK
#define LEAVE_AFTER  skip
#else
#define LEAVE_UNLOCK skip
#define LEAVE_AFTER  UNLOCK
#endif
#ifdef M_SLEEPER_BIT_OUTSIDE
#define WAKE_UNLOCK UNLOCK
#define WAKE_AFTER  skip
#else
#define WAKE_UNLOCK skip
#define WAKE_AFTER  UNLOCK
#endif
#ifdef M_SKIPS_OWN_SLOT            /* looks at the sleeper bits of other slots only */
#define OTHERS_OF(w) (w & ~BIT(slot))
#else
#define OTHERS_OF(w) w
#endif
#ifdef M_FUTEX_UNDER_MUTEX         /* sleeps while it holds the process's mutex */
#define SLEEP_UNLOCK skip
#define SLEEP_LOCK   skip
#else
#define SLEEP_UNLOCK UNLOCK
#define SLEEP_LOCK   mutex[slot] == 0 -> mutex[slot] = 1
#endif

#define ANNOUNCE(e) STEP(BUMP(e)); WAKE_IF(OTHERS_OF(sleepers), , WAKE(e));

#define FALL_ASLEEP                                                        \
    LOCK;                                                                  \
    STEP(asleep[slot]++; SET(sleepers, slot));                             \
    STEP(SLEEP_UNLOCK)

#define AWAKE                                                              \
    STEP(SLEEP_LOCK);                                                      \
    STEP(asleep[slot]--; last = LAST_SLEEPER; WAKE_UNLOCK);                \
    STEP(if :: last -> CLEAR(sleepers, slot) :: else fi; last = 0; WAKE_AFTER)

proctype Thread(byte me; byte slot)
{
    byte k;
    bit last, write;

ready:
    atomic {
        write = 0;
        if
        :: ROLE(me) & WRITES -> write = 1; goto take_writer
        :: ROLE(me) & READS  -> goto enter
        :: SET(finished, me); goto left_context
        fi
    }

    /* ---- a writer: the word itself tells one thread from another ---- */
take_writer:
    STEP(if :: writer == 0 -> writer = slot + 1 :: else -> goto sleep_until_free fi);
drain:
    LOOK(readers, sleep_until_drained, inside_writer);
sleep_until_drained:
    FALL_ASLEEP;
    STEP(READ_EVENT(drained));
    LOOK(readers, wait_until_drained, awake_from_drained);
wait_until_drained:
    STEP(FUTEX_WAIT(drained));
    SLEEP(drained);
awake_from_drained:
    STEP(FORGET(drained, me));
    AWAKE;
    goto drain;
inside_writer:
    STEP(assert((writing | reading) == 0); SET(writing, me));
    STEP(CLEAR(writing, me); writer = 0);
    ANNOUNCE(released)
    goto ready;

    /* ---- a reader: the whole attempt stands under the mutex; nothing in it waits ---- */
enter:
    LOCK;
    if
    :: atomic { inside[slot] > 0 -> goto entered }          /* nests, whatever the word says */
    :: atomic { inside[slot] == 0 -> skip }
    fi;
    STEP(if :: writer == 0 :: else -> UNLOCK; goto sleep_until_free fi);
    STEP(SET(readers, slot));
    STEP(if :: writer == 0 -> goto entered :: else fi);
    STEP(CLEAR(readers, slot));
    STEP(UNLOCK);
    ANNOUNCE(drained)
    goto sleep_until_free;
entered:
    STEP(inside[slot]++; UNLOCK; assert(writing == 0); SET(reading, me));
    STEP(CLEAR(reading, me); assert(writing == 0));
    LOCK;
    STEP(inside[slot]--; last = LAST_READER; LEAVE_UNLOCK);
    STEP(if :: last -> CLEAR(readers, slot)
            :: else -> last = 0; LEAVE_AFTER; goto ready fi; last = 0; LEAVE_AFTER);
    ANNOUNCE(drained)
    goto ready;

sleep_until_free:
    FALL_ASLEEP;
    STEP(READ_EVENT(released));
    STEP(if :: writer == 0 -> goto awake_from_free :: else fi);
    STEP(FUTEX_WAIT(released));
    SLEEP(released);
awake_from_free:
    STEP(FORGET(released, me));
    AWAKE;
    if :: write -> goto take_writer :: else -> goto enter fi;

left_context:
    skip
}

/* Quiet: nothing may be left behind. A sleeper that nobody woke never gets here. */
proctype Audit()
{
end_audit:
    atomic { finished == (1 << THREADS) - 1 ->
             assert(writer == 0 && readers == 0 && sleepers == 0) }
}

init { atomic { run Audit(); run Thread(0, 0); run Thread(1, 0); run Thread(2, 1) } }
