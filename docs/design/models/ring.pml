/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of a stream of frames (../frames.md): one producer, members of lanes, and the host that
 * opens, closes and repairs. README.md tells what is checked; `check` runs it.
 *
 * Configuration: MEMBERS, LANES (1: all members share it), FRAMES, DEATHS, JOINS (subscriptions
 * after the start), STARTS (members there from the start), HOLDS (frames a member may hold),
 * POLICY0 and POLICY1 (a set: each opening of the lane chooses one), FIRST (the producer waits for its
 * first consumer).
 * M_...: a mutant that must fail; V_...: a variant that must hold; see ring_mutants.pml.
 */

#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef LANES
#define LANES MEMBERS
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef JOINS
#define JOINS 0
#endif
#ifndef STARTS
#define STARTS MEMBERS
#endif
#ifndef HOLDS
#define HOLDS 1
#endif
#define BLOCK  1
#define DROP   2
#define LATEST 4
#ifndef POLICY0
#define POLICY0 BLOCK
#endif
#ifndef POLICY1
#define POLICY1 BLOCK
#endif
#ifndef FIRST
#define FIRST 0
#endif
#define POLICIES(l)   (l == 0 -> POLICY0 : POLICY1)
#define SOME_MAY_LOSE ((POLICY0 | POLICY1) != BLOCK)
#define LANE_OF(m)    (LANES == 1 -> 0 : m)
#define SLOTS 2                    /* of the ring */

#include "steps.pml"

/* ---- the shared words --------------------------------------------------------------------- */

#define CELL(l, s)   cell[(l) * SLOTS + (s)]
#define QUEUED(n)    ((n) << 2)
#define HELD(n, m)   (((n) << 2) | ((m) + 1))
#define NUMBER(c)    ((c) >> 2)
#define IS_FREE(c)   ((c) == 0)
#define IS_QUEUED(c) ((c) != 0 && ((c) & 3) == 0)
#define IS_HELD(c)   (((c) & 3) != 0)
#define IS_MINE(c)   (((c) & 3) == me + 1)

mtype = { running, finished, abandoned };

mtype state = running;             /* of the stream; abandoned: its producer died */
byte mask;                         /* lanes that are open */
bit used;                          /* somebody subscribed once */
bit asleep;                        /* the producer sleeps, or is about to */
Event emptied;                     /* a slot may be free */
byte cell[LANES * SLOTS];
byte accepted[LANES];
byte policy[LANES];
byte sleepers[LANES];
Event event[LANES];                /* a frame, or the end */
byte taking[MEMBERS], base[MEMBERS], taken[MEMBERS];

/* ---- of which the host alone decides ------------------------------------------------------ */

mtype = { outside, joining, inside, leaving, dead, gone };
mtype status[MEMBERS] = outside;   /* of a member */
byte members;                      /* those of all lanes, one bit each */
mtype life = inside;               /* of the producer: inside, dead, gone */
byte purged[LANES];                /* the largest frame that the host took out of the lane */
byte joins;

/* ---- ghosts ------------------------------------------------------------------------------- */

byte whole[SLOTS];                 /* the frame in a slot; 0 while it is written */
byte tag[LANES * SLOTS];           /* the frame that was queued there */
byte queues[LANES];                /* how often step 4 was done: true, whatever the words say */
byte takes[MEMBERS];               /* how often step 6 succeeded */
byte last[MEMBERS];                /* the number taken last */
byte got[LANES];                   /* numbers that were taken, one bit each */
bit quiet;                         /* nothing moves any more, and all is well */

#define TAG(l, s) tag[(l) * SLOTS + (s)]
#define EMPTY(l, s) CELL(l, s) = 0; TAG(l, s) = 0
/* The producer takes a waiting frame away, which a living lane with `block` must never see. */
#define LOSE(l, s)                                                         \
    if :: DROPS(CELL(l, s)) ->                                             \
              assert(!HAS(mask, l) || policy[l] != BLOCK);                 \
              EMPTY(l, s)                                                  \
       :: else fi

/* Who may still die is never stuck, so how many deaths there are at most is chosen at the start. */
#if DEATHS
#define EXPECT_DEATHS do :: deaths < DEATHS -> deaths++ :: break od
#else
#define EXPECT_DEATHS skip
#endif

