/* SPDX-License-Identifier: Apache-2.0
 *
 * The lock of one entry, its version, its sleepers, and the host that repairs after deaths
 * (DESIGN section 4, points 9 and 10). README.md tells what is checked; `check` runs it.
 *
 * Configuration: SLOTS, ROLE0.. (what the process in that slot may do), DEATHS, TIMEOUT_FREE and
 * TIMEOUT_DRAINED (which sleeps may time out), SPURIOUS (sleeps may end for no reason), FREES (the
 * host may free the entry), ROUNDS (turns per process; 0: without end).
 * M_...: a mutant that must fail; V_...: a variant that must hold; see entry_lock_mutants.pml.
 */

#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef TIMEOUT_FREE
#define TIMEOUT_FREE 0
#endif
#ifndef TIMEOUT_DRAINED
#define TIMEOUT_DRAINED 0
#endif
#ifndef SPURIOUS
#define SPURIOUS 0
#endif
#ifndef FREES
#define FREES 0
#endif
#ifndef ROUNDS
#define ROUNDS 0
#endif
#define WRITES 1
#define READS  2
#define AWAITS 4                   /* waits for a version, takes no lock */
#ifndef ROLE0
#define ROLE0 WRITES
#endif
#ifndef ROLE1
#define ROLE1 READS
#endif
#ifndef ROLE2
#define ROLE2 READS
#endif
#ifndef ROLE3
#define ROLE3 READS
#endif
#define ROLE(s) (s == 0 -> ROLE0 : (s == 1 -> ROLE1 : (s == 2 -> ROLE2 : ROLE3)))

#include "steps.pml"

/* ---- the shared words of one entry -------------------------------------------------------- */

byte writer;                       /* 0, or slot and generation of the writer */
byte readers;                      /* one bit per slot */
byte sleepers;                     /* one bit per slot */
Event released, drained;           /* `free`: the writer word was given back; a reader bit was */
byte version;                      /* 0: never written; odd: being written; 2: complete */
byte left, right;                  /* the content: whole only if both are the same */
bit freed;                         /* the entry's state in the directory */

/* ---- slots, of which the host alone decides ----------------------------------------------- */

mtype = { alive, dead, vacant };
mtype life[SLOTS] = alive;         /* dead: the pidfd is readable, nothing is repaired yet */
byte generation[SLOTS];
byte finished;                     /* slots whose process left or was not replaced */

/* ---- ghosts: what is true, whatever the words say ----------------------------------------- */

byte writing, reading;             /* living processes inside, one bit per slot */
bit spoiled;                       /* a writer died inside or left by an exception */

#define DIE                                                                \
    if :: HAS(writing, me) -> spoiled = 1 :: else fi;                      \
    life[me] = dead; CLEAR(writing, me); CLEAR(reading, me);               \
    FORGET(released, me); FORGET(drained, me);                             \
    k = 0; seen = 0; fresh = 0; late = 0; role = 0 FIRST_ROUND

#if ROUNDS
#define FIRST_ROUND ; round = 0
#else
#define FIRST_ROUND
#endif

#include "entry_lock_mutants.pml"

/* ---- waiting ------------------------------------------------------------------------------ */

#define TIMED_OUT(e, allowed)                                              \
    :: atomic { allowed && HAS(e.asleep, me) -> CLEAR(e.asleep, me); late = 1 }  \
    :: atomic { SPURIOUS && HAS(e.asleep, me) -> CLEAR(e.asleep, me) }

/* What a sleeper on `free` waits for. */
#define WANTED (role == AWAITS -> version == 2 || freed : writer == 0)

