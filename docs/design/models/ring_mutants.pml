/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of ring.pml that the protocol stands on, each with the mutants that leave it out or
 * move it. Without an M_... or V_... this file is the protocol. With M_... the check must fail.
 * V_... are changes that look like mutants and are right: they must hold.
 */

/* ---- who takes a frame away: a compare-and-swap, never a store --------------------------------- */

#ifdef M_DROP_BY_STORE             /* step 2 */
#define DROPS(c) !IS_FREE(c)
#else
#define DROPS(c) IS_QUEUED(c)
#endif
#ifdef M_WITHDRAW_BY_STORE         /* step 9 */
#define WITHDRAWS(c) !IS_FREE(c)
#else
#define WITHDRAWS(c) IS_QUEUED(c)
#endif

/* ---- the producer looks for a slot ----------------------------------------------------------- */

#ifdef V_LOOKS_AT_OPEN             /* at the lanes that are open only */
#define LOOK_AT_MASK if :: l == 0 -> STEP(open = mask) :: else fi;
#define LOOKS_AT(l) HAS(open, l)
#else
#define LOOK_AT_MASK
#define LOOKS_AT(l) 1
#endif
#ifdef M_DROPS_ANY                 /* whatever the policy says */
#define MAY_LOSE 1
#else
#define MAY_LOSE policy[l] != BLOCK
#endif

/* ---- the producer sleeps --------------------------------------------------------------------- */

#define SAY_ASLEEP   STEP(asleep = 1);
#define READ_EMPTIED STEP(READ_EVENT(emptied));
#if defined(M_ASLEEP_LATE)         /* after the last look */
#define ASLEEP_EARLY
#define ASLEEP_LATE SAY_ASLEEP
#elif defined(M_NEVER_ASLEEP)
#define ASLEEP_EARLY
#define ASLEEP_LATE
#else
#define ASLEEP_EARLY SAY_ASLEEP
#define ASLEEP_LATE
#endif
#ifdef M_EMPTIED_LATE              /* the event is read after the last look */
#define READ_EMPTIED_EARLY
#define READ_EMPTIED_LATE READ_EMPTIED
#else
#define READ_EMPTIED_EARLY READ_EMPTIED
#define READ_EMPTIED_LATE
#endif
#ifdef M_NO_LAST_LOOK
#define LAST_LOOK
#else
#define LAST_LOOK goto look
#endif

/* ---- the producer queues --------------------------------------------------------------------- */

#define FILL                                                               \
    STEP(queues[l]++; assert(IS_FREE(CELL(l, s)) && NEXT_NUMBER == queues[l]); \
         CELL(l, s) = QUEUED(queues[l]); TAG(l, s) = whole[s]);
#define ACCEPT STEP(accepted[l]++);
#ifdef M_ACCEPTED_BEFORE_CELL
#define NEXT_NUMBER accepted[l]
#define SHOW ACCEPT FILL
#else
#define NEXT_NUMBER accepted[l] + 1
#define SHOW FILL ACCEPT
#endif

#if (POLICY0 | POLICY1) & LATEST
#define LEAVE_NEWEST                                                       \
    STEP(newest = (policy[l] == LATEST));                                  \
    if :: newest -> STEP(LOSE(l, 1 - s)) :: else fi; newest = 0;
#else
#define LEAVE_NEWEST
#endif

/* One of a group is enough: each frame goes to one. */
#if LANES == 1 && MEMBERS > 1 && !defined(V_WAKE_ALL)
#define WAKE_SOME(e)                                                       \
    if :: HAS(e.asleep, 0) -> CLEAR(e.asleep, 0)                           \
       :: HAS(e.asleep, 1) -> CLEAR(e.asleep, 1)                           \
       :: else fi
#else
#define WAKE_SOME(e) WAKE(e)
#endif
#define BUMP_FRAME STEP(BUMP(event[l]));
#define WAKE_FRAME                                                         \
    if                                                                     \
    :: atomic { sleepers[l] == 0 -> skip }                                 \
    :: atomic { sleepers[l] != 0 -> skip }; STEP(WAKE_SOME(event[l]))      \
    DEATH                                                                  \
    fi;
