//! The stream's machine without sockets: what happens goes in, actions come out.

use telamon_session::{Action, Failure, Policy, Servers, Side, Stream};

const MANY: Servers = Servers {
    same_usable: true,
    usable: 2,
    in_turn: true,
};
const ONE: Servers = Servers {
    same_usable: true,
    usable: 1,
    in_turn: true,
};

fn policy() -> Policy {
    Policy {
        client: Some(10_000),
        server: Some(20_000),
        connect: Some(3_000),
        queue: Some(4_000),
        retries: 3,
        ..Policy::default()
    }
}

fn actions(stream: &mut Stream) -> Vec<Action> {
    std::iter::from_fn(|| {
        stream
            .take_action()
            .filter(|action| *action != Action::Connect)
    })
    .collect()
}

fn relaying() -> Stream {
    let mut stream = Stream::new(0);
    assert_eq!(stream.take_action(), Some(Action::Pick { avoid: false }));
    stream.picked(5);
    assert_eq!(stream.take_action(), Some(Action::Connect));
    stream.connecting(5, &policy());
    stream.connected(8);
    stream
}

fn letters(stream: &Stream) -> String {
    String::from_utf8(stream.end().letters().to_vec()).unwrap()
}

#[test]
fn a_half_close_waits_for_what_is_pending() {
    let mut stream = relaying();
    stream.received(Side::Client, 10, 9);
    stream.eof(Side::Client);
    assert_eq!(actions(&mut stream), []);
    stream.sent(Side::Server, 10, 10);
    assert_eq!(actions(&mut stream), [Action::ShutWrite(Side::Server)]);
    assert!(stream.reads(Side::Server) && !stream.reads(Side::Client));
    stream.received(Side::Server, 5, 11);
    stream.eof(Side::Server);
    assert_eq!(actions(&mut stream), [Action::Close(Side::Server)]);
    stream.sent(Side::Client, 5, 12);
    assert_eq!(
        actions(&mut stream),
        [Action::Close(Side::Client), Action::Finish]
    );
    assert_eq!(letters(&stream), "--");
    assert_eq!(
        (stream.queue_time(), stream.connect_time()),
        (Some(5), Some(3))
    );
}

#[test]
fn ends_have_the_letters_of_the_manual() {
    type Story = fn(&mut Stream);
    let stories: [(&str, Story); 8] = [
        ("CD", |s| s.broke(Side::Client, true)),
        ("SD", |s| s.broke(Side::Server, true)),
        ("cD", |s| {
            s.received(Side::Server, 1, 9_000);
            s.sent(Side::Client, 1, 9_000);
            s.stall(Side::Server, true, 9_000);
            s.expire(19_000, &policy(), ONE);
        }),
        ("cD", |s| {
            s.expire(10_000, &policy(), ONE);
        }),
        ("sD", |s| {
            s.received(Side::Client, 1, 20_000);
            s.sent(Side::Server, 1, 20_000);
            s.received(Side::Client, 1, 39_000);
            s.sent(Side::Server, 1, 20_000);
            s.expire(40_000, &policy(), ONE);
        }),
        ("KD", |s| s.kill(telamon_session::Cause::Killed)),
        ("--", |s| {
            s.eof(Side::Server);
            s.eof(Side::Client);
        }),
        ("CD", |s| {
            s.broke(Side::Client, true);
            s.broke(Side::Server, true);
        }),
    ];
    for (index, (expected, story)) in stories.into_iter().enumerate() {
        let mut stream = relaying();
        story(&mut stream);
        assert_eq!(letters(&stream), expected, "story {index}");
    }
}

#[test]
fn a_refused_server_is_tried_again_after_a_pause() {
    let mut stream = Stream::new(0);
    stream.take_action();
    let policy = policy();
    let mut now = 0;
    stream.picked(now);
    for _ in 0..3 {
        assert_eq!(stream.take_action(), Some(Action::Connect));
        stream.connecting(now, &policy);
        assert!(stream.connect_failed(Failure::Refused, now, &policy, ONE));
        assert_eq!(stream.take_action(), Some(Action::Abandon));
        assert_eq!(
            stream.take_action(),
            None,
            "no retry before the pause is over"
        );
        assert_eq!(stream.deadline(&policy), Some(now + 1000));
        now += 1000;
        stream.expire(now, &policy, ONE);
    }
    assert_eq!(stream.take_action(), Some(Action::Connect));
    stream.connecting(now, &policy);
    assert!(!stream.connect_failed(Failure::Refused, now, &policy, ONE));
    assert_eq!(letters(&stream), "SC");
    assert_eq!(
        actions(&mut stream),
        [Action::Abandon, Action::Close(Side::Client), Action::Finish]
    );
    assert_eq!(stream.retries(), 3);
}