proctype Client(byte me)
{
    byte k, seen, fresh, role;
    bit late;
#if ROUNDS
    byte round;
#endif

ready:
    atomic {
        role = 0;
#if ROUNDS
        if :: round == ROUNDS -> SET(finished, me); goto left_context :: else -> round++ fi;
#endif
        if
        :: ROLE(me) & WRITES -> role = WRITES; goto take_writer
        :: ROLE(me) & READS  -> role = READS;  goto look_at_writer
        :: ROLE(me) & AWAITS -> role = AWAITS; goto look_at_version
        :: SET(finished, me); goto left_context
        fi
    }

    /* ---- a writer ---- */
take_writer:
    STEP(if :: writer == 0 -> writer = NAME(me) :: else -> goto sleep_until_free fi);
drain:
    MAKE_ODD_EARLY
    LOOK(readers, sleep_until_drained, write);

sleep_until_drained:
    LETS_GO
    if :: TIMEOUT_DRAINED -> goto give_up :: true fi;
    BEFORE_CHECK(drained);
    LOOK_AGAIN(readers, wait_until_drained, awake_from_drained);
wait_until_drained:
    AFTER_CHECK(drained)
    STEP(FUTEX_WAIT(drained));
    SLEEP(drained, TIMED_OUT(drained, TIMEOUT_DRAINED));
awake_from_drained:
    STEP(CLEAR_SLEEPER; FORGET(drained, me);
         if :: late -> late = 0; goto give_up :: else fi);
    goto drain;

give_up:
    STEP(writer = 0);
    ANNOUNCE_GIVE_UP(released)
    goto ready;

write:
    STEP(assert((writing | reading) == 0); SET(writing, me); seen = version);
    if
    :: skip                                             /* w: a whole new content */
    :: seen & 1 && REFUSES_TORN -> goto release_writer  /* r+ refuses torn content */
    :: !(seen & 1) || !REFUSES_TORN -> assert(left == right)
    fi;
    MAKE_ODD
    atomic {                                            /* a value unlike both halves */
        seen = 0; fresh = 0;
        do :: fresh == left || fresh == right -> fresh++ :: else -> break od
    }
    STEP(left = fresh);
    STEP(right = fresh; fresh = 0);
    if
    :: MAKE_EVEN
    :: spoiled = 1                                      /* left by an exception: stays torn */
    fi;
release_writer:
    STEP(seen = 0; CLEAR(writing, me); writer = 0);
    MAKE_EVEN_LATE
    ANNOUNCE_RELEASE(released)
    goto ready;

    /* ---- a reader ---- */
look_at_writer:
    STEP(if :: FIRST_LOOK :: else -> goto sleep_until_free fi);
    STEP(SET(readers, me));
    STEP(if :: SECOND_LOOK -> assert(writing == 0); SET(reading, me) :: else -> goto back_off fi);
    STEP(seen = version; assert(!(seen & 1) || (spoiled && writing == 0)));
    if
    :: seen & 1                                         /* torn: LockAbandonedError */
    :: !(seen & 1) -> STEP(fresh = left);
                      STEP(assert(right == fresh && version == seen); fresh = 0)
    fi;
    STEP(seen = 0; CLEAR(reading, me); CLEAR(readers, me));
    ANNOUNCE_READER(drained)
    goto ready;
back_off:
    STEP(CLEAR(readers, me));
    ANNOUNCE_BACK_OFF(drained)
    goto sleep_until_free;

    /* ---- wait(version=...) ---- */
look_at_version:
    STEP(if :: WANTED -> goto ready :: else fi);
    goto sleep_until_free;

    /* ---- sleep on `free`, then begin again ---- */
sleep_until_free:
    if :: TIMEOUT_FREE -> goto ready :: true fi;
    BEFORE_CHECK(released);
    STEP(if :: RECHECK && WANTED -> goto awake_from_free :: else fi);
    AFTER_CHECK(released)
    STEP(FUTEX_WAIT(released));
    SLEEP(released, TIMED_OUT(released, TIMEOUT_FREE)
          /* nobody will ever write: waiting for ever is right */
          :: atomic { timeout && role == AWAITS && !WANTED -> FORGET(released, me); late = 1 });
awake_from_free:
    STEP(CLEAR_SLEEPER; FORGET(released, me);
         if :: late -> late = 0; goto ready :: else fi);
    if
    :: role == WRITES -> goto take_writer
    :: role == READS  -> goto look_at_writer
    :: role == AWAITS -> goto look_at_version
    fi;

died:
end_died:
    atomic { life[me] == alive -> goto ready }          /* another process got the number */
left_context:
    skip
}

/* The host. It sees a death late (pidfd), repairs the entry word by word, and only then lets
 * go of the number. */
proctype Host()
{
    byte s, name, k;
    bit named;

end_host:
    do
    :: atomic { life[0] == dead -> s = 0 }; goto repair
#if SLOTS > 1
    :: atomic { life[1] == dead -> s = 1 }; goto repair
#endif
#if SLOTS > 2
    :: atomic { life[2] == dead -> s = 2 }; goto repair
#endif
#if SLOTS > 3
    :: atomic { life[3] == dead -> s = 3 }; goto repair
#endif
    HANG_UP
    :: atomic { FREES && !freed -> freed = 1 }; WAKE_FREED
    :: atomic { finished == EVERYONE ->                 /* quiet: nothing may be left behind */
           assert(writer == 0 && readers == 0 && sleepers == 0); break }
    od;
    goto done;

repair:
    atomic { name = NAME(s); named = 0; REUSE_EARLY }
    REPAIR
    atomic {
        named = 0; name = 0;
        if
        :: life[s] != dead
        :: life[s] == dead -> generation[s]++; life[s] = alive
        :: life[s] == dead -> life[s] = vacant; SET(finished, s)
        fi;
        s = 0
    }
    goto end_host;
done:
    skip
}

#ifdef P_WRITER_LEAVES             /* readers without end do not starve a writer that drains */
ltl writer_leaves { [] (writer != 0 -> <> (writer == 0)) }
#endif

init {
    atomic {
        run Host();
        run Client(0);
#if SLOTS > 1
        run Client(1);
#endif
#if SLOTS > 2
        run Client(2);
#endif
#if SLOTS > 3
        run Client(3)
#endif
    }
}
