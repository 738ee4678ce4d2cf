/* SPDX-License-Identifier: MIT */
/* Select (runtime/channel/select.cpp, runtime/lock/wait_queue.hpp): one context stands in the queues
 * of two channels; who notifies chooses the first waiter whose context it can move from WAITING to
 * its case, and passes the others over. Every channel counts its messages and has a queue, first in
 * first out, under a lock; a robbed waiter goes to the back, which is worse than the front. All is
 * sequentially consistent: sleeper.pml has the store buffers. Verified: nobody sleeps for ever, and
 * every message is received.
 * Known bugs, each of which must be found:
 *   BUG_SWALLOWED    a notification ends at a waiter that was chosen elsewhere
 *   BUG_NO_PASS_ON   a select that takes from another channel than the one that chose it, or gives
 *                    up though chosen, tells nobody
 *   BUG_LOOK_FIRST   a select looks at the channels, then joins their queues
 */
#define CHANNELS 2
#define SENDERS 2
#ifndef PER_SENDER
#define PER_SENDER 1
#endif
#define WAITING 255
#define SELECTS 2   /* threads 0 and 1 select over both channels */
#define THREADS 3   /* thread 2 receives from channel 0 */

/* Locals that are no longer needed are zeroed: they would multiply the states. */
byte messages[CHANNELS];
byte count[CHANNELS];  /* of waiters, as the sender reads it */
chan queue[CHANNELS] = [THREADS] of { byte };
byte choice[THREADS];
bool token[THREADS];
bool closed;
byte received;

/* Under the queue's lock. */
inline notify_one_locked(c) {
  atomic {
    do
    :: queue[c]?other ->
      if
      :: choice[other] == WAITING -> choice[other] = c; token[other] = true; break
      :: else ->
#ifdef BUG_SWALLOWED
        break
#else
        skip
#endif
      fi
    :: empty(queue[c]) -> break
    od;
    count[c] = len(queue[c]);
    other = 0
  }
}

inline notify_one(c) {
  if
  :: count[c] != 0 -> notify_one_locked(c)
  :: else
  fi
}

inline add(c) { atomic { queue[c]!me; count[c] = len(queue[c]) } }

inline leave(c) {
  atomic {
    if
    :: queue[c]??[eval(me)] -> queue[c]??eval(me)
    :: else
    fi;
    count[c] = len(queue[c])
  }
}

inline try_receive(c, done) {
  atomic {
    done = (messages[c] != 0);
    if
    :: done -> messages[c]--; received++
    :: else
    fi
  }
}

proctype Select(byte me) {
  bool done;
  byte chosen, other, taken;
again:
  atomic { chosen = 0; taken = 0; done = false };
  try_receive(0, done);
  if
  :: done -> goto again
  :: else
  fi;
  try_receive(1, done);
  if
  :: done -> goto again
  :: closed -> goto ended
  :: else
  fi;
#ifdef BUG_LOOK_FIRST
  if
  :: messages[0] != 0 || messages[1] != 0 || closed -> goto again
  :: else
  fi;
#endif
  atomic { choice[me] = WAITING; token[me] = false; add(0) };
  add(1);
#ifndef BUG_LOOK_FIRST
  if
  :: messages[0] != 0 -> goto leaves
  :: else
  fi;
  if
  :: messages[1] != 0 || closed -> goto leaves
  :: else
  fi;
#endif
  if
  :: token[me]
  :: me == 0 -> /* the deadline: it goes for good */
    leave(0);
    leave(1);
#ifndef BUG_NO_PASS_ON
    chosen = choice[me];
    if
    :: chosen != WAITING -> notify_one(chosen)
    :: else
    fi;
#endif
    goto ended
  fi;
leaves:
  leave(0);
  leave(1);
  chosen = choice[me];
  /* From a rotating start: either may come first. */
  if
  :: taken = 0
  :: taken = 1
  fi;
  try_receive(taken, done);
  if
  :: !done -> taken = 1 - taken; try_receive(taken, done)
  :: else
  fi;
#ifndef BUG_NO_PASS_ON
  if
  :: done && chosen != WAITING && chosen != taken -> notify_one(chosen)
  :: else
  fi;
#endif
  goto again;
ended:
  atomic { chosen = 0; taken = 0; done = false }
}

proctype Receiver(byte me; byte c) {
  bool done;
again:
  try_receive(c, done);
  if
  :: done -> goto again
  :: closed -> goto ended
  :: else
  fi;
  atomic { choice[me] = WAITING; token[me] = false; add(c) };
  if
  :: messages[c] != 0 || closed
  :: else -> token[me]
  fi;
  leave(c);
  goto again;
ended:
  skip
}

proctype Sender(byte c) {
  byte item, other;
  for (item : 1 .. PER_SENDER) {
    messages[c]++;
    notify_one(c)
  }
}

/* When all is received: closing must not repair a lost wake-up. */
proctype Closer() {
  byte other;
  (received == SENDERS * PER_SENDER);
  atomic {
    closed = true;
    for (other : 0 .. THREADS - 1) { token[other] = true }
  }
}

init {
  atomic {
    run Select(0);
    run Select(1);
#ifndef WITHOUT_RECEIVERS
    run Receiver(2, 0);
#endif
    run Sender(0);
    run Sender(1);
    run Closer()
  }
}