#if defined(M_NO_BUMP)
#define ANNOUNCE_FRAME WAKE_FRAME
#elif defined(M_NO_WAKE)
#define ANNOUNCE_FRAME BUMP_FRAME
#elif defined(M_WAKE_BEFORE_BUMP)
#define ANNOUNCE_FRAME WAKE_FRAME BUMP_FRAME
#elif defined(M_BUMP_BEFORE_ACCEPTED)
#undef SHOW
#define SHOW FILL BUMP_FRAME ACCEPT
#define ANNOUNCE_FRAME WAKE_FRAME
#elif defined(M_ANNOUNCE_BEFORE_ACCEPTED)
#undef SHOW
#define SHOW FILL BUMP_FRAME WAKE_FRAME ACCEPT
#define ANNOUNCE_FRAME
#else
#define ANNOUNCE_FRAME BUMP_FRAME WAKE_FRAME
#endif

#ifdef M_NO_SECOND_MASK            /* no step 9 */
#define SECOND_MASK atomic { open = 0 }
#else
#define SECOND_MASK STEP(open = open & ~mask)
#endif

#if defined(M_FINISH_SILENT)
#define FINISH STEP(state = finished); atomic { l = LANES }
#elif defined(M_FINISH_AFTER_WAKE)
#define FINISH STEP(BUMP(event[0])); STEP(WAKE(event[0])); STEP(state = finished); atomic { l = LANES }
#else
#define FINISH STEP(state = finished);
#endif

/* ---- a consumer takes ------------------------------------------------------------------------ */

#define READ_STATE STEP(over = (state != running));
#ifdef M_STATE_LAST                /* after the scan */
#define STATE_FIRST atomic { 1 -> skip }
#define STATE_LAST READ_STATE
#else
#define STATE_FIRST atomic { over = (state != running) } DEATH
#define STATE_LAST
#endif
#define READ_ACCEPTED STEP(upto = accepted[LANE]);
#if defined(M_ANY_NUMBER)          /* no rule n <= accepted */
#define ACCEPTED_FIRST
#define ACCEPTED_LAST
#define SEES 1
#elif defined(M_ACCEPTED_LAST)     /* read after the scan */
#define ACCEPTED_FIRST
#define ACCEPTED_LAST READ_ACCEPTED atomic { if :: n > upto -> n = 0; at = 0 :: else fi }
#define SEES 1
#else
#define ACCEPTED_FIRST READ_ACCEPTED
#define ACCEPTED_LAST
#define SEES NUMBER(CELL(LANE, k)) <= upto
#endif
#ifdef M_NOT_THE_SMALLEST
#define BETTER 1
#else
#define BETTER (n == 0 || NUMBER(CELL(LANE, k)) < n)
#endif

#define TAKING STEP(taking[me] = n);
#define BASE   STEP(base[me] = taken[me]);
#define TAKEN  STEP(taken[me] = base[me] + 1);
#define NOTE_TAKEN TAKEN
#if defined(M_BASE_BEFORE_TAKING)
#define NOTE_TAKING BASE TAKING
#elif defined(M_TAKING_LATE)       /* after the claim */
#define NOTE_TAKING BASE
#undef NOTE_TAKEN
#define NOTE_TAKEN TAKING TAKEN
#elif defined(M_TAKEN_EARLY)       /* before the claim */
#define NOTE_TAKING TAKING BASE TAKEN
#undef NOTE_TAKEN
#define NOTE_TAKEN
#else
#define NOTE_TAKING TAKING BASE
#endif

/* What is true of a frame that is taken: whole, the one that was queued, in order, once. */
#define SEIZE                                                              \
    assert(CELL(LANE, at) == QUEUED(n) && whole[at] != 0 && whole[at] == TAG(LANE, at)); \
    assert(n > last[me] && !HAS(got[LANE], n));                            \
    last[me] = n; SET(got[LANE], n); takes[me]++;                          \
    CELL(LANE, at) = HELD(n, me); n = 0; at = 0
#ifdef M_CLAIM_BY_STORE            /* looks, then stores */
#define CLAIM                                                              \
    STEP(if :: CELL(LANE, at) == QUEUED(n) :: else -> n = 0; at = 0; goto take_again fi); \
    STEP(SEIZE);
#else
#define CLAIM                                                              \
    STEP(if :: CELL(LANE, at) == QUEUED(n) -> SEIZE                        \
            :: else -> n = 0; at = 0; goto take_again fi);
