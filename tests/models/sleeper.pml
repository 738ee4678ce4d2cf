/* SPDX-License-Identifier: MIT */
/* The sleeper protocol of bounded channels (runtime/channel/ring.cpp, runtime/lock/wait_queue.cpp):
 * tickets, cells, two queues of sleepers. The stores that publish a cell wait in a store buffer of
 * one entry a thread, as on a processor with total store order; all else is sequentially
 * consistent. Sleepers are woken in any order. Verified: nobody sleeps for ever, every message that
 * was sent is received.
 * Known bugs, each of which must be found:
 *   BUG_CELL         a sleeper looks at the cell again instead of at the tickets
 *   BUG_COUNT_FIRST  a sender looks for sleepers before it claims the ticket
 *   BUG_NO_PASS_ON   a chosen sleeper that gives up keeps the wake-up to itself
 *   BUG_LATE_ADD     a sleeper looks at the tickets, then joins the queue
 */
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifdef MORE_ITEMS
#define ITEMS (me + 1) /* of each sender: 1 and 2 */
#else
#define ITEMS 1
#endif
#define SENDERS 2
#define RECEIVERS 2
#define THREADS (SENDERS + RECEIVERS)
#define CLOSED 100
#define ROOM 0 /* the queue of senders, who wait for room */
#define NEWS 1 /* the queue of receivers, who wait for messages */

byte tail, head;
bool closed;
byte cell[CAPACITY]; /* 2 * lap: free for that lap; 2 * lap + 1: filled */
byte waiting[2];     /* a bit for each sleeper in the queue; the count is 0 or not */
bool token[THREADS]; /* chosen and unparked */

/* The store buffers. Locals that are no longer needed are zeroed: they would multiply the states. */
bool has_store[THREADS];
byte store_cell[THREADS];
byte store_state[THREADS];

byte sent, received, senders_done;

#define LAP(ticket) ((ticket) / CAPACITY)
#define PLACE(ticket) ((ticket) % CAPACITY)
#define SEEN(place) (has_store[me] && store_cell[me] == place -> store_state[me] : cell[place])

inline drain(thread) {
  if
  :: has_store[thread] ->
    cell[store_cell[thread]] = store_state[thread];
    has_store[thread] = false
  :: else
  fi
}

inline publish(ticket, state) {
  atomic {
    assert(!has_store[me]);
    has_store[me] = true;
    store_cell[me] = PLACE(ticket);
    store_state[me] = state
  }
}

/* Under the lock of the queue: chooses any sleeper and unparks it. */
inline notify_one_locked(queue) {
  atomic {
    drain(me);
    if
    :: waiting[queue] & 1 -> waiting[queue] = waiting[queue] & ~1; token[0] = true
    :: waiting[queue] & 2 -> waiting[queue] = waiting[queue] & ~2; token[1] = true
    :: waiting[queue] & 4 -> waiting[queue] = waiting[queue] & ~4; token[2] = true
    :: waiting[queue] & 8 -> waiting[queue] = waiting[queue] & ~8; token[3] = true
    :: waiting[queue] == 0
    fi
  }
}

inline notify_one(queue) {
  if
  :: waiting[queue] != 0 -> notify_one_locked(queue)
  :: else
  fi
}

inline add(queue) { atomic { drain(me); waiting[queue] = waiting[queue] | (1 << me) } }

/* chosen: whether somebody has taken this sleeper out. */
inline leave(queue) {
  atomic {
    drain(me);
    chosen = (waiting[queue] & (1 << me)) == 0;
    waiting[queue] = waiting[queue] & ~(1 << me);
    token[me] = false
  }
}

/* The processor gets round to the stores in time. */
active [THREADS] proctype Buffer() {
end:
  do
  :: atomic { has_store[_pid] -> drain(_pid) }
  od
}