#include "ring_mutants.pml"

/* ---- the producer ------------------------------------------------------------------------- */

#define DIE  life = dead; FORGET(emptied, me);                             \
             f = 0; s = 0; l = 0; open = 0; other = 0; waits = 0; newest = 0

#define UNHELD(s) assert(!IS_HELD(CELL(0, s)) && !IS_HELD(CELL(LANES - 1, s)))

proctype Producer()
{
    byte me, f, s, l, open;
    bit other, waits, newest;

ready:
    if
    :: atomic { f < FRAMES -> f++ }
    :: goto finish
    :: goto stop                                        /* alive, but makes no more frames */
    fi;
#if FIRST
wait_for_first:
    STEP(if :: used -> goto found_first :: else fi);
    if
    :: !waits -> ASLEEP_EARLY READ_EMPTIED_EARLY waits = 1; goto wait_for_first
    :: else -> goto sleep
    fi;
found_first:
    if :: waits -> STEP(asleep = 0; FORGET(emptied, me); waits = 0) :: else fi;
#endif

    /* Step 1: the slot used last, then the other one. */
look:
    LOOK_AT_MASK
    STEP(if
         :: LOOKS_AT(l) && !IS_FREE(CELL(l, s)) -> l = 0; s = 1 - s;
                if :: !other -> other = 1 :: else -> other = 0; goto none_free fi
         :: else -> if :: l < LANES - 1 -> l++ :: else -> l = 0; other = 0; goto write fi
         fi);
    goto look;

    /* Step 2: the older frame, then the other one. */
none_free:
#if SOME_MAY_LOSE
    atomic { s = (whole[0] < whole[1] -> 0 : 1) }
may_drop:
    STEP(if
         :: IS_FREE(CELL(l, s)) -> goto may_drop_next
         :: IS_HELD(CELL(l, s)) -> goto may_not_drop
         :: IS_QUEUED(CELL(l, s)) fi);
    STEP(if :: MAY_LOSE :: else -> goto may_not_drop fi);
may_drop_next:
    atomic { if :: l < LANES - 1 -> l++; goto may_drop :: else -> l = 0 fi }
drop:
    STEP(LOSE(l, s); if :: l < LANES - 1 -> l++; goto drop :: else -> l = 0; other = 0; goto look fi);
may_not_drop:
    atomic { l = 0; s = 1 - s;
             if :: !other -> other = 1; goto may_drop :: else -> other = 0 fi }
#endif

    /* Step 3. */
    if
    :: !waits -> ASLEEP_EARLY READ_EMPTIED_EARLY waits = 1; LAST_LOOK
    :: else
    fi;
sleep:
    ASLEEP_LATE READ_EMPTIED_LATE
    STEP(FUTEX_WAIT(emptied));
    SLEEP(emptied, :: atomic { quiet -> goto left_context });
    STEP(asleep = 0; FORGET(emptied, me); waits = 0);
#if FIRST
    if :: !used -> goto wait_for_first :: else fi;
#endif
    goto look;

write:
    if :: waits -> STEP(asleep = 0; FORGET(emptied, me); waits = 0) :: else fi;
    STEP(UNHELD(s); whole[s] = 0);
    STEP(UNHELD(s); whole[s] = f);

    STEP(open = mask);
queue:
    if :: l == LANES -> l = 0; goto queued
       :: l < LANES && !HAS(open, l) -> l++; goto queue
       :: l < LANES && HAS(open, l)
    fi;
    SHOW
    LEAVE_NEWEST
    ANNOUNCE_FRAME
    l++;
    goto queue;
queued:
    if :: open -> SECOND_MASK :: else fi;
withdraw:
    if :: !open -> l = 0; goto ready
       :: open && !HAS(open, l) -> l++; goto withdraw
       :: HAS(open, l) -> skip
    fi;
    STEP(if :: WITHDRAWS(CELL(l, s)) -> EMPTY(l, s) :: else fi; CLEAR(open, l));
    goto withdraw;

finish:
    atomic { f = 0; s = 0 }
    FINISH
    do
    :: l < LANES -> STEP(BUMP(event[l])); STEP(WAKE(event[l])); l++
    :: else -> break
    od;
    atomic { l = 0; life = gone; goto left_context }

died:
stop:
    atomic { quiet -> skip }
left_context:
    skip
}
#undef DIE