#endif

/* ---- a consumer sleeps ----------------------------------------------------------------------- */

#define SET_SLEEPER STEP(SET(sleepers[LANE], me));
#define READ_FRAMES STEP(READ_EVENT(event[LANE]));
#if defined(M_EVENT_LATE)          /* the event is read after the last look */
#define BEFORE_LAST_LOOK SET_SLEEPER
#define AFTER_LAST_LOOK READ_FRAMES
#elif defined(V_SLEEPER_LATE)      /* after the last look: the event alone tells then */
#define BEFORE_LAST_LOOK READ_FRAMES
#define AFTER_LAST_LOOK SET_SLEEPER
#elif defined(M_NO_SLEEPER_BIT)
#define BEFORE_LAST_LOOK READ_FRAMES
#define AFTER_LAST_LOOK
#else
#define BEFORE_LAST_LOOK SET_SLEEPER READ_FRAMES
#define AFTER_LAST_LOOK
#endif
#ifdef M_SLEEPER_STAYS
#define CLEAR_SLEEPER skip
#else
#define CLEAR_SLEEPER CLEAR(sleepers[LANE], me)
#endif
#ifdef M_NO_LOOK_AGAIN
#define LOOK_AGAIN
#else
#define LOOK_AGAIN goto take
#endif
#ifdef M_WOKEN_GIVES_UP            /* a time-out or an exception before the next look */
#define WOKEN if :: goto stop :: skip fi;
#else
#define WOKEN
#endif

/* ---- a consumer gives back ------------------------------------------------------------------- */

#define ASK_ASLEEP STEP(k = asleep);
#define TELL_IF_ASLEEP                                                     \
    if :: k -> k = 0; STEP(BUMP(emptied)); STEP(WAKE(emptied)) :: else fi;
#define ASKS_EARLY
#if defined(M_GIVE_BACK_SILENT)
#define ANNOUNCE_EMPTIED
#elif defined(M_ASKS_EARLY)        /* whether it sleeps, before the cell is free */
#undef ASKS_EARLY
#define ASKS_EARLY ASK_ASLEEP
#define ANNOUNCE_EMPTIED TELL_IF_ASLEEP
#elif defined(M_WAKE_BEFORE_EMPTIED)
#define ANNOUNCE_EMPTIED                                                   \
    ASK_ASLEEP if :: k -> k = 0; STEP(WAKE(emptied)); STEP(BUMP(emptied)) :: else fi;
#elif defined(M_EMPTIED_NO_BUMP)
#define ANNOUNCE_EMPTIED                                                   \
    ASK_ASLEEP if :: k -> k = 0; STEP(WAKE(emptied)) :: else fi;
#else
#define ANNOUNCE_EMPTIED ASK_ASLEEP TELL_IF_ASLEEP
#endif

/* ---- the host opens and closes --------------------------------------------------------------- */

#define CHOOSE_POLICY(l)                                                   \
    if                                                                     \
    :: POLICIES(l) & BLOCK -> policy[l] = BLOCK                            \
    :: POLICIES(l) & DROP -> policy[l] = DROP                              \
    :: POLICIES(l) & LATEST -> policy[l] = LATEST                          \
    fi
#define PURGE_LANE atomic { PURGE(l, 0) }; atomic { PURGE(l, 1) };
#define OPEN_LANE  atomic { SET(mask, l) };
#define SET_POLICY atomic { CHOOSE_POLICY(l) };
#if defined(V_OPEN_NO_PURGE)       /* step 9 and repair leave nothing that must go */
#define OPEN SET_POLICY OPEN_LANE
#elif defined(M_PURGE_AFTER_OPEN)
#define OPEN SET_POLICY OPEN_LANE PURGE_LANE
#elif defined(M_POLICY_AFTER_OPEN)
#define OPEN PURGE_LANE OPEN_LANE SET_POLICY
#else
#define OPEN SET_POLICY PURGE_LANE OPEN_LANE
#endif
#ifdef M_OPEN_SILENT
#define TELL_OPENED skip
#else
#define TELL_OPENED TELL_EMPTIED
#endif

