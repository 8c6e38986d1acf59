/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of entry_lock.pml that the protocol stands on, each with the mutants that leave it
 * out or move it. Without an M_... or V_... this file is the protocol. With M_... the check must
 * fail. V_... are changes that look like mutants and are right: they must hold.
 */

/* ---- telling the sleepers ------------------------------------------------------------------ */

#ifdef M_NO_WAKE
#define WAKE_SLEEPERS(e) skip
#elif defined(M_WAKE_ONE)
#define WAKE_SLEEPERS(e)                                                   \
    if :: HAS(e.asleep, 0) -> CLEAR(e.asleep, 0)                           \
       :: HAS(e.asleep, 1) -> CLEAR(e.asleep, 1)                           \
       :: HAS(e.asleep, 2) -> CLEAR(e.asleep, 2)                           \
       :: e.asleep == 0 fi
#else
#define WAKE_SLEEPERS(e) WAKE(e)
#endif

#if defined(M_NO_BUMP)             /* only wakes */
#define ANNOUNCE(e) WAKE_IF(sleepers, , WAKE_SLEEPERS(e));
#elif defined(M_WAKE_THEN_BUMP)
#define ANNOUNCE(e) WAKE_IF(sleepers, , WAKE_SLEEPERS(e)); STEP(BUMP(e));
#elif defined(V_LOOK_EARLY) || defined(M_LOOK_EARLY_SLEEPER_LATE)
#define ANNOUNCE(e) WAKE_IF(sleepers, STEP(BUMP(e));, WAKE_SLEEPERS(e));
#else                              /* bump, look at the sleeper bits, wake if there is one */
#define ANNOUNCE(e) STEP(BUMP(e)); WAKE_IF(sleepers, , WAKE_SLEEPERS(e));
#endif

#ifdef M_SILENT_RELEASE            /* a writer that leaves tells nobody */
#define ANNOUNCE_RELEASE(e)
#else
#define ANNOUNCE_RELEASE(e) ANNOUNCE(e)
#endif
#ifdef M_SILENT_GIVE_UP            /* a writer that gives up while it drains tells nobody */
#define ANNOUNCE_GIVE_UP(e)
#else
#define ANNOUNCE_GIVE_UP(e) ANNOUNCE(e)
#endif
#ifdef M_SILENT_READER             /* a reader that leaves tells nobody */
#define ANNOUNCE_READER(e)
#else
#define ANNOUNCE_READER(e) ANNOUNCE(e)
#endif
#ifdef M_SILENT_BACK_OFF           /* a reader that backs off tells nobody */
#define ANNOUNCE_BACK_OFF(e)
#else
#define ANNOUNCE_BACK_OFF(e) ANNOUNCE(e)
#endif
#ifdef M_SILENT_FREE               /* the host frees the entry and tells nobody */
#define WAKE_FREED atomic { skip }
#else
#define WAKE_FREED atomic { BUMP(released) }; atomic { WAKE(released) }
#endif

/* ---- falling asleep ------------------------------------------------------------------------ */

#if defined(M_NO_SLEEPER_BIT)
#define BEFORE_CHECK(e) STEP(READ_EVENT(e))
#define AFTER_CHECK(e)
#elif defined(V_SLEEPER_LATE) || defined(M_LOOK_EARLY_SLEEPER_LATE)
#define BEFORE_CHECK(e) STEP(READ_EVENT(e))
#define AFTER_CHECK(e)  STEP(SET(sleepers, me));
#elif defined(M_EVENT_LATE)        /* the event is read after the second check */
#define BEFORE_CHECK(e) STEP(SET(sleepers, me))
#define AFTER_CHECK(e)  STEP(READ_EVENT(e));
#else                              /* sleeper bit, event, check, futex_wait */
#define BEFORE_CHECK(e) STEP(SET(sleepers, me)); STEP(READ_EVENT(e))
#define AFTER_CHECK(e)
#endif
#ifdef M_NO_RECHECK
#define RECHECK 0
#define LOOK_AGAIN(w, some, none) goto some
#else
#define RECHECK 1
#define LOOK_AGAIN(w, some, none) LOOK(w, some, none)
#endif
#ifdef M_SLEEPER_STAYS             /* nobody clears its sleeper bit */
#define CLEAR_SLEEPER skip
#else
#define CLEAR_SLEEPER CLEAR(sleepers, me)
#endif

/* ---- inside -------------------------------------------------------------------------------- */