/* ---- a consumer: a process after another in the place of one member ------------------------- */

#define DIE  status[me] = dead; FORGET(event[LANE_OF(me)], me);            \
             k = 0; n = 0; at = 0; upto = 0; over = 0; again = 0

#define LANE LANE_OF(me)
#define HOLDING ((IS_MINE(CELL(LANE, 0)) -> 1 : 0) + (IS_MINE(CELL(LANE, 1)) -> 1 : 0))

proctype Consumer(byte me)
{
    byte k, n, at, upto;
    bit over, again;

    if :: status[me] == inside -> goto take :: else fi;
subscribe:
    atomic { if :: joins < JOINS -> joins++; status[me] = joining :: goto left_context fi }
    atomic { if :: status[me] == inside :: quiet -> goto left_context fi }

take:
    if
    :: STATE_FIRST
    :: atomic { HOLDING == 0 && !again -> goto leave }
    fi;
take_again:
    ACCEPTED_FIRST
scan:
    STEP(if
         :: IS_QUEUED(CELL(LANE, k)) && (SEES) && BETTER -> n = NUMBER(CELL(LANE, k)); at = k
         :: else
         fi;
         if :: k < SLOTS - 1 -> k++; goto scan :: else -> k = 0 fi);
    ACCEPTED_LAST
    STATE_LAST
    atomic { upto = 0 }
    if :: n == 0 -> goto none :: else fi;
    if :: again -> STEP(CLEAR_SLEEPER; FORGET(event[LANE], me); again = 0) :: else fi;
    NOTE_TAKING
    CLAIM
    NOTE_TAKEN

hold:
    if
    :: HOLDING < HOLDS -> goto take
    :: goto stop                                        /* keeps it for ever */
    :: skip
    fi;
give_back:
    ASKS_EARLY
    STEP(if
         :: IS_MINE(CELL(LANE, 0)) -> EMPTY(LANE, 0)
         :: IS_MINE(CELL(LANE, 1)) -> EMPTY(LANE, 1)
         :: else -> assert(false)                       /* taken away while it was read */
         fi);
    ANNOUNCE_EMPTIED
given_back:
    if :: HOLDING -> goto hold :: else -> goto take fi;

none:
    if
    :: over ->
        if :: again -> STEP(CLEAR_SLEEPER; FORGET(event[LANE], me); again = 0) :: else fi;
        atomic { over = 0;                              /* all complete frames were taken */
                 assert(!IS_QUEUED(CELL(LANE, 0)) && !IS_QUEUED(CELL(LANE, 1))) }
        if :: HOLDING -> goto give_back :: else -> goto leave fi
    :: !over && !again -> goto stop                     /* gives up: a time-out */
    :: !over && !again -> BEFORE_LAST_LOOK again = 1; LOOK_AGAIN
    :: !over && again
    fi;
wait_for_frame:
    AFTER_LAST_LOOK
    STEP(FUTEX_WAIT(event[LANE]));
    SLEEP(event[LANE], :: atomic { quiet -> goto left_context });
    STEP(CLEAR_SLEEPER; FORGET(event[LANE], me); again = 0);
    WOKEN
    goto take;

leave:
    atomic { over = 0; status[me] = leaving }
    goto is_out;
died:
is_out:
    atomic { if :: status[me] == outside -> goto subscribe :: quiet fi }
stop:
    atomic { quiet -> skip }
left_context:
    skip
}

/* ---- the host ----------------------------------------------------------------------------- */

#define ALONE(m)      (LANES > 1 || (members & ~BIT(m)) == 0)
#define TELL_EMPTIED  BUMP(emptied) }; atomic { WAKE(emptied)
#define TELL_LANE(l)  BUMP(event[l]) }; atomic { WAKE(event[l])
/* Not to be kept: the frame waits for nobody. */
#define PURGE(l, s)                                                        \
    if :: IS_QUEUED(CELL(l, s)) ->                                           \
              assert(status[m] != joining || !HAS(mask, l));               \
              if :: NUMBER(CELL(l, s)) > purged[l] -> purged[l] = NUMBER(CELL(l, s)) :: else fi; \
              EMPTY(l, s)                                                  \
       :: else fi