#define CLOSE_LANE atomic { CLEAR(mask, l) };
#if defined(M_CLOSE_NO_PURGE)
#define CLOSE CLOSE_LANE
#elif defined(M_PURGE_BEFORE_CLOSE)
#define CLOSE PURGE_LANE CLOSE_LANE
#else
#define CLOSE CLOSE_LANE PURGE_LANE
#endif

/* ---- the host repairs a consumer ------------------------------------------------------------- */

#if defined(M_REPAIR_NOT_TAKEN)
#define REPAIR_TAKEN skip
#elif defined(M_REPAIR_TAKEN_ALWAYS)
#define REPAIR_TAKEN atomic { taken[m] = base[m] + 1 }
#else
#define REPAIR_TAKEN                                                       \
    atomic { if :: NUMBER(CELL(l, k)) == taking[m] -> taken[m] = base[m] + 1 :: else fi }
#endif
#ifdef M_REPAIR_NOT_HELD
#define REPAIR_HELD skip
#else
#define REPAIR_HELD EMPTY(l, k)
#endif
#ifdef M_REPAIR_NOT_SLEEPER
#define REPAIR_SLEEPER skip
#else
#define REPAIR_SLEEPER CLEAR(sleepers[l], m)
#endif
#ifdef M_REPAIR_BUMPS_FIRST
#define REPAIR_BUMP_FIRST atomic { TELL_EMPTIED };
#define REPAIR_EMPTIED if :: status[m] == leaving -> atomic { TELL_EMPTIED } :: else fi;
#elif defined(M_REPAIR_NO_EMPTIED)
#define REPAIR_BUMP_FIRST
#define REPAIR_EMPTIED if :: status[m] == leaving -> atomic { TELL_EMPTIED } :: else fi;
#elif defined(M_CLOSE_SILENT)
#define REPAIR_BUMP_FIRST
#define REPAIR_EMPTIED if :: status[m] == dead -> atomic { TELL_EMPTIED } :: else fi;
#else
#define REPAIR_BUMP_FIRST
#define REPAIR_EMPTIED atomic { TELL_EMPTIED };
#endif
#if defined(M_REPAIR_NO_EVENT)
#define REPAIR_EVENT if :: status[m] == leaving -> atomic { TELL_LANE(l) } :: else fi;
#elif defined(M_LEAVE_SILENT)
#define REPAIR_EVENT if :: status[m] == dead -> atomic { TELL_LANE(l) } :: else fi;
#else
#define REPAIR_EVENT atomic { TELL_LANE(l) };
#endif

/* ---- the host repairs the producer ----------------------------------------------------------- */

#ifdef M_REPAIR_FORGETS_PURGED     /* what it took out itself between steps 4 and 5 */
#define ACCEPTED_AT_LEAST accepted[l]
#else
#define ACCEPTED_AT_LEAST (purged[l] > accepted[l] -> purged[l] : accepted[l])
#endif
#define AT_LEAST(c) if :: NUMBER(c) > r -> r = NUMBER(c) :: else fi
#ifdef M_REPAIR_NOT_ACCEPTED
#define REPAIR_ACCEPTED
#else
#define REPAIR_ACCEPTED                                                    \
    atomic { r = ACCEPTED_AT_LEAST };                                      \
    atomic { AT_LEAST(CELL(l, 0)) };                                       \
    atomic { AT_LEAST(CELL(l, 1)) };                                       \
    atomic { accepted[l] = r; r = 0 };
#endif
#ifdef M_REPAIR_LEAVES_CLOSED      /* a frame that step 9 was to take back */
#define REPAIR_CLOSED
#else
#define REPAIR_CLOSED if :: !HAS(mask, l) -> PURGE_LANE :: else fi;
#endif
#ifdef M_REPAIR_NOT_ASLEEP
#define REPAIR_ASLEEP skip
#else
#define REPAIR_ASLEEP asleep = 0
#endif
#define ABANDON atomic { if :: state == running -> state = abandoned :: else fi };
#ifdef M_REPAIR_STATE_FIRST
#define REPAIR_STATE_FIRST ABANDON
#define REPAIR_STATE
#else
#define REPAIR_STATE_FIRST
#define REPAIR_STATE ABANDON
#endif
#ifdef M_REPAIR_TELLS_NOBODY
#define REPAIR_TELLS
#else
#define REPAIR_TELLS atomic { TELL_LANE(l) };
#endif
