// SPDX-License-Identifier: MIT
// The channels of Rust: crossbeam-channel, and std's sync_channel. Arguments and output as in harness.hpp:
// CHANNEL MILLISECONDS CPUS SCENARIO...
use std::sync::{mpsc, Arc, Barrier};
use std::time::Instant;

const ROUND_TRIP_CAPACITY: Option<usize> = Some(64);
const IDLE_TRIP_NS: u64 = 600_000; // about, with both sleeps

type Body = Box<dyn FnOnce() -> u64 + Send>;

extern "C" {
    fn sched_setaffinity(pid: i32, size: usize, mask: *const u64) -> i32;
}

fn pin(cpu: usize) {
    let mut mask = [0u64; 16];
    mask[cpu / 64] |= 1 << (cpu % 64);
    assert_eq!(
        unsafe { sched_setaffinity(0, std::mem::size_of_val(&mask), mask.as_ptr()) },
        0
    );
}

/// Nanoseconds from when the first body began until the last had ended, and the sum of their results.
fn run(cpus: &[usize], bodies: Vec<Body>) -> (u64, u64) {
    let barrier = Arc::new(Barrier::new(bodies.len()));
    let threads: Vec<_> = bodies
        .into_iter()
        .enumerate()
        .map(|(i, body)| {
            let barrier = barrier.clone();
            let cpu = if cpus.is_empty() {
                None
            } else {
                Some(cpus[i % cpus.len()])
            };
            std::thread::spawn(move || {
                if let Some(cpu) = cpu {
                    pin(cpu);
                }
                barrier.wait();
                let begin = Instant::now();
                let sum = body();
                (begin, Instant::now(), sum)
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let begin = results.iter().map(|r| r.0).min().unwrap();
    let end = results.iter().map(|r| r.1).max().unwrap();
    ((end - begin).as_nanos() as u64, results.iter().map(|r| r.2).sum())
}

trait Queue {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;
    fn make(capacity: Option<usize>) -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, number: u64);
    fn recv(receiver: &Self::Receiver) -> u64;
    /// Another one for the same queue, where there may be several.
    fn share(_sender: &Self::Sender, _receiver: &Self::Receiver) -> Option<(Self::Sender, Self::Receiver)> {
        None
    }
    fn can_select() -> bool {
        false
    }
    fn recv_either(_first: &Self::Receiver, _second: &Self::Receiver) -> u64 {
        unreachable!()
    }
}

struct Crossbeam;

impl Queue for Crossbeam {
    type Sender = crossbeam_channel::Sender<u64>;
    type Receiver = crossbeam_channel::Receiver<u64>;
    fn make(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        match capacity {
            Some(capacity) => crossbeam_channel::bounded(capacity),
            None => crossbeam_channel::unbounded(),
        }
    }
    fn send(sender: &Self::Sender, number: u64) {
        sender.send(number).unwrap()
    }
    fn recv(receiver: &Self::Receiver) -> u64 {
        receiver.recv().unwrap()
    }
    fn share(sender: &Self::Sender, receiver: &Self::Receiver) -> Option<(Self::Sender, Self::Receiver)> {
        Some((sender.clone(), receiver.clone()))
    }
    fn can_select() -> bool {
        true
    }
    fn recv_either(first: &Self::Receiver, second: &Self::Receiver) -> u64 {
        crossbeam_channel::select! {
            recv(first) -> number => number.unwrap(),
            recv(second) -> number => number.unwrap(),
        }
    }
}

struct Std;

enum StdSender {
    Bounded(mpsc::SyncSender<u64>),
    Unbounded(mpsc::Sender<u64>),
}

impl Queue for Std {
    type Sender = StdSender;
    type Receiver = mpsc::Receiver<u64>;
    fn make(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        match capacity {
            Some(capacity) => {
                let (sender, receiver) = mpsc::sync_channel(capacity);
                (StdSender::Bounded(sender), receiver)
            }
            None => {
                let (sender, receiver) = mpsc::channel();
                (StdSender::Unbounded(sender), receiver)
            }
        }
    }
    fn send(sender: &Self::Sender, number: u64) {
        match sender {
            StdSender::Bounded(sender) => sender.send(number).unwrap(),
            StdSender::Unbounded(sender) => sender.send(number).unwrap(),
        }
    }
    fn recv(receiver: &Self::Receiver) -> u64 {
        receiver.recv().unwrap()
    }
}

fn stream<Q: Queue>(cpus: &[usize], capacity: Option<usize>, pairs: u64, count: u64) -> Option<u64> {
    let each = count / pairs;
    let (sender, receiver) = Q::make(capacity);
    let mut ends = Vec::new();
    for _ in 1..pairs {
        ends.push(Q::share(&sender, &receiver)?);
    }
    ends.push((sender, receiver));
    let mut bodies: Vec<Body> = Vec::new();
    for (sender, receiver) in ends {
        bodies.push(Box::new(move || {
            for i in 1..=each {
                Q::send(&sender, i);
            }
            0
        }));
        bodies.push(Box::new(move || (0..each).map(|_| Q::recv(&receiver)).sum()));
    }
    let (ns, sum) = run(cpus, bodies);
    assert_eq!(sum, pairs * (each * (each + 1) / 2));
    Some(ns)
}

fn round_trip<Q: Queue>(cpus: &[usize], count: u64) -> u64 {
    let (there, there_out) = Q::make(ROUND_TRIP_CAPACITY);
    let (back, back_out) = Q::make(ROUND_TRIP_CAPACITY);
    let asker: Body = Box::new(move || {
        for i in 1..=count {
            Q::send(&there, i);
            assert_eq!(Q::recv(&back_out), i);
        }
        0
    });
    let answerer: Body = Box::new(move || {
        for _ in 0..count {
            Q::send(&back, Q::recv(&there_out));
        }
        0
    });
    run(cpus, vec![asker, answerer]).0
}

/// Each side sleeps before it sends, as in harness.hpp.
fn round_trip_from_sleep<Q: Queue>(cpus: &[usize], count: u64) -> f64 {
    let hold = std::time::Duration::from_micros(200);
    let (there, there_out) = Q::make(ROUND_TRIP_CAPACITY);
    let (back, back_out) = Q::make(ROUND_TRIP_CAPACITY);
    let total = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let (trips, held) = (total.clone(), total.clone());
    let asker: Body = Box::new(move || {
        for i in 1..=count {
            std::thread::sleep(hold);
            let sent = Instant::now();
            Q::send(&there, i);
            assert_eq!(Q::recv(&back_out), i);
            trips.fetch_add(
                sent.elapsed().as_nanos() as i64,
                std::sync::atomic::Ordering::Relaxed,
            );
        }
        0
    });
    let answerer: Body = Box::new(move || {
        for _ in 0..count {
            let number = Q::recv(&there_out);
            let received = Instant::now();
            std::thread::sleep(hold);
            held.fetch_sub(
                received.elapsed().as_nanos() as i64,
                std::sync::atomic::Ordering::Relaxed,
            );
            Q::send(&back, number);
        }
        0
    });
    run(cpus, vec![asker, answerer]);
    total.load(std::sync::atomic::Ordering::Relaxed) as f64 / count as f64
}

fn select_of_two<Q: Queue>(cpus: &[usize], capacity: Option<usize>, count: u64) -> u64 {
    let (first, first_out) = Q::make(capacity);
    let (second, second_out) = Q::make(capacity);
    let sender: Body = Box::new(move || {
        for i in (1..=count).step_by(2) {
            Q::send(&first, i);
            Q::send(&second, i + 1);
        }
        // The ends live until the receiver has taken all: a closed channel would be chosen, too.
        std::mem::forget((first, second));
        0
    });
    let receiver: Body = Box::new(move || (0..count).map(|_| Q::recv_either(&first_out, &second_out)).sum());
    let (ns, sum) = run(cpus, vec![sender, receiver]);
    assert_eq!(sum, count * (count + 1) / 2);
    ns
}

/// As measure() of harness.hpp.
fn measure(budget_ns: u64, mut once: impl FnMut(u64) -> Option<u64>) -> Option<f64> {
    let budget = budget_ns as f64;
    let mut count: f64 = 512.0;
    let mut best = f64::MAX;
    let mut long_runs = Vec::new();
    loop {
        let messages = (count as u64 / 256 + 1) * 256;
        let ns = once(messages)?.max(1) as f64;
        let each = ns / messages as f64;
        best = best.min(each);
        if ns >= budget / 2.0 {
            long_runs.push(each);
            if each < 2.0 * best {
                return Some(each);
            }
            if long_runs.len() == 3 {
                break;
            }
        }
        count = (16.0 * count).min(budget / best);
    }
    long_runs.sort_by(f64::total_cmp);
    Some(long_runs[1])
}

fn measure_scenario<Q: Queue>(cpus: &[usize], budget_ns: u64, name: &str) -> Option<f64> {
    let capacity = name.rsplit('-').next().and_then(|text| text.parse().ok());
    if name == "roundtrip-idle" {
        return Some(round_trip_from_sleep::<Q>(cpus, budget_ns / IDLE_TRIP_NS + 1));
    }
    if name.starts_with("roundtrip") {
        return measure(budget_ns, |count| Some(round_trip::<Q>(cpus, count)));
    }
    if name.starts_with("select") {
        return if Q::can_select() {
            measure(budget_ns, |count| Some(select_of_two::<Q>(cpus, capacity, count)))
        } else {
            None
        };
    }
    let pairs = if name.starts_with("stream-2p2c") { 2 } else { 1 };
    if !name.starts_with("stream") {
        return None;
    }
    measure(budget_ns, |count| stream::<Q>(cpus, capacity, pairs, count))
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let budget_ns = arguments[2].parse::<u64>().unwrap() * 1_000_000;
    let cpus: Vec<usize> = arguments[3]
        .split(',')
        .filter_map(|cpu| cpu.parse().ok())
        .collect();
    let placement = match cpus.as_slice() {
        [] => "unpinned",
        [first, .., last] if first == last => "same",
        _ => "split",
    };
    for name in &arguments[4..] {
        let (peer, ns) = match arguments[1].as_str() {
            "crossbeam" => ("crossbeam", measure_scenario::<Crossbeam>(&cpus, budget_ns, name)),
            _ => ("rust-std", measure_scenario::<Std>(&cpus, budget_ns, name)),
        };
        if let Some(ns) = ns {
            println!("{peer} {name} {placement} {ns:.2}");
        }
    }
}