#define CLOSED_AT_REST(l)                                                  \
    assert(HAS(mask, l) || (IS_FREE(CELL(l, 0)) && IS_FREE(CELL(l, 1)) && sleepers[l] == 0))
#define HELD_AT_REST(l, s)                                                 \
    assert(!IS_HELD(CELL(l, s)) || status[(CELL(l, s) & 3) - 1] == inside)
#define WORK(l)       (IS_QUEUED(CELL(l, 0)) || IS_QUEUED(CELL(l, 1)))
#define LANE_AT_REST(l)                                                    \
    CLOSED_AT_REST(l); HELD_AT_REST(l, 0); HELD_AT_REST(l, 1);             \
    assert(accepted[l] == queues[l]);                                      \
    assert((sleepers[l] & ~event[l].asleep) == 0);                         \
    assert(event[l].asleep == 0 || (state == running && !WORK(l)))
#define YIELDS(l, s)  (IS_FREE(CELL(l, s)) || (IS_QUEUED(CELL(l, s)) && policy[l] != BLOCK))
#define GIVES_SLOT(s) (YIELDS(0, s) && YIELDS(LANES - 1, s))
#define PRODUCER_AT_REST                                                   \
    assert(!asleep || emptied.asleep);                                     \
    assert(!emptied.asleep || (FIRST && !used) || (!GIVES_SLOT(0) && !GIVES_SLOT(1)))

proctype Host()
{
    byte m, l, k, r;

serve:
    do
    :: atomic { status[0] == joining -> m = 0; goto join }
    :: atomic { status[0] == leaving || status[0] == dead -> m = 0; goto repair }
#if MEMBERS > 1
    :: atomic { status[1] == joining -> m = 1; goto join }
    :: atomic { status[1] == leaving || status[1] == dead -> m = 1; goto repair }
#endif
    :: atomic { life == dead -> goto repair_producer }
    :: atomic { timeout ->                              /* nothing moves: is it right so? */
           LANE_AT_REST(0);
           LANE_AT_REST(LANES - 1);
           assert(taken[0] == takes[0] && taken[MEMBERS - 1] == takes[MEMBERS - 1]);
           PRODUCER_AT_REST;
           quiet = 1; goto done }
    od;

join:
    atomic { SET(members, m); l = LANE_OF(m); if :: HAS(mask, l) -> goto joined :: else fi }
    OPEN
    atomic { used = 1; TELL_OPENED }
joined:
    atomic { if :: status[m] == joining -> status[m] = inside :: else fi; m = 0; l = 0; goto serve }

    /* Of who left only the place; of who died also what it held. */
repair:
    atomic { l = LANE_OF(m); if :: status[m] == leaving -> goto forget :: else fi }
    REPAIR_BUMP_FIRST
    do
    :: k < SLOTS ->
        if
        :: (CELL(l, k) & 3) == m + 1 -> REPAIR_TAKEN; atomic { REPAIR_HELD }
        :: else
        fi;
        k++
    :: else -> k = 0; break
    od;
    atomic { REPAIR_SLEEPER }
forget:
    if
    :: ALONE(m) -> CLOSE
    :: else
    fi;
    REPAIR_EMPTIED
    REPAIR_EVENT
    atomic {
        CLEAR(members, m);
        status[m] = outside;
        m = 0; l = 0; goto serve
    }

repair_producer:
    REPAIR_STATE_FIRST
    do
    :: l < LANES ->
        REPAIR_ACCEPTED
        REPAIR_CLOSED
        l++
    :: else -> l = 0; break
    od;
    atomic { REPAIR_ASLEEP }
    REPAIR_STATE
    do
    :: l < LANES -> REPAIR_TELLS l++
    :: else -> l = 0; break
    od;
    atomic { life = gone; goto serve }
done:
    skip
}

init {
    atomic {
        do
        :: joins < STARTS ->
            status[joins] = inside; SET(members, joins); used = 1; SET(mask, LANE_OF(joins)); joins++
        :: else -> break
        od;
        joins = 0;
        EXPECT_DEATHS;
        CHOOSE_POLICY(0);
#if LANES > 1
        CHOOSE_POLICY(1);
#endif
        run Host();
        run Producer();
        run Consumer(0);
#if MEMBERS > 1
        run Consumer(1)
#endif
    }
}
