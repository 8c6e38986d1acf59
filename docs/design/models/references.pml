/* SPDX-License-Identifier: Apache-2.0
 *
 * References to one entry: get() by consumers against free() through the host, against the
 * producer that recycles the memory for the next generation, with deaths at every step
 * (DESIGN section 4, points 7, 8, 9 and 11). README.md tells what is checked; `check` runs it.
 *
 * Configuration: SLOTS (slot 0 is the producer), DEATHS, GENERATIONS (publishes in all), THREADS
 * (of each consumer; more than one only without deaths).
 * M_...: a mutant that must fail; V_...: a variant that must hold; see references_mutants.pml.
 */

#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef GENERATIONS
#define GENERATIONS 3
#endif
#ifndef THREADS
#define THREADS 1
#endif
#define PRODUCER 0

#include "steps.pml"

mtype = { alive, dead, vacant };               /* a slot */
mtype = { unused, live, doomed };               /* an entry */
mtype = { none, publish, free_entry, leave };  /* a request to the host */

/* ---- directory: the host alone writes, each word a store of its own ----------------------- */

mtype state = unused;
byte generation;
bit segment;                       /* stands for all other words: segment, offset, capacity */

/* ---- lock line: everybody writes ---------------------------------------------------------- */

byte references;                   /* one bit per slot */

/* ---- private to a process, guarded by its mutex -------------------------------------------- */

byte held[SLOTS];                  /* references of its threads: the first sets the bit */
bit left[SLOTS];                   /* it said LEAVE: from then on it touches nothing */

/* ---- the host's own, and its sockets ------------------------------------------------------ */

mtype life[SLOTS] = alive;
mtype request[SLOTS] = none;       /* one in flight per client; `none` again is the answer */
bit wanted;                        /* the segment named in a publish */
bit look;                          /* something happened after which memory may be unused */
bit orphan;                        /* no process owns the pool of this entry any more */
byte finished;                     /* slots whose process left or was not replaced */

/* ---- ghosts ------------------------------------------------------------------------------- */

byte content[2];                   /* which generation's data the segment holds; 0: none */
byte dooms;                        /* bound on frees by consumers, to keep the model small */

#define DIE                                                                \
    life[me] = dead; held[me] = 0; k = 0; mine = 0; at = 0

#include "references_mutants.pml"

/* ---- the producer, slot 0 ----------------------------------------------------------------- */

#define ASK(what)    STEP(request[me] = what); STEP(request[me] == none -> skip)

proctype Producer()
{
    byte me = PRODUCER, k, mine;
    bit at;

ready:
    if
    :: atomic { generation < GENERATIONS && state != live -> skip }
    :: atomic { request[me] = leave -> goto left_context }
    DEATH
    fi;
    /* Is the entry mine to fill? Nothing was published, or it is doomed and nobody holds it. */
    STEP(if :: state == unused -> goto fill :: state == doomed :: state == live -> goto ready fi);
#ifndef M_RECYCLE_UNSEEN
    LOOK(references, ready, fill);
#endif
fill:
    STEP(mine = generation + 1; if :: at = 0 :: at = 1 fi; content[at] = mine);
    STEP(wanted = at; request[me] = publish);
    STEP(request[me] == none -> mine = 0; at = 0);
    ASK(free_entry);
    goto ready;

died:
end_died:
    atomic { life[me] == alive -> goto ready }
left_context:
    skip
}

/* ---- a thread of a consumer ---------------------------------------------------------------- */

