"""The state machine of one virtual router, as a table.

Two rules hold in this file. There is no code here that decides anything: what happens in which
state on which event is read from `TRANSITIONS`, and the picture in docs/vrrp.md is drawn from it.
And there are no times or addresses here: an action is a name, `instance.py` knows how to do it.

How it works. Whatever happens to an instance (a packet, a timer, a tracker, an operator) is first
boiled down to one `Event`. For packets `hear` does that, since the same advert is superior to one
node and inferior to another. Then (state, event) is looked up: an entry gives the next state and
the actions, in their order. A pair without an entry cannot happen to a sound driver or has no
meaning (an advert heard while in fault), and changes nothing at all.

The sources are RFC 9568 6.4 (RFC 3768 6.4 for version 2) and, for what the RFCs leave open or
keepalived does otherwise, keepalived's observable behaviour, since it is the peer on most LANs:
the fault state with its two farewells, `nopreempt`, sync groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The values are keepalived's words: notify scripts and FIFOs get them."""

    STOPPED = "STOP"
    """Not started, or has left for good."""
    INIT = "INIT"
    """Waits until everything that could forbid to serve has been looked at once."""
    BACKUP = "BACKUP"
    """Listens to a master."""
    MASTER = "MASTER"
    """Holds the addresses and says so once an interval."""
    FAULT = "FAULT"
    """Must not hold the addresses: interface down, proxy dead, a tracker without weight failed."""


class Event(StrEnum):
    START = "start"
    READY = "ready"
    """Nothing forbids to serve (any more)."""
    READY_OWNER = "ready as owner"
    """The same for priority 255 with `state MASTER`: waits for nobody (RFC 9568 6.4.1)."""
    DOWN_TIMER = "down timer"
    """Active_Down_Timer ran out: no master was heard for three intervals and the skew."""
    GROUP_WAITS = "group waits"
    """The down timer ran out, but another member of the sync group still hears its master."""
    GROUP_MASTER = "group is free"
    """All members of the sync group want to become master."""
    GROUP_YIELDS = "group yields"
    """Another member of the sync group lost its election."""
    ADVERT_TIMER = "advert timer"
    SUPERIOR = "superior advert"
    """From a master that this node obeys."""
    INFERIOR = "inferior advert"
    """From a master that this node does not obey."""
    SUPERIOR_ANSWERED = "superior advert, answered"
    """The same for a master: neighbours may believe this node, so the winner is told."""
    INFERIOR_UNANSWERED = "inferior advert, unanswered"
    """The same as inferior, with `lower_prio_no_advert` or in a flood of them (`pace.py`)."""
    LEAVING = "priority 0"
    """From a master that leaves."""
    LEAVING_UNANSWERED = "priority 0, unanswered"
    """The same in a flood of them; see `pace.py`."""
    LAST_LEAVES = "priority 0 from the only peer"
    """The same where nobody else could be waiting: unicast with one peer (ADR 5)."""
    OVERSLEPT = "overslept"
    """The node did not run for so long that others may have taken over."""
    FAULT = "fault"
    STOP = "stop"


class Action(StrEnum):
    SEND_ADVERT = "send advert"
    SEND_FAREWELL = "send priority 0"
    ADD_ADDRESSES = "add addresses"
    REMOVE_ADDRESSES = "remove addresses"
    ANNOUNCE = "announce"
    """Gratuitous ARP and unsolicited NA: a burst now, another one later, then the refresh."""
    ANNOUNCE_AGAIN = "announce again"
    """The bursts that follow an inferior advert: neighbours may believe the other node."""
    LEARN = "learn interval"
    """Version 3: take the master's interval from its advert (RFC 9568 6.4.2)."""
    FORGET = "forget interval"
    """Back to the interval of the configuration."""
    ARM_ADVERT = "arm advert timer"
    ARM_DOWN = "arm down timer"
    ARM_SKEW = "arm down timer with skew"
    ARM_NOW = "let down timer run out"
    DISARM = "disarm all"


@dataclass(frozen=True, slots=True)
class Transition:
    state: State
    actions: tuple[Action, ...] = ()


_A = Action

_TAKE_OVER = Transition(
    State.MASTER,
    (_A.DISARM, _A.FORGET, _A.SEND_ADVERT, _A.ADD_ADDRESSES, _A.ANNOUNCE, _A.ARM_ADVERT),
)
_LISTEN = Transition(State.BACKUP, (_A.FORGET, _A.ARM_DOWN))
_LEAVE_QUIETLY = Transition(State.STOPPED, (_A.DISARM,))