proctype Sender(byte me) {
  byte item, ticket, state, others;
  bool chosen, looks, count;
  for (item : 1 .. ITEMS) {
try_push:
    atomic { state = 0; others = 0; chosen = false; looks = false; ticket = tail };
    state = SEEN(PLACE(ticket));
    if
    :: state == 2 * LAP(ticket) ->
#ifdef BUG_COUNT_FIRST
      count = (waiting[NEWS] != 0);
#endif
      atomic {
        drain(me);
        if
        :: tail == ticket -> tail++; sent++
        :: else -> goto try_push
        fi
      };
      publish(ticket, 2 * LAP(ticket) + 1);
#ifdef BUG_COUNT_FIRST
      if
      :: count -> notify_one_locked(NEWS)
      :: else
      fi
#else
      notify_one(NEWS)
#endif
    :: else ->
      others = head;
      if
      :: state < 2 * LAP(ticket) && others + CAPACITY == ticket
      :: else -> /* busy: somebody is in the middle of the cell */
        (tail != ticket || SEEN(PLACE(ticket)) != state || head != others);
        goto try_push
      fi;
#ifdef BUG_LATE_ADD
      ticket = tail;
      looks = (head + CAPACITY != ticket);
      add(ROOM);
#else
      add(ROOM);
#ifdef BUG_CELL
      ticket = tail;
      looks = (SEEN(PLACE(ticket)) == 2 * LAP(ticket));
#else
      ticket = tail;
      looks = (head + CAPACITY != ticket);
#endif
#endif
      if
      :: looks -> leave(ROOM); goto try_push
      :: else ->
        if
        :: token[me] -> leave(ROOM); goto try_push
        :: me == 0 -> /* the deadline: this message is not sent */
          leave(ROOM);
#ifndef BUG_NO_PASS_ON
          if
          :: chosen -> notify_one(ROOM)
          :: else
          fi
#endif
        fi
      fi
    fi
  };
  atomic { drain(me); senders_done++; ticket = 0; state = 0; others = 0 }
}

proctype Receiver(byte me) {
  byte ticket, state, end_ticket;
  bool chosen, looks;
try_pop:
  atomic { state = 0; end_ticket = 0; chosen = false; looks = false; ticket = head };
  state = SEEN(PLACE(ticket));
  if
  :: state == 2 * LAP(ticket) + 1 ->
    atomic {
      drain(me);
      if
      :: head == ticket -> head++
      :: else -> goto try_pop
      fi
    };
    publish(ticket, 2 * LAP(ticket) + 2);
    notify_one(ROOM);
    received++;
    goto try_pop
  :: else ->
    end_ticket = tail;
    if
    :: state == 2 * LAP(ticket) && end_ticket == ticket ->
      if
      :: closed -> goto done
      :: else
      fi
    :: else -> /* busy */
      (head != ticket || SEEN(PLACE(ticket)) != state || tail != end_ticket);
      goto try_pop
    fi;
#ifdef BUG_LATE_ADD
    ticket = head;
    looks = (tail != ticket || closed);
    add(NEWS);
#else
    add(NEWS);
#ifdef BUG_CELL
    ticket = head;
    looks = (SEEN(PLACE(ticket)) == 2 * LAP(ticket) + 1 || closed);
#else
    ticket = head;
    looks = (tail != ticket || closed);
#endif
#endif
    if
    :: looks -> leave(NEWS); goto try_pop
    :: else ->
      if
      :: token[me] -> leave(NEWS); goto try_pop
      :: me == SENDERS -> /* the deadline: this receiver goes for good */
        leave(NEWS);
#ifndef BUG_NO_PASS_ON
        if
        :: chosen -> notify_one(NEWS)
        :: else
        fi
#endif
      fi
    fi
  fi;
done:
  atomic { ticket = 0; state = 0; end_ticket = 0 }
}

/* Closes when all is received, so that it cannot end a wait that a lost wake-up has made endless. */
proctype Closer() {
  byte queued;
  (senders_done == SENDERS && received == sent);
  atomic {
    closed = true;
    for (queued : 0 .. THREADS - 1) {
      if
      :: waiting[NEWS] & (1 << queued) -> token[queued] = true
      :: else
      fi
    };
    waiting[NEWS] = 0
  }
}

init {
  atomic {
    run Sender(0);
    run Sender(1);
    run Receiver(2);
    run Receiver(3);
    run Closer()
  }
}
