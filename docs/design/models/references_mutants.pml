/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of references.pml that the protocol stands on, each with the mutants that leave it
 * out or move it. Without an M_... or V_... this file is the protocol. With M_... the check must
 * fail. V_... are changes that look like mutants and are right: they must hold.
 */

/* ---- get(): bit, then the second look -------------------------------------------------------- */

#ifdef M_LEAVE_UNCHECKED           /* refers although another thread has said LEAVE */
#define MAY_REFER 1
#else
#define MAY_REFER !left[me]
#endif
/* One access to shared memory each; what is private is guarded by the process's mutex. Whoever
 * touches the bit must still own the number. */
#define REFER                                                              \
    STEP(if :: MAY_REFER :: else -> mine = 0; at = 0; goto left_context fi; \
         assert(!HAS(finished, me));                                       \
         if :: held[me] == 0 -> SET(references, me) :: else fi; held[me]++);
#define FORGET_COUNTED                                                     \
    held[me]--; if :: held[me] == 0 -> CLEAR(references, me) :: else fi

#ifdef M_BIT_AFTER_STATE           /* the bit is set after the second look at the state */
#define BIT_FIRST STEP(held[me]++);
#define BIT_LAST  STEP(SET(references, me));
#else
#define BIT_FIRST REFER
#define BIT_LAST
#endif
#ifdef M_NO_SECOND_STATE
#define STILL_LIVE 1
#else
#define STILL_LIVE state == live
#endif
#ifdef M_NO_SECOND_GENERATION
#define STILL_SAME 1
#else
#define STILL_SAME generation == mine
#endif
#ifdef M_GENERATION_BEFORE_STATE   /* the second look reads them the other way round */
#define CHECK_FIRST STILL_SAME
#define CHECK_LAST  STILL_LIVE
#else
#define CHECK_FIRST STILL_LIVE
#define CHECK_LAST  STILL_SAME
#endif
#ifdef M_SEGMENT_BEFORE_GENERATION /* the first look reads the other words too early */
#define READ_1 at = segment
#define READ_2 mine = generation
#else
#define READ_1 mine = generation
#define READ_2 at = segment
#endif
#define OR_FAIL(condition) STEP(if :: condition :: else -> goto failed fi);
#ifdef V_READ_LAST                 /* one look only: bit, state, then the other words */
#define FIRST_LOOK
#define SECOND_LOOK OR_FAIL(state == live) STEP(READ_1); STEP(READ_2);
#else
#define FIRST_LOOK STEP(READ_1); STEP(READ_2);
#define SECOND_LOOK OR_FAIL(CHECK_FIRST) OR_FAIL(CHECK_LAST)
#endif

/* ---- letting go ------------------------------------------------------------------------------ */

#ifdef M_NOT_COUNTED               /* every thread clears the bit of its process */
#define FORGET_REFERENCE held[me]--; CLEAR(references, me)
#else
#define FORGET_REFERENCE FORGET_COUNTED
#endif
#ifdef M_FAILED_GET_KEEPS_BIT
#define FORGET_FAILED held[me]--
#else
#define FORGET_FAILED FORGET_REFERENCE
#endif
#define TELL STEP(if :: state == doomed -> look = 1 :: else fi);
#if defined(M_NOBODY_TELLS) || defined(V_HOST_POLLS)
#define TELL_BEFORE
#define TELL_AFTER
#elif defined(M_TELLS_BEFORE_CLEAR) /* looks at the state first, drops the bit afterwards */
#define TELL_BEFORE TELL
#define TELL_AFTER
#else
#define TELL_BEFORE
#define TELL_AFTER  TELL
#endif

/* ---- the host -------------------------------------------------------------------------------- */

#ifdef V_HOST_POLLS                /* nobody tells; the host looks at doomed entries by the clock */
#define LOOKS 1
#define AUDIT_POLLING                                                      \
    :: atomic { finished == EVERYONE && state == doomed -> assert(references == 0) }
#else
#define LOOKS look
#define AUDIT_POLLING
#endif
#ifdef M_TAKE_CLEARS               /* clears the bits when it uses a record again */
#define PUBLISH_0 references = 0
#else
#define PUBLISH_0 skip
#endif
#ifdef M_STATE_BEFORE_GENERATION   /* the host publishes in the wrong order */
#define PUBLISH_1 state = live
#define PUBLISH_2 generation++
#define PUBLISH_3 segment = wanted
#else
#define PUBLISH_1 segment = wanted
#define PUBLISH_2 generation++
#define PUBLISH_3 state = live
#endif
#ifdef M_HOST_TAKES_POOL           /* the host reclaims from a pool whose producer lives */
#define RECLAIMABLE (state == doomed)
#else
#define RECLAIMABLE (state == doomed && orphan)
#endif

/* ---- repair ---------------------------------------------------------------------------------- */

#ifdef M_REPAIR_NOT_REFERENCE
#define REPAIR_REFERENCE skip
#else
#define REPAIR_REFERENCE CLEAR(references, s)
#endif
#ifdef M_REPAIR_LOOKS_NOT          /* the host does not look again after a repair */
#define LOOK_AFTER_REPAIR skip
#else
#define LOOK_AFTER_REPAIR look = 1
#endif
#ifdef M_REUSE_EARLY               /* gives the number out before the entry is repaired */
#define REUSE_EARLY life[s] = alive
#else
#define REUSE_EARLY skip
#endif
#ifdef M_REPAIR_LIVING             /* repairs at the hang-up, while the process still runs */
#define HANG_UP :: atomic { deaths < DEATHS && life[1] == alive -> deaths++; s = 1 }; goto repair
#else
#define HANG_UP
#endif
#ifdef M_LATE_REQUEST              /* obeys a request that the dead one left behind */
#define DROP_REQUEST skip
#else
#define DROP_REQUEST request[s] = none
#endif