TRANSITIONS: dict[State, dict[Event, Transition]] = {
    State.STOPPED: {
        # What an earlier life left behind must not answer while somebody else is master.
        Event.START: Transition(State.INIT, (_A.REMOVE_ADDRESSES,)),
    },
    State.INIT: {
        Event.READY: _LISTEN,
        Event.READY_OWNER: _TAKE_OVER,
        Event.FAULT: Transition(State.FAULT),
        Event.STOP: _LEAVE_QUIETLY,
    },
    State.BACKUP: {
        Event.DOWN_TIMER: _TAKE_OVER,
        Event.GROUP_MASTER: _TAKE_OVER,
        Event.GROUP_WAITS: Transition(State.BACKUP, (_A.ARM_DOWN,)),
        Event.SUPERIOR: Transition(State.BACKUP, (_A.LEARN, _A.ARM_DOWN)),
        # The timer runs on: so a better node takes over after one down interval.
        Event.INFERIOR: Transition(State.BACKUP),
        Event.LEAVING: Transition(State.BACKUP, (_A.ARM_SKEW,)),
        Event.LAST_LEAVES: Transition(State.BACKUP, (_A.ARM_NOW,)),
        Event.OVERSLEPT: Transition(State.BACKUP, (_A.ARM_DOWN,)),
        Event.FAULT: Transition(State.FAULT, (_A.DISARM,)),
        Event.STOP: _LEAVE_QUIETLY,
    },
    State.MASTER: {
        Event.ADVERT_TIMER: Transition(State.MASTER, (_A.SEND_ADVERT, _A.ARM_ADVERT)),
        Event.SUPERIOR: Transition(
            State.BACKUP, (_A.DISARM, _A.REMOVE_ADDRESSES, _A.LEARN, _A.ARM_DOWN)
        ),
        # After a split both were masters, and half of the LAN believes this one. The winner need
        # not have heard it: one last advert makes it announce its addresses again (RFC 9568 6.4.3
        # and keepalived alike), now that they are off here.
        Event.SUPERIOR_ANSWERED: Transition(
            State.BACKUP, (_A.DISARM, _A.REMOVE_ADDRESSES, _A.SEND_ADVERT, _A.LEARN, _A.ARM_DOWN)
        ),
        # RFC 9568 6.4.3: tell the other one (and the switches) at once who is master.
        Event.INFERIOR: Transition(
            State.MASTER, (_A.SEND_ADVERT, _A.ANNOUNCE_AGAIN, _A.ARM_ADVERT)
        ),
        Event.INFERIOR_UNANSWERED: Transition(State.MASTER, (_A.ANNOUNCE_AGAIN,)),
        Event.LEAVING: Transition(State.MASTER, (_A.SEND_ADVERT, _A.ARM_ADVERT)),
        Event.LEAVING_UNANSWERED: Transition(State.MASTER),
        Event.GROUP_YIELDS: Transition(
            State.BACKUP, (_A.DISARM, _A.REMOVE_ADDRESSES, _A.ARM_DOWN)
        ),
        # It listens before it speaks: no farewell either, nobody follows this node any more.
        Event.OVERSLEPT: Transition(State.BACKUP, (_A.DISARM, _A.REMOVE_ADDRESSES, _A.ARM_DOWN)),
        # Twice, as keepalived: the interface is often about to go, and one packet may be lost.
        Event.FAULT: Transition(
            State.FAULT, (_A.DISARM, _A.SEND_FAREWELL, _A.SEND_FAREWELL, _A.REMOVE_ADDRESSES)
        ),
        Event.STOP: Transition(
            State.STOPPED, (_A.DISARM, _A.SEND_FAREWELL, _A.REMOVE_ADDRESSES)
        ),
    },
    State.FAULT: {
        Event.READY: _LISTEN,
        Event.READY_OWNER: _TAKE_OVER,
        Event.STOP: _LEAVE_QUIETLY,
    },
}  # fmt: skip


def next_transition(state: State, event: Event) -> Transition | None:
    """What `event` does in `state`; None: nothing."""
    return TRANSITIONS[state].get(event)


@dataclass(frozen=True, slots=True)
class Rank:
    """How strong a router is: priority first, then its source address as a number."""

    priority: int
    address: int

    def beats(self, other: Rank) -> bool:
        return (self.priority, self.address) > (other.priority, other.address)


def hear(state: State, ours: Rank, theirs: Rank, *, obeys_all: bool) -> Event | None:
    """What a sound advert means to a node in `state`; None where adverts mean nothing.

    `obeys_all`: the node would not preempt (`nopreempt`, or its delay runs). That counts for a
    backup only: two masters that meet must settle it by strength, or both stay.
    """
    if state not in (State.BACKUP, State.MASTER):
        return None
    if theirs.priority == 0:
        return Event.LEAVING
    if state is State.MASTER:
        return Event.SUPERIOR if theirs.beats(ours) else Event.INFERIOR
    # RFC 9568 6.4.2: a backup obeys an equal as well.
    obeys = obeys_all or theirs.priority >= ours.priority
    return Event.SUPERIOR if obeys else Event.INFERIOR


def mermaid() -> str:
    """The table as a Mermaid state diagram. Events that stay in a state are left to the table."""
    lines = ["stateDiagram-v2", "    [*] --> STOP"]
    for state, row in TRANSITIONS.items():
        arrows: dict[State, list[str]] = {}
        for event, transition in row.items():
            if transition.state is not state:
                arrows.setdefault(transition.state, []).append(event.value)
        for target, events in arrows.items():
            lines.append(f"    {state.value} --> {target.value} : {', '.join(events)}")
    return "\n".join(lines) + "\n"


def markdown_table() -> str:
    """The whole table for the documentation, one line for each pair that means something."""
    lines = ["| state | event | next state | actions |", "|---|---|---|---|"]
    for state, row in TRANSITIONS.items():
        for event, transition in row.items():
            actions = ", ".join(transition.actions) or "none"
            lines.append(
                f"| {state.value} | {event.value} | {transition.state.value} | {actions} |"
            )
    return "\n".join(lines) + "\n"


def documentation() -> str:
    """The picture and the table as they stand in docs/vrrp.md."""
    return f"```mermaid\n{mermaid()}```\n\n{markdown_table()}"


if __name__ == "__main__":
    print(documentation(), end="")