#ifdef V_NO_FIRST_LOOK             /* a reader sets its bit whatever the word says */
#define FIRST_LOOK 1
#else
#define FIRST_LOOK writer == 0
#endif
#ifdef M_NO_SECOND_LOOK
#define SECOND_LOOK 1
#else
#define SECOND_LOOK writer == 0
#endif
#ifdef M_LETS_GO                   /* a writer that finds readers lets go and tries again */
#define LETS_GO STEP(writer = 0); ANNOUNCE(released) goto take_writer;
#else
#define LETS_GO
#endif
#ifdef M_ODD_EARLY                 /* the version becomes odd while readers are still inside */
#define MAKE_ODD_EARLY STEP(version = version | 1);
#else
#define MAKE_ODD_EARLY
#endif
#ifdef M_NO_ODD
#define MAKE_ODD
#else
#define MAKE_ODD STEP(version = seen | 1);
#endif
#ifdef M_EVEN_LATE                 /* the version becomes even after the writer word is 0 */
#define MAKE_EVEN      skip
#define MAKE_EVEN_LATE STEP(version = 2; spoiled = 0);
#else
#define MAKE_EVEN      STEP(version = 2; spoiled = 0)
#define MAKE_EVEN_LATE
#endif
#ifdef M_ACCEPTS_TORN              /* r+ takes torn content, mends nothing, makes it even */
#define REFUSES_TORN 0
#else
#define REFUSES_TORN 1
#endif

/* ---- slots and repair ---------------------------------------------------------------------- */

#ifdef V_NO_GENERATION             /* the writer word holds the slot alone */
#define NAME(s) (s + 1)
#else
#define NAME(s) (generation[s] * SLOTS + s + 1)
#endif
#ifdef M_REPAIR_LIVING             /* repairs at the hang-up, while the process still runs */
#define HANG_UP :: atomic { deaths < DEATHS && life[0] == alive -> deaths++; s = 0 }; goto repair
#else
#define HANG_UP
#endif
#ifdef M_REUSE_EARLY               /* gives the number out before the entry is repaired */
#define REUSE_EARLY generation[s]++; life[s] = alive
#else
#define REUSE_EARLY skip
#endif
#if defined(M_REPAIR_NOT_WRITER)
#define REPAIR_WRITER skip
#elif defined(M_REPAIR_ANY_WRITER) /* stores 0 without comparing */
#define REPAIR_WRITER writer = 0
#else
#define REPAIR_WRITER if :: writer == name -> writer = 0; named = 1 :: else fi
#endif
#ifdef M_REPAIR_NOT_READER
#define REPAIR_READER skip
#else
#define REPAIR_READER if :: HAS(readers, s) -> CLEAR(readers, s); named = 1 :: else fi
#endif
#ifdef M_REPAIR_NOT_SLEEPER
#define REPAIR_SLEEPER skip
#else
#define REPAIR_SLEEPER if :: HAS(sleepers, s) -> CLEAR(sleepers, s); named = 1 :: else fi
#endif
#ifdef M_REPAIR_IF_NAMED           /* bumps and wakes only where the dead was found */
#define IF_DUE(action) if :: named -> action :: else fi
#else
#define IF_DUE(action) action
#endif
#ifdef M_REPAIR_NO_BUMP
#define REPAIR_EVENT(e) atomic { IF_DUE(WAKE(e)) };
#elif defined(M_REPAIR_NO_WAKE)
#define REPAIR_EVENT(e) atomic { IF_DUE(BUMP(e)) };
#elif defined(V_REPAIR_LOOKS)      /* looks at the sleeper bits, slot by slot, before it wakes */
#define REPAIR_EVENT(e)                                                    \
    atomic { BUMP(e) };                                                    \
    do                                                                     \
    :: atomic { HAS(sleepers, k) -> k = 0; WAKE(e); break }                \
    :: atomic { !HAS(sleepers, k) && k < SLOTS - 1 -> k++ }                \
    :: atomic { !HAS(sleepers, k) && k == SLOTS - 1 -> k = 0; break }      \
    od;
#else
#define REPAIR_EVENT(e) atomic { IF_DUE(BUMP(e)) }; atomic { IF_DUE(WAKE(e)) };
#endif
#if defined(M_REPAIR_NO_FREE)
#define REPAIR_EVENTS REPAIR_EVENT(drained)
#elif defined(M_REPAIR_NO_DRAINED)
#define REPAIR_EVENTS REPAIR_EVENT(released)
#else
#define REPAIR_EVENTS REPAIR_EVENT(released) REPAIR_EVENT(drained)
#endif
#define REPAIR_WORDS atomic { REPAIR_WRITER }; atomic { REPAIR_READER }; atomic { REPAIR_SLEEPER };
#ifdef M_REPAIR_BUMP_FIRST         /* bumps and wakes before it clears */
#define REPAIR REPAIR_EVENTS REPAIR_WORDS
#else
#define REPAIR REPAIR_WORDS REPAIR_EVENTS
#endif