#[test]
fn redispatch_comes_at_once_where_servers_take_turns() {
    for (redispatch, servers, at_once) in [(-1, MANY, true), (1, ONE, false), (0, MANY, false)] {
        let policy = Policy {
            redispatch,
            ..policy()
        };
        let mut stream = Stream::new(0);
        stream.take_action();
        stream.picked(0);
        stream.connecting(0, &policy);
        stream.connect_failed(Failure::Refused, 0, &policy, servers);
        assert_eq!(stream.take_action(), Some(Action::Abandon));
        let next = stream.take_action();
        assert_eq!(
            next == Some(Action::Pick { avoid: true }),
            at_once,
            "{redispatch}"
        );
    }
}

#[test]
fn queue_and_connect_have_their_timeouts() {
    let mut stream = Stream::new(0);
    stream.take_action();
    stream.queued(0, &policy());
    assert_eq!(stream.deadline(&policy()), Some(4_000));
    stream.expire(4_000, &policy(), ONE);
    assert_eq!(letters(&stream), "sQ");
    assert_eq!(
        actions(&mut stream),
        [
            Action::LeaveQueue,
            Action::Close(Side::Client),
            Action::Finish
        ]
    );

    let none = Policy {
        retries: 0,
        ..policy()
    };
    let mut stream = Stream::new(0);
    stream.take_action();
    stream.picked(0);
    stream.connecting(0, &none);
    assert_eq!(stream.expire(3_000, &none, ONE), Some(Failure::Timeout));
    assert_eq!(letters(&stream), "sC");
}

#[test]
fn a_client_that_ends_as_the_connect_comes_about_has_its_stream() {
    let mut stream = Stream::new(0);
    stream.take_action();
    stream.picked(0);
    stream.connecting(0, &policy());
    stream.eof_at_connect();
    assert_eq!(actions(&mut stream), []);
    // A header of our own goes first all the same.
    stream.connected(1);
    stream.owe(Side::Server, 9);
    assert_eq!(actions(&mut stream), []);
    stream.sent(Side::Server, 9, 1);
    assert_eq!(actions(&mut stream), [Action::ShutWrite(Side::Server)]);
    stream.expire(20_001, &policy(), ONE);
    assert_eq!(letters(&stream), "sD");
}

#[test]
fn a_client_that_leaves_early_is_not_connected_for() {
    let mut stream = Stream::new(0);
    stream.take_action();
    stream.queued(0, &policy());
    stream.eof(Side::Client);
    assert_eq!(letters(&stream), "CQ");

    let mut stream = Stream::new(0);
    stream.take_action();
    stream.picked(0);
    stream.received(Side::Client, 5, 1);
    stream.eof(Side::Client);
    assert_eq!(
        letters(&stream),
        "--",
        "its request was whole: the answer is still wanted"
    );
}

/// A small generator; the seed is in each failure.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Whatever happens in whatever order: each side is closed once, nothing is asked for after the
/// end, and with timeouts set a stream that nothing happens to any more comes to its end.
#[test]
fn every_stream_ends_once() {
    for seed in 1..4000u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let policy = Policy {
            redispatch: random.below(3) as i32 - 1,
            ..policy()
        };
        let servers = if random.below(2) == 0 { ONE } else { MANY };
        let mut stream = Stream::new(0);
        let (mut now, mut closed, mut finished) = (0, [0; 2], 0);
        for step in 0..2000 {
            now += random.below(800);
            let busy = step < 60;
            if busy && stream.is_relaying() {
                let side = if random.below(2) == 0 {
                    Side::Client
                } else {
                    Side::Server
                };
                match random.below(12) {
                    0..=4 if stream.reads(side) => {
                        stream.received(side, random.below(1000) + 1, now)
                    }
                    5..=8 if stream.writes(side) && stream.pending(side) > 0 => {
                        stream.sent(side, random.below(stream.pending(side)) + 1, now);
                    }
                    9 => stream.eof(side),
                    10 if random.below(8) == 0 => stream.broke(side, random.below(2) == 0),
                    _ => {}
                }
            }
            if now >= stream.deadline(&policy).unwrap_or(u64::MAX) {
                stream.expire(now, &policy, servers);
            }
            while let Some(action) = stream.take_action() {
                assert_eq!(finished, 0, "seed {seed}: {action:?} after the end");
                match action {
                    Action::Pick { .. } => match random.below(6) {
                        0 => stream.queued(now, &policy),
                        1 => stream.unavailable(random.below(2) == 0),
                        _ => stream.picked(now),
                    },
                    Action::Connect => {
                        stream.connecting(now, &policy);
                        match random.below(4) {
                            0 => {
                                stream.connect_failed(Failure::Refused, now, &policy, servers);
                            }
                            1 => {}
                            _ => stream.connected(now),
                        }
                    }
                    Action::Close(side) => closed[side as usize] += 1,
                    Action::Finish => finished += 1,
                    Action::Abandon | Action::LeaveQueue | Action::ShutWrite(_) => {}
                }
            }
        }
        assert_eq!(finished, 1, "seed {seed}: {stream:?}");
        assert_eq!(closed[0], 1, "seed {seed}");
        assert!(closed[1] <= 1, "seed {seed}");
    }
}