proctype Consumer(byte me)
{
    byte k, mine;
    bit at;

ready:
    if
    :: atomic { state == live && !left[me] -> skip }        /* looks the name up */
    :: atomic { left[me] -> goto left_context }
    :: atomic { !left[me] && held[me] == 0 -> left[me] = 1; request[me] = leave;
                goto left_context }
    DEATH
    fi;
    FIRST_LOOK
    BIT_FIRST
    SECOND_LOOK
    BIT_LAST

    /* It is mine: no step of anybody may change what I see, until I let go. */
    STEP(assert(content[at] == mine));
    if
    :: skip
    :: dooms == 0 -> STEP(dooms = 1; request[me] = free_entry); STEP(request[me] == none -> skip)
    fi;
    STEP(assert(content[at] == mine));

    TELL_BEFORE
    STEP(mine = 0; at = 0; FORGET_REFERENCE);
    TELL_AFTER
    goto ready;

failed:
    TELL_BEFORE
    STEP(mine = 0; at = 0; FORGET_FAILED);
    TELL_AFTER
    goto ready;

died:
end_died:
    atomic { life[me] == alive -> goto ready }
left_context:
    skip
}

/* ---- the host ----------------------------------------------------------------------------- */

proctype Host()
{
    byte s, k;

serve:
end_host:
    do
    :: atomic { request[0] != none -> s = 0 }; goto obey
    :: atomic { request[1] != none -> s = 1 }; goto obey
    :: atomic { life[0] == dead -> s = 0 }; goto repair
    :: atomic { life[1] == dead -> s = 1 }; goto repair
#if SLOTS > 2
    :: atomic { request[2] != none -> s = 2 }; goto obey
    :: atomic { life[2] == dead -> s = 2 }; goto repair
#endif
    HANG_UP
    :: atomic { LOOKS && RECLAIMABLE -> look = 0 }; goto reclaim
    :: atomic { orphan && state == live -> skip }; goto doom    /* the job drops its reference */
    :: atomic { timeout && finished == EVERYONE ->              /* quiet: nothing may be left */
           assert(references == 0 && state != doomed); break }
    AUDIT_POLLING
    od;
    goto done;

obey:
    if
    :: atomic { request[s] == none -> skip }
    :: atomic { request[s] == publish && state == live -> request[s] = none }     /* refused */
    :: atomic { request[s] == publish && state != live -> PUBLISH_0; PUBLISH_1 };
       atomic { PUBLISH_2 };
       atomic { PUBLISH_3; request[s] = none }
    :: atomic { request[s] == free_entry && state != live -> request[s] = none }
    :: atomic { request[s] == free_entry && state == live -> state = doomed; look = 1;
                request[s] = none }
    :: atomic { request[s] == leave && s == PRODUCER -> request[s] = none; orphan = 1; look = 1;
                SET(finished, s) }
    :: atomic { request[s] == leave && s != PRODUCER -> request[s] = none; SET(finished, s) }
    fi;
    s = 0;
    goto serve;

doom:
    atomic { if :: state == live -> state = doomed; look = 1 :: else fi };
    goto serve;

/* Nobody recycles it and nobody holds it: close it. Maps that exist would stay valid; the model
 * is stricter and lets the content vanish. */
reclaim:
    do
    :: atomic { HAS(references, k) -> k = 0; goto serve }
    :: atomic { !HAS(references, k) && k < SLOTS - 1 -> k++ }
    :: atomic { !HAS(references, k) && k == SLOTS - 1 -> k = 0; break }
    od;
    atomic { state = unused; content[0] = 0; content[1] = 0 }
    goto serve;

repair:
    atomic { REUSE_EARLY }
    atomic { DROP_REQUEST }
    atomic { REPAIR_REFERENCE }
    atomic { if :: s == PRODUCER -> orphan = 1 :: else fi; LOOK_AFTER_REPAIR }
    atomic {
        if
        :: life[s] != dead
        :: life[s] == dead && s != PRODUCER -> life[s] = alive
        :: life[s] == dead -> life[s] = vacant; SET(finished, s)
        fi;
        s = 0
    }
    goto serve;
done:
    skip
}

init {
    atomic {
        run Host();
        run Producer();
        run Consumer(1);
#if THREADS > 1
        run Consumer(1);
#endif
#if SLOTS > 2
        run Consumer(2)
#endif
    }
}
