/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine that the models of this folder run on: atomic words, event words with futexes,
 * processes that may die before every step. Included by the models.
 *
 * One STEP is one access to shared memory or one system call. A process may die instead of
 * taking it. The includer defines SLOTS and, where DEATHS is not 0, the label `died` and DIE
 * (what the kernel and the ghosts do at that instant).
 */

#define BIT(s)      (1 << (s))
#define HAS(w, s)   (((w) >> (s)) & 1)
#define EVERYONE    ((1 << SLOTS) - 1)

#if DEATHS
byte deaths;                       /* how many there have been; never more than DEATHS */
#define DEATH       :: atomic { deaths < DEATHS -> deaths++; DIE; goto died }
#else
#define DEATH
#endif

#define STEP(...)   if :: atomic { __VA_ARGS__ } DEATH fi

/* fetch_or and fetch_and on a set of bits, one bit per slot. */
#define SET(w, s)   w = w | BIT(s)
#define CLEAR(w, s) w = w & ~BIT(s)

/* An event word. The model keeps no number: it remembers who has read the present one, and a
 * bump makes everybody's value old. That is a counter that never wraps, in finitely many states. */
typedef Event {
    byte known;                    /* who holds the present value in a register */
    byte asleep                    /* who is asleep in futex_wait on this word */
};

#define READ_EVENT(e)   SET(e.known, me)
#define BUMP(e)         e.known = 0
#define WAKE(e)         e.asleep = 0
/* futex_wait: the kernel compares and queues as one action; a changed value returns at once. */
#define FUTEX_WAIT(e)   if :: HAS(e.known, me) -> SET(e.asleep, me); CLEAR(e.known, me)  \
                           :: else fi
#define FORGET(e, s)    CLEAR(e.known, s); CLEAR(e.asleep, s)

/* Asleep until woken, or until one of the alternatives that follow. */
#define SLEEP(e, ...)                                                      \
    if                                                                     \
    :: atomic { !HAS(e.asleep, me) -> skip }                               \
    __VA_ARGS__                                                            \
    DEATH                                                                  \
    fi

/* Look at a set of bits slot by slot, a load each: slots may lie in different words of memory,
 * so no look sees them all at once. Leads to `some` at the first bit set, or to `none`. */
#define LOOK(w, some, none)                                                \
    do                                                                     \
    :: atomic { HAS(w, k) -> k = 0; goto some }                            \
    :: atomic { !HAS(w, k) && k < SLOTS - 1 -> k++ }                       \
    :: atomic { !HAS(w, k) && k == SLOTS - 1 -> k = 0; goto none }         \
    DEATH                                                                  \
    od

/* The same look, then a step that wakes the sleepers of an event if a bit was set. `between`
 * stands after the look. */
#define WAKE_IF(w, between, wake)                                          \
    do                                                                     \
    :: atomic { HAS(w, k) -> k = 0 }; between STEP(wake); break            \
    :: atomic { !HAS(w, k) && k < SLOTS - 1 -> k++ }                       \
    :: atomic { !HAS(w, k) && k == SLOTS - 1 -> k = 0 }; between break     \
    DEATH                                                                  \
    od
